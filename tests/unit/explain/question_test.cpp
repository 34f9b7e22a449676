#include "explain/question.hpp"

#include <gtest/gtest.h>

namespace ekiden::explain {
namespace {

TEST(Question, ReadsEveryOption)
{
    const auto question = parse_question({"--from", "a@b.test", "--to=c@d.test", "--client", "192.0.2.7", "--helo",
                                          "mx.b.test", "--sasl-user", "alice", "--tls", "--service", "submission",
                                          "--message", "/tmp/m", "--ask-policy", "--json", "-c", "/etc/x"});
    ASSERT_TRUE(question) << question.error().text();
    EXPECT_EQ(question->sender, "a@b.test");
    EXPECT_EQ(question->recipient, "c@d.test");
    EXPECT_EQ(net::format_address(question->client), "192.0.2.7");
    EXPECT_EQ(question->helo, "mx.b.test");
    EXPECT_EQ(question->login, "alice");
    EXPECT_EQ(question->service, "submission");
    EXPECT_EQ(question->message_file, "/tmp/m");
    EXPECT_EQ(question->directory, "/etc/x");
    EXPECT_TRUE(question->is_encrypted && question->is_json && question->asks_policy);
}

TEST(Question, ComesFromThisMachineUnlessToldOtherwise)
{
    const auto question = parse_question({"--from", "<>", "--to", "<c@d.test>"});
    ASSERT_TRUE(question);
    EXPECT_EQ(question->sender, "");
    EXPECT_EQ(question->recipient, "c@d.test");
    EXPECT_EQ(net::format_address(question->client), "127.0.0.1");
    EXPECT_FALSE(question->is_encrypted || question->is_json || question->asks_policy);
}

TEST(Question, NamesWhatIsWrong)
{
    const struct {
        std::vector<std::string> words;
        std::string text;
    } rows[] = {
        {{}, "--from and --to are needed"},
        {{"--from", "a@b.test"}, "--from and --to are needed"},
        {{"--from", "a@b.test", "--to"}, "--to needs a value"},
        {{"--from", "a@b.test", "--to", ""}, "--to is empty"},
        {{"--from", "a@b.test", "--to", "x@y", "--client", "host.test"}, "--client wants an IP address"},
        {{"--from", "a@b.test", "--to", "x@y\r\nDATA"}, "not on one line"},
        {{"--from", "a@b.test", "--to", std::string(2000, 'x')}, "too long"},
        {{"--tls=yes", "--from", "a", "--to", "b"}, "--tls takes no value"},
        {{"--from", "a@b.test", "--to", "x@y.test", "--to=z@y.test"}, "--to is given twice"},
        {{"--frm", "a"}, "there is no option --frm"},
        {{"somebody"}, "there is no option somebody"},
    };
    for (const auto& row : rows) {
        const auto question = parse_question(row.words);
        ASSERT_FALSE(question) << row.text;
        EXPECT_NE(question.error().text().find(row.text), std::string::npos) << question.error().text();
    }
}

}  // namespace
}  // namespace ekiden::explain
