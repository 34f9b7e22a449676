#include "support.hpp"
#include "table/index_file.hpp"
#include "table/written_entries.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace ekiden::table {
namespace {

using Texts = std::vector<std::string>;

struct Folder {
    Folder() : path(std::filesystem::temp_directory_path() / ("written_entries." + std::to_string(::getpid())))
    {
        std::filesystem::create_directories(path);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string write(const std::string& name, const std::string& text) const
    {
        std::ofstream(path / name) << text;
        return (path / name).string();
    }
    std::filesystem::path path;
};

// "FILE:LINE KEY=VALUE", "$" in front of values with groups; "..." where there is more.
Texts entries_of(const std::string& spec, const EntryBounds& bounds = {})
{
    Texts said;
    const bool is_whole = for_each_written_entry(
        spec,
        [&](const WrittenEntry& entry) {
            const std::string file = std::filesystem::path(entry.path).filename().string();
            said.push_back(file + ":" + std::to_string(entry.line) + " " + (entry.has_groups ? "$" : "") +
                           std::string(entry.key) + "=" + std::string(entry.value));
        },
        bounds);
    if (!is_whole) said.push_back("...");
    return said;
}

TEST(WrittenEntries, TextsAreReadWithTheirLines)
{
    const Folder folder;
    const std::string plain = folder.write("plain", "# x\na.test OK\nb.test\n   REJECT no\nlonely\n\"c d\" HOLD\n");
    const std::string rules = folder.write(
        "rules", "/a/ OK $1\nif /b/\n!/c\\/d/i REJECT $$5\nendif\n/x/!/y/ WARN\n/open REJECT\nstray\n!!/n/ DUNNO\n");
    const std::string nets = folder.write("nets", "192.0.2.0/24 OK\nif 10.0.0.0/8\n!2001:db8::/32 REJECT $1\nendif\n");
    EXPECT_EQ(entries_of("texthash:" + plain),
              (Texts{"plain:2 a.test=OK", "plain:3 b.test=REJECT no", "plain:6 \"c d\"=HOLD"}));
    EXPECT_EQ(entries_of("hash:" + plain), entries_of("proxy:texthash:" + plain));
    EXPECT_EQ(entries_of("regexp:" + rules), (Texts{"rules:1 $/a/=OK $1", "rules:3 !/c\\/d/i=REJECT $$5",
                                                    "rules:5 /x/!/y/=WARN", "rules:8 !!/n/=DUNNO"}));
    EXPECT_EQ(entries_of("cidr:" + nets), (Texts{"nets:1 192.0.2.0/24=OK", "nets:3 !2001:db8::/32=REJECT $1"}));
}

TEST(WrittenEntries, NamesHoldEntriesToo)
{
    const Folder folder;
    const std::string plain = folder.write("plain", "a.test OK\n");
    EXPECT_EQ(entries_of("inline:{a=OK, {b = REJECT no}}"), (Texts{":0 a=OK", ":0 b=REJECT no"}));
    EXPECT_EQ(entries_of("static:OK"), Texts{":0 =OK"});
    EXPECT_EQ(entries_of("static:{DEFER now}"), Texts{":0 =DEFER now"});
    EXPECT_EQ(entries_of("randmap:{a, {b c}}"), (Texts{":0 =a", ":0 =b c"}));
    EXPECT_EQ(entries_of("pcre:{{/x/ OK}, {/(y)/ $1}}"), (Texts{":0 /x/=OK", ":0 $/(y)/=$1"}));
    EXPECT_EQ(entries_of("unionmap:{static:a, texthash:" + plain + "}"), (Texts{":0 =a", "plain:1 a.test=OK"}));
    EXPECT_EQ(entries_of("pipemap:{texthash:" + plain + ", static:b}"), Texts{":0 =b"});
    EXPECT_EQ(entries_of("debug:static:a"), Texts{":0 =a"});
    for (const char* spec : {"tcp:127.0.0.1:1", "hash:/nosuch/file", "cidr:/nosuch/file", "inline:x", "unionmap:x",
                             "plain", "socketmap:unix:x:y"})
        EXPECT_EQ(entries_of(spec), Texts{"..."}) << spec;
}

TEST(WrittenEntries, AnIndexWithoutItsTextIsRead)
{
    const Folder folder;
    for (const char* type : {"hash", "btree", "lmdb", "cdb"}) {
        const std::string name = (folder.path / type).string();
        const IndexFormat& format = *find_index_format(type);
        const std::string path = name + std::string(format.suffix);
        auto file = open_index_file(format, path, IndexFile::Mode::create);
        ASSERT_TRUE(file) << file.error().text();
        const std::string end = format.has_nul ? std::string(1, '\0') : std::string();
        ASSERT_TRUE((*file)->put("a.test" + end, "REJECT no" + end, false));
        ASSERT_TRUE((*file)->close());
        file->reset();
        const std::string spec = std::string(type) + ":" + name;
        EXPECT_EQ(entries_of(spec), Texts{std::filesystem::path(path).filename().string() + ":0 a.test=REJECT no"});
        EXPECT_EQ(entries_of(spec, {.bytes = 10}), Texts{"..."});
        std::ofstream(path) << "this is no database";
        EXPECT_EQ(entries_of(spec), Texts{"..."}) << type;
    }
}

TEST(WrittenEntries, BoundsAreKept)
{
    const Folder folder;
    const std::string plain = folder.write("plain", "a OK\nb OK\nc OK\n");
    EXPECT_EQ(entries_of("texthash:" + plain, {.entries = 2}), (Texts{"plain:1 a=OK", "plain:2 b=OK", "..."}));
    EXPECT_EQ(entries_of("texthash:" + plain, {.bytes = 14}), Texts{"..."});
    EXPECT_EQ(entries_of("texthash:" + plain, {.bytes = 15}).size(), 3u);
    std::string deep = "static:x";
    for (int i = 0; i < 20; ++i) deep = "debug:" + deep;
    EXPECT_EQ(entries_of(deep), Texts{"..."});
}

} // namespace
} // namespace ekiden::table
