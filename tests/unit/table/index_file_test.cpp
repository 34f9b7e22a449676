#include "support.hpp"

#include "table/index_writer.hpp"

#include <atomic>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace ekiden::table {
namespace {

const char* const types[] = {"hash", "btree", "lmdb", "cdb"};

void write(const std::string& type, const std::string& name,
           const std::vector<std::pair<std::string, std::string>>& records, const IndexWriter::Options& options = {},
           std::optional<bool> has_nul = {})
{
    const IndexFormat& format = *find_index_format(type);
    auto writer = IndexWriter::open(format, name, options);
    ASSERT_TRUE(writer) << writer.error().text();
    const std::string end(has_nul.value_or(format.has_nul) ? 1 : 0, '\0');
    for (const auto& [key, value] : records)
        ASSERT_TRUE((*writer)->file().put(key + end, value + end, options.is_update));
    const auto done = (*writer)->commit();
    ASSERT_TRUE(done) << done.error().text();
}

TEST(indexed, found_absent_and_failed)
{
    for (const std::string type : types) {
        for (const bool has_nul : {true, false}) {
            TemporaryFolder folder;
            const auto name = folder.path("t");
            write(type, name, {{"key1", "value one"}, {"user@dom.test", "v5"}}, {}, has_nul);
            EXPECT_EQ(ask(type + ":" + name, "KEY1"), "value one") << type << has_nul;
            EXPECT_EQ(ask(type + ":" + name, "user@dom.test"), "v5") << type;
            EXPECT_EQ(ask(type + ":" + name, "nokey"), "(absent)") << type;
            EXPECT_EQ(ask(type + ":" + name, ""), "(absent)") << type;
            const std::string file = folder.path("missing") + std::string(find_index_format(type)->suffix);
            EXPECT_EQ(ask(type + ":" + folder.path("missing"), "x"),
                      "(not opened) open database " + file + ": No such file or directory");
        }
    }
}

TEST(indexed, a_damaged_file_is_trouble_and_never_empty)
{
    for (const std::string type : {"hash", "btree", "lmdb"}) {
        TemporaryFolder folder;
        const std::string file = "t" + std::string(find_index_format(type)->suffix);
        folder.file(file, "this is no database");
        EXPECT_TRUE(ask(type + ":" + folder.path("t"), "x").starts_with("(not opened) open database ")) << type;
        folder.file(file, "");
        EXPECT_TRUE(ask(type + ":" + folder.path("t"), "x").starts_with("(not opened) open database ")) << type;
    }
}

TEST(indexed, updates_keep_what_was_there_and_the_mode)
{
    for (const std::string type : {"hash", "btree", "lmdb"}) {
        TemporaryFolder folder;
        const auto name = folder.path("t");
        IndexWriter::Options options;
        options.permissions = 0640;
        write(type, name, {{"a", "1"}, {"b", "2"}}, options);
        auto opened = open_table(type + ":" + name);
        ASSERT_TRUE(opened);
        options.is_update = true;
        options.permissions = 0644;
        write(type, name, {{"b", "3"}, {"c", "4"}}, options);
        EXPECT_TRUE((*opened)->is_stale()) << type;
        EXPECT_EQ(shown((*opened)->lookup("b")), "2") << "an open table does not change under its users";
        EXPECT_EQ(ask(type + ":" + name, "a") + ask(type + ":" + name, "b") + ask(type + ":" + name, "c"), "134")
            << type;
        struct stat status{};
        ASSERT_EQ(::stat((name + std::string(find_index_format(type)->suffix)).c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777, 0640U) << type;
    }
}

TEST(index_writer, without_commit_nothing_changes_and_nothing_stays)
{
    for (const std::string type : types) {
        TemporaryFolder folder;
        const auto name = folder.path("t");
        write(type, name, {{"a", "1"}});
        {
            auto writer = IndexWriter::open(*find_index_format(type), name, {});
            ASSERT_TRUE(writer);
            ASSERT_TRUE((*writer)->file().put("a", "2", true));
        }
        EXPECT_EQ(ask(type + ":" + name, "a"), "1") << type;
        int files = 0;
        for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path(""))) ++files;
        EXPECT_EQ(files, 1) << type;
    }
}

