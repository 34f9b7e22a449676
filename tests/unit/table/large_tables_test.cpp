// Indexed files that are not read into memory: large ones, and those of which a command asks a few keys.
#include "support.hpp"

#include "table/index_writer.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>

namespace ekiden::table {
namespace {

void write_table(std::string_view type, const std::string& name, std::string_view key, std::string_view value)
{
    auto writer = IndexWriter::open(*find_index_format(type), name, {.expected_bytes = 100});
    ASSERT_TRUE(writer) << writer.error().text();
    const bool has_nul = find_index_format(type)->has_nul;
    auto text = [has_nul](std::string_view plain) {
        return std::string(plain) + (has_nul ? std::string(1, '\0') : "");
    };
    ASSERT_TRUE((*writer)->file().put(text(key), text(value), true));
    auto done = (*writer)->commit();
    ASSERT_TRUE(done) << done.error().text();
}

class large_tables : public ::testing::TestWithParam<const char*> {};

TEST_P(large_tables, follow_a_file_that_is_replaced)
{
    const TemporaryFolder folder;
    const std::string name = folder.path("table"), spec = std::string(GetParam()) + ":" + name;
    write_table(GetParam(), name, "one", "first");
    auto table = open_table(spec, {.may_load = false});
    ASSERT_TRUE(table) << table.error().text();
    EXPECT_EQ(shown((*table)->lookup("ONE")), "first");
    EXPECT_EQ(shown((*table)->lookup("two")), "(absent)");
    for (int i = 0; i < 3; ++i) {
        write_table(GetParam(), name, "one", "again" + std::to_string(i));    // would wait for a lock that was kept
        // A file this small is written in less time than the last look is believed for.
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
        while (shown((*table)->lookup("one")) != "again" + std::to_string(i) &&
               std::chrono::steady_clock::now() < until) {
        }
        EXPECT_EQ(shown((*table)->lookup("one")), "again" + std::to_string(i));
    }
    EXPECT_TRUE((*table)->is_stale());    // whoever opened it shall open it anew
    std::filesystem::remove(name + std::string(find_index_format(GetParam())->suffix));
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while ((*table)->lookup("one") && std::chrono::steady_clock::now() < until) {}
    EXPECT_TRUE(shown((*table)->lookup("one")).starts_with("(trouble)")) << shown((*table)->lookup("one"));
}

TEST_P(large_tables, hold_no_lock_between_questions)
{
    const TemporaryFolder folder;
    const std::string name = folder.path("table");
    write_table(GetParam(), name, "one", "first");
    auto table = open_table(std::string(GetParam()) + ":" + name, {.may_load = false});
    ASSERT_TRUE(table);
    EXPECT_EQ(shown((*table)->lookup("one")), "first");
    const IndexFormat& format = *find_index_format(GetParam());
    Fd other(::open((name + std::string(format.suffix)).c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(other);
    EXPECT_TRUE(lock_index_file(other.get(), format, true, 0));
    // And who is to wait at most so long is told nothing instead of waiting.
    EXPECT_FALSE((*table)->lookup_at_once("one"));
}

INSTANTIATE_TEST_SUITE_P(kinds, large_tables, ::testing::Values("hash", "btree", "lmdb", "cdb"));

}  // namespace
}  // namespace ekiden::table
