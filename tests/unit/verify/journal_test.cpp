#include "verify/journal.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace ekiden::verify {
namespace {

using namespace std::chrono_literals;

const WallTime start{std::chrono::sys_seconds(1'800'000'000s)};

struct Seen {
    std::map<std::string, Answer> answers;
    WallTime cleaned_at{};
    JournalReader reader;
    Seen()
    {
        reader.on_answer = [this](std::string address, Answer answer) { answers[address] = std::move(answer); };
        reader.on_cleaned = [this](WallTime at) { cleaned_at = at; };
    }
};

class JournalTest : public testing::Test {
protected:
    JournalTest()
    {
        char pattern[] = "/tmp/ekiden_verify_XXXXXX";
        directory = mkdtemp(pattern);
        path = directory + "/verify_cache";
    }
    ~JournalTest() override { std::filesystem::remove_all(directory); }
    std::string directory, path;
};

TEST_F(JournalTest, keeps_answers_and_the_last_one_counts)
{
    const std::string odd = "a b%c\n\"x\"@\xc3\xa4.test";
    ASSERT_TRUE(append_journal(path, answer_line(odd, {Standing::deferred, start, "later\n"}) + cleaned_line(start)));
    ASSERT_TRUE(append_journal(path, answer_line(odd, {Standing::deliverable, start + 5s, ""}) +
                                         answer_line("b@x", {Standing::undeliverable, start, "no 100%"})));
    auto bytes = load_journal(path);
    ASSERT_TRUE(bytes) << bytes.error().text();
    Seen seen;
    ASSERT_TRUE(seen.reader.read(*bytes));
    EXPECT_EQ(seen.reader.damaged, 0u);
    EXPECT_EQ(seen.reader.lines, 4u);
    EXPECT_EQ(seen.cleaned_at, start);
    ASSERT_EQ(seen.answers.size(), 2u);
    EXPECT_EQ(seen.answers[odd].standing, Standing::deliverable);
    EXPECT_EQ(seen.answers[odd].at, start + 5s);
    EXPECT_EQ(seen.answers[odd].text, "");
    EXPECT_EQ(seen.answers["b@x"].text, "no 100%");
    EXPECT_EQ(std::filesystem::status(path).permissions() & std::filesystem::perms::others_read,
              std::filesystem::perms::none);
}

TEST_F(JournalTest, whatever_is_torn_or_damaged_costs_no_more_than_itself)
{
    std::string lines;
    for (int i = 0; i < 5; ++i)
        lines += answer_line("u" + std::to_string(i) + "@x", {Standing::deliverable, start, "text"});
    ASSERT_TRUE(replace_journal(path, lines));
    const std::string whole = *load_journal(path);
    for (std::size_t cut = 16; cut < whole.size(); ++cut) {
        Seen seen;
        ASSERT_TRUE(seen.reader.read(std::string_view(whole).substr(0, cut)));
        for (const auto& [address, answer] : seen.answers) EXPECT_EQ(answer.text, "text");
        EXPECT_LE(seen.reader.damaged, 1u);
    }
    for (std::size_t at = 16; at < whole.size(); ++at) {
        std::string broken = whole;
        broken[at] = static_cast<char>(broken[at] ^ 1);
        Seen seen;
        ASSERT_TRUE(seen.reader.read(broken));
        EXPECT_GE(seen.answers.size(), 3u) << at;   // a changed line end damages two
        for (const auto& [address, answer] : seen.answers) {
            EXPECT_EQ(answer.text, "text");
            EXPECT_EQ(address.size(), 4u);
        }
    }
}

TEST_F(JournalTest, what_follows_a_torn_line_is_a_line_of_its_own)
{
    ASSERT_TRUE(append_journal(path, answer_line("a@x", {Standing::deliverable, start, ""}).substr(0, 20)));
    ASSERT_TRUE(append_journal(path, answer_line("b@x", {Standing::deliverable, start, ""})));
    Seen seen;
    ASSERT_TRUE(seen.reader.read(*load_journal(path)));
    EXPECT_EQ(seen.answers.count("b@x"), 1u);
    EXPECT_EQ(seen.reader.damaged, 1u);
}

TEST_F(JournalTest, takes_no_file_that_is_not_its_own)
{
    EXPECT_TRUE(load_journal(path).error().is(ErrorCode::not_found));
    std::ofstream(directory + "/other") << "btree pages\n";
    std::filesystem::create_symlink(directory + "/other", path);
    EXPECT_FALSE(load_journal(path));
    EXPECT_FALSE(append_journal(path, "x\n"));
    Seen seen;
    EXPECT_FALSE(seen.reader.read("btree pages\n"));
    EXPECT_EQ(std::filesystem::file_size(directory + "/other"), 12u) << "nothing was written through the link";
}

TEST(JournalPath, is_the_path_of_address_verify_map)
{
    struct Row {
        const char *map, *want;   // null: refused; "": in memory
    };
    const Row rows[] = {
        {"btree:/var/lib/postfix/verify_cache", "/var/lib/postfix/verify_cache"}, {"proxy:btree:/a/b", "/a/b"}, {"lmdb:/a", "/a"}, {"hash:/a", "/a"},
        {"", ""}, {"  ", ""}, {"internal:verify", ""}, {"memcache:/etc/x.cf", nullptr}, {"pgsql:/x", nullptr}, {"/var/x", nullptr}, {"btree:x", nullptr},
    };
    for (const Row& row : rows) {
        const auto got = journal_path(row.map);
        ASSERT_EQ(got.has_value(), row.want != nullptr) << row.map;
        if (row.want) EXPECT_EQ(got->value_or(""), row.want) << row.map;
    }
}

}  // namespace
}  // namespace ekiden::verify