TEST(index_writer, missing_table_to_change_is_an_error)
{
    TemporaryFolder folder;
    IndexWriter::Options options;
    options.is_update = true;
    options.may_create = false;
    auto writer = IndexWriter::open(*find_index_format("hash"), folder.path("t"), options);
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error().text(), "open database " + folder.path("t") + ".db: No such file or directory");
}

TEST(index_writer, lmdb_grows)
{
    TemporaryFolder folder;
    std::vector<std::pair<std::string, std::string>> records;
    for (int i = 0; i < 20000; ++i) records.emplace_back("key" + std::to_string(i), std::string(1500, 'x'));
    write("lmdb", folder.path("t"), records);
    EXPECT_EQ(ask("lmdb:" + folder.path("t"), "key19999"), std::string(1500, 'x'));
}

TEST(index_writer, readers_see_the_old_or_the_new_table_and_never_half)
{
    for (const std::string type : {"hash", "btree", "cdb", "lmdb"}) {
        TemporaryFolder folder;
        const auto name = folder.path("t");
        const auto records = [](const std::string& value) {
            std::vector<std::pair<std::string, std::string>> all;
            for (int i = 0; i < 500; ++i) all.emplace_back("k" + std::to_string(i), value);
            return all;
        };
        write(type, name, records("0"));
        std::atomic<bool> is_over = false;
        std::atomic<int> bad = 0;
        std::thread reader([&] {
            while (!is_over) {
                auto opened = open_table(type + ":" + name);
                if (!opened) {
                    ++bad;
                    continue;
                }
                if (shown((*opened)->lookup("k0")) != shown((*opened)->lookup("k499"))) ++bad;
            }
        });
        for (int round = 1; round < 15; ++round) write(type, name, records(std::to_string(round)));
        is_over = true;
        reader.join();
        EXPECT_EQ(bad, 0) << type;
    }
}

// Against the real thing: EKIDEN_POSTFIX_POSTMAP names a command line that runs Postfix's postmap.
TEST(index_file, is_interchangeable_with_postfix)
{
    const char* postmap = std::getenv("EKIDEN_POSTFIX_POSTMAP");
    if (!postmap) GTEST_SKIP() << "EKIDEN_POSTFIX_POSTMAP is not set";
    TemporaryFolder folder;
    const auto output_of = [](const std::string& command) {
        std::string out;
        FILE* pipe = ::popen(command.c_str(), "r");
        for (int c; pipe && (c = std::fgetc(pipe)) != EOF;) out += static_cast<char>(c);
        if (pipe) ::pclose(pipe);
        return out;
    };
    for (const std::string type : types) {
        const auto theirs = folder.file("theirs" + type, "Key1 v one\nkey2 v2\n");
        output_of(std::string(postmap) + " " + type + ":" + theirs);
        EXPECT_EQ(ask(type + ":" + theirs, "key1"), "v one") << type;
        EXPECT_EQ(ask(type + ":" + theirs, "key3"), "(absent)") << type;
        const auto ours = folder.path("ours" + type);
        write(type, ours, {{"key1", "v one"}, {"key2", "v2"}});
        EXPECT_EQ(output_of(std::string(postmap) + " -q KEY1 " + type + ":" + ours), "v one\n") << type;
        if (type == "cdb") continue;  // Postfix cannot list or change cdb files
        EXPECT_EQ(output_of(std::string(postmap) + " -s " + type + ":" + ours),
                  output_of(std::string(postmap) + " -s " + type + ":" + theirs)) << type;
        output_of("echo key3 v3 | " + std::string(postmap) + " -i " + type + ":" + ours);
        EXPECT_EQ(ask(type + ":" + ours, "key3"), "v3") << type;
    }
}

}  // namespace
}  // namespace ekiden::table
