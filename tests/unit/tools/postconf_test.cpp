#include "tools/commands.hpp"
#include "unit/config/folder.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace ekiden::tools {
namespace {

using config::test::Folder;

struct Ran {
    int status;
    std::string out, err;
};

Ran run(const Folder& folder, std::vector<std::string> arguments)
{
    arguments.insert(arguments.begin(), {"postconf", "-c", folder.path()});
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = postconf_main(static_cast<int>(arguments.size()), argv.data());
    Ran ran{status, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
    for (auto* text : {&ran.out, &ran.err})
        for (auto at = text->find(folder.path()); at != std::string::npos; at = text->find(folder.path()))
            text->replace(at, folder.path().size(), "DIR");
    return ran;
}

std::string content(const Folder& folder, const std::string& name)
{
    std::ifstream file(folder.path() + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
}

constexpr std::string_view main_cf = "# c\nfoo = 1\n  # c2\n  x\n\nbar = 2\nfoo = 3\n y\n# end\n";
constexpr std::string_view master_cf =
    "# top\nsmtp inet n - n - - smtpd\n  # inner\n  -o a=b\n   -o c=d\nsmtp unix - - n - - smtp\n";

TEST(Postconf, edits_main_cf_and_keeps_comments)
{
    struct Case {
        std::vector<std::string> arguments;
        std::string_view want, error;
    };
    const Case cases[] = {
        {{"-e", "foo=z", "new = a  b", "e="},
         "# c\nfoo = z\n  # c2\n\nbar = 2\nfoo = z\n# end\nnew = a  b\ne =\n",
         "postconf: warning: DIR/main.cf: multiple entries for \"foo\"\n"},
        {{"bar=5"}, "# c\nfoo = 1\n  # c2\n  x\n\nbar = 5\nfoo = 3\n y\n# end\n", ""},
        {{"-X", "bar"}, "# c\nfoo = 1\n  # c2\n  x\n\nfoo = 3\n y\n# end\n", ""},
        {{"-#", "bar"}, "# c\nfoo = 1\n  # c2\n  x\n\n#bar = 2\nfoo = 3\n y\n# end\n", ""},
        {{"-e", "bad name = x"}, main_cf, "postconf: fatal: missing '=' after attribute name: \"bad name = x\"\n"},
        {{"-e", "foo=a\nb"}, main_cf, "postconf: fatal: -e, -X, or -# accepts no multi-line input\n"},
    };
    for (const auto& row : cases) {
        Folder folder(main_cf, master_cf);
        const auto ran = run(folder, row.arguments);
        EXPECT_EQ(content(folder, "main.cf"), row.want) << row.arguments.back();
        EXPECT_EQ(ran.err, row.error) << row.arguments.back();
        EXPECT_EQ(ran.status, row.error.find("fatal") == std::string_view::npos ? 0 : 1);
        EXPECT_FALSE(std::ifstream(folder.path() + "/main.cf.tmp").good()) << "the temporary file stayed";
    }
}

TEST(Postconf, edits_master_cf)
{
    struct Case {
        std::vector<std::string> arguments;
        std::string_view want;
    };
    constexpr std::string_view rest = "smtp unix - - n - - smtp\n";
    const Case cases[] = {
        {{"-P", "smtp/inet/new=z"},
         "# top\n  # inner\nsmtp       inet  n       -       n       -       -       smtpd\n    -o a=b\n    -o c=d\n    -o new=z\n"},
        {{"-P", "smtp/inet/c=e"},
         "# top\n  # inner\nsmtp       inet  n       -       n       -       -       smtpd\n    -o a=b\n    -o c=e\n"},
        {{"-PX", "smtp/inet/a"},
         "# top\n  # inner\nsmtp       inet  n       -       n       -       -       smtpd\n    -o c=d\n"},
        {{"-F", "smtp/inet/chroot=y"},
         "# top\n  # inner\nsmtp       inet  n       -       y       -       -       smtpd\n    -o a=b\n    -o c=d\n"},
        {{"-M#", "smtp/inet"}, "# top\n#smtp inet n - n - - smtpd\n  # inner\n#  -o a=b\n#   -o c=d\n"},
        {{"-MX", "smtp/inet"}, "# top\n  # inner\n"},
    };
    for (const auto& row : cases) {
        Folder folder("", master_cf);
        const auto ran = run(folder, row.arguments);
        EXPECT_EQ(ran.err, "");
        EXPECT_EQ(content(folder, "master.cf"), std::string(row.want) + std::string(rest)) << row.arguments.back();
    }
    Folder folder("", master_cf);
    EXPECT_EQ(run(folder, {"-F", "smtp/inet/chroot=q"}).err, "postconf: fatal: invalid chroot field \"q\" in \"q\"\n");
    EXPECT_EQ(run(folder, {"-F", "smtp/inet/bogus=q"}).err,
              "postconf: fatal: invalid service attribute name: \"bogus\"\n");
    EXPECT_EQ(content(folder, "master.cf"), master_cf) << "a refused edit changes nothing";
}

TEST(Postconf, warns_of_names_without_use)
{
    Folder folder("mydestination = $mine, $nosuch\nmine = a.test\nstray = 1\n",
                  "a inet n - n - - smtpd -o zz=b -o biff=no\n");
    const auto ran = run(folder, {"-n"});
    EXPECT_EQ(ran.out, "config_directory = DIR\nmine = a.test\nmydestination = $mine, $nosuch\n");
    EXPECT_EQ(ran.err, "postconf: warning: DIR/main.cf: undefined parameter: nosuch\n"
                       "postconf: warning: DIR/main.cf: unused parameter: stray=1\n"
                       "postconf: warning: DIR/master.cf: unused parameter: zz=b\n");
    EXPECT_EQ(run(folder, {"-hx", "mydestination"}).out, "a.test,\n");
    EXPECT_EQ(run(folder, {"nosuchparam"}).out, "");
}

}  // namespace
}  // namespace ekiden::tools
