// What commands are run as, and what their end means.
#include "deliver/local/command.hpp"

#include "config/expand.hpp"

#include <gtest/gtest.h>

namespace ekiden::deliver {
namespace {

using Kind = HelperAnswer::Kind;

TEST(split_command, uses_a_shell_only_for_what_needs_one)
{
    auto words = split_command("/usr/bin/procmail -a  x");
    ASSERT_TRUE(words);
    EXPECT_EQ(*words, (std::vector<std::string>{"/usr/bin/procmail", "-a", "x"}));
    for (const char* line :
         {"exit 75", "echo oops; exit 1", "cat > /tmp/x", "/bin/x \"$EXTENSION\"", "a | b", "", "A=b c"})
        EXPECT_FALSE(split_command(line)) << line;
    EXPECT_EQ(command_arguments("exit 1", ""), std::vector<std::string>{});
    EXPECT_EQ(command_arguments("/bin/x y", "/usr/bin/smrsh -c"),
              (std::vector<std::string>{"/usr/bin/smrsh", "-c", "/bin/x y"}));
}

struct End {
    Kind kind;
    int status;
    std::string_view output;
    Outcome::Kind fate;
    std::string_view code, text;
};
const End ends[] = {
    {Kind::exited, 0, "", Outcome::Kind::delivered, "2.0.0", "ok"},
    {Kind::exited, 0, "5.7.1 said for fun", Outcome::Kind::delivered, "2.0.0", "ok"},
    {Kind::exited, 1, "oops\n", Outcome::Kind::bounced, "5.3.0", "Command died with status 1: \"cmd\". Command output: oops "},
    {Kind::exited, 75, "", Outcome::Kind::deferred, "4.3.0", "temporary failure"},
    {Kind::exited, 75, "text on stdout\nsecond line\n", Outcome::Kind::deferred, "4.3.0", "temporary failure. Command output: text on stdout second line "},
    {Kind::exited, 69, "5.7.1 go away\n", Outcome::Kind::bounced, "5.7.1", "go away "},
    {Kind::exited, 1, "4.2.2 full", Outcome::Kind::deferred, "4.2.2", "full"},
    {Kind::exited, 67, "", Outcome::Kind::bounced, "5.1.1", "user unknown"},
    {Kind::exited, 67, "2.0.0 fine", Outcome::Kind::bounced, "5.1.1", "user unknown. Command output: 2.0.0 fine"},
    {Kind::exited, 71, "", Outcome::Kind::deferred, "4.3.0", "system resource problem"},
    {Kind::exited, 1, "5.7.1", Outcome::Kind::bounced, "5.7.1", ""},
    {Kind::killed, 9, "", Outcome::Kind::deferred, "4.3.0", "Command died with signal 9: \"cmd\""},
    {Kind::timed_out, 0, "", Outcome::Kind::bounced, "5.3.0", "Command time limit exceeded: \"cmd\""},
};

TEST(command_outcome, follows_exit_status_and_the_commands_own_words)
{
    for (const End& end : ends) {
        HelperAnswer answer;
        answer.kind = end.kind;
        answer.exit_status = end.status;
        answer.text = end.output;
        Outcome outcome = command_outcome(answer, "cmd", "local", "ok");
        EXPECT_EQ(outcome.kind, end.fate) << end.status << end.output;
        EXPECT_EQ(outcome.status.code, end.code);
        EXPECT_EQ(outcome.status.text, end.text);
    }
    HelperAnswer missing;
    missing.what = "execvp";
    missing.text = "execvp /no/such/cmd: No such file or directory";
    EXPECT_EQ(command_outcome(missing, "x", "local", "").status.text,
              "temporary failure. Command output: local: fatal: execvp /no/such/cmd: No such file or directory ");
    HelperAnswer spoke;
    spoke.kind = Kind::exited;
    spoke.text = "two\nlines \n";
    EXPECT_EQ(command_outcome(spoke, "x", "pipe", "delivered").status.text, "delivered (two lines)");
    EXPECT_EQ(command_outcome(spoke, "x", "local", "delivered").status.text, "delivered");
    EXPECT_EQ(command_outcome(missing, "x", "local", "").kind, Outcome::Kind::deferred);
}

TEST(expand_names, never_expands_what_a_stranger_wrote)
{
    const Environment values = {
        {"home", "/h"}, {"extension", "$home"}, {"recipient_delimiter", "+"}, {"user", "a b/../"}};
    EXPECT_EQ(expand_names("$home/.forward${recipient_delimiter}$extension", values, ""), "/h/.forward+$home");
    EXPECT_EQ(expand_names("$home/$user", values, "/hab."), "/h/a_b/../");
    EXPECT_EQ(expand_names("${nothing?x}${nothing:y}", values, ""), "y");
    EXPECT_EQ(mask("a;b`c", "abc"), "a_b_c");
}

}  // namespace
}  // namespace ekiden::deliver
