#include "daemon/spawn_line.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace ekiden::daemon {
namespace {

config::ServiceSpec service(const std::string& attributes, const std::string& columns = "policy unix - n n - 0")
{
    return config::parse_master_cf(columns + " spawn " + attributes + "\n", "master.cf").at(0);
}

TEST(SpawnLine, ReadsItsAttributes)
{
    struct Row {
        std::string attributes, user, group;
        std::vector<std::string> command;
    };
    const Row rows[] = {
        {"user=nobody argv=/bin/cat", "nobody", "", {"/bin/cat"}},
        {"-v -o syslog_name=x user=policyd-spf argv=/usr/bin/policyd-spf /etc/policyd-spf.conf", "policyd-spf", "", {"/usr/bin/policyd-spf", "/etc/policyd-spf.conf"}},
        {"user=nobody:nogroup argv=/bin/cat", "nobody", "nogroup", {"/bin/cat"}},
        {"user=nobody: argv=/bin/cat", "nobody", "", {"/bin/cat"}},
        {"user=root user=nobody argv=/bin/cat", "nobody", "", {"/bin/cat"}},
        // Everything after argv= is the command's, and no shell looks at it.
        {"user=nobody argv=/bin/sh -c { echo $x; exit 1 } user=root -v", "nobody", "", {"/bin/sh", "-c", "echo $x; exit 1", "user=root", "-v"}},
        {"user=nobody argv= cat -n", "nobody", "", {"cat", "-n"}},
    };
    for (const Row& row : rows) {
        const auto line = SpawnLine::from(service(row.attributes));
        ASSERT_TRUE(line) << row.attributes << ": " << line.error().text();
        EXPECT_EQ(line->user, row.user) << row.attributes;
        EXPECT_EQ(line->group, row.group) << row.attributes;
        EXPECT_EQ(line->command, row.command) << row.attributes;
    }
}

TEST(SpawnLine, RefusesInPostfixsWords)
{
    const std::tuple<std::string, std::string, std::string> rows[] = {
        {"policy unix - n n - 0", "argv=/bin/cat", "missing user= attribute"},
        {"policy unix - n n - 0", "user= argv=/bin/cat", "missing user= attribute"},
        {"policy unix - n n - 0", "user=nobody", "missing argv= attribute"},
        {"policy unix - n n - 0", "user=nobody argv=", "missing argv= attribute"},
        {"policy unix - n n - 0", "flags=R user=nobody argv=/bin/cat", "unknown attribute name: flags=R"},
        {"policy unix - n n - 0", "user nobody argv=/bin/cat", "unknown attribute name: user"},
        {"policy unix - n n - 0", "user=nobody /bin/cat", "unknown attribute name: /bin/cat"},
        {"policy unix - - n - 0", "user=nobody argv=/bin/cat", "service policy requires privileged operation"},
        {"policy unix - y n - 0", "user=nobody argv=/bin/cat", "service policy requires privileged operation"},
    };
    for (const auto& [columns, attributes, said] : rows) {
        const auto line = SpawnLine::from(service(attributes, columns));
        ASSERT_FALSE(line) << attributes;
        EXPECT_EQ(line.error().text(), said) << attributes;
    }
}

TEST(SpawnLine, HasANameOfItsOwnPerType)
{
    EXPECT_EQ(spawn_name(service("user=nobody argv=/bin/cat")), "unix/policy");
    EXPECT_EQ(spawn_name(service("user=nobody argv=/bin/cat", "127.0.0.1:10040 inet n n n - 0")),
              "inet/127.0.0.1:10040");
}

SpawnLine line_for(std::string user, std::string group = "")
{
    return {std::move(user), std::move(group), {"/bin/cat"}};
}

TEST(SpawnAccount, IsNeverRootNorTheMailOwner)
{
    const passwd* found = ::getpwnam("nobody");
    ASSERT_TRUE(found);
    const uid_t nobody = found->pw_uid;
    const gid_t nogroup = found->pw_gid;
    const Owner owner{.uid = nobody + 1, .gid = nogroup + 1, .setgid_group = nogroup + 2, .is_root = true};
    const auto account = find_account(line_for("nobody"), owner);
    ASSERT_TRUE(account);
    EXPECT_EQ(account->uid, nobody);
    EXPECT_EQ(account->gid, nogroup);

    const Owner nobody_owns{.uid = nobody, .gid = nogroup + 1, .setgid_group = nogroup, .is_root = true};
    const Owner his_group_owns{.uid = nobody + 1, .gid = nogroup, .setgid_group = nogroup, .is_root = true};
    const std::tuple<SpawnLine, Owner, std::string> rows[] = {
        {line_for("root"), owner, "request to deliver as root"},
        {line_for("no-such-user"), owner, "unknown user name: no-such-user"},
        {line_for("65534"), owner, "unknown user name: 65534"},
        {line_for("nobody", "no-such-group"), owner, "unknown group name: no-such-group"},
        {line_for("nobody", "root"), owner, "request to use privileged group id 0"},
        {line_for("nobody"), nobody_owns, "request to deliver as mail system owner"},
        {line_for("nobody"), his_group_owns, "request to use mail system owner group id " + std::to_string(nogroup)},
    };
    for (const auto& [line, who, said] : rows) {
        const auto refused = find_account(line, who);
        ASSERT_FALSE(refused) << said;
        EXPECT_EQ(refused.error().text(), said);
    }
}

TEST(SpawnAccount, IsOurOwnWithoutRoot)
{
    const passwd* found = ::getpwnam("nobody");
    ASSERT_TRUE(found);
    const Owner caller{.uid = found->pw_uid, .gid = found->pw_gid, .setgid_group = found->pw_gid, .is_root = false};
    EXPECT_TRUE(find_account(line_for("nobody"), caller));
    const auto other = find_account(line_for("daemon"), caller);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().text(), "request to run a command as daemon, and the mail system was not started by root");
    const auto other_group = find_account(line_for("nobody", "daemon"), caller);
    ASSERT_FALSE(other_group);
    EXPECT_EQ(other_group.error().text(),
              "request to run a command as nobody:daemon, and the mail system was not started by root");
}

class SpawnProblems : public testing::Test {
protected:
    ~SpawnProblems() override { std::filesystem::remove_all(folder_); }
    // What is said after "service NAME turns its clients away: " of each line.
    std::vector<std::string> of(const std::string& master)
    {
        std::filesystem::create_directories(folder_ / "queue");
        std::ofstream(folder_ / "main.cf")
            << "compatibility_level = 3.6\nmyhostname = mail.example.test\nqueue_directory = "
            << (folder_ / "queue").string() << "\n";
        std::ofstream(folder_ / "master.cf") << master;
        config::LoadOptions options;
        options.directory = folder_.string();
        std::vector<std::string> texts;
        for (const config::Problem& problem : find_spawn_problems(*config::Settings::load(options))) {
            EXPECT_EQ(problem.level, config::Problem::Level::warning);
            EXPECT_EQ(problem.at.line, 1);
            EXPECT_TRUE(problem.text.starts_with((folder_ / "master.cf: line 1: service ").string())) << problem.text;
            texts.push_back(problem.text.substr(problem.text.find("away: ") + 6));
        }
        return texts;
    }
    std::string said(const std::string& attributes, const std::string& columns = "policy unix - n n - 0")
    {
        // Accounts are another test's, and differ with and without root.
        auto texts = of(columns + " spawn " + attributes + "\n");
        std::erase_if(texts, [](const std::string& text) { return text.starts_with("request to "); });
        return texts.empty() ? "" : texts.back();
    }
    std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() / ("ekiden-spawn-problems-" + std::to_string(::getpid()));
};

TEST_F(SpawnProblems, AreFoundInTheCommand)
{
    EXPECT_EQ(said("user=nobody argv=/bin/cat"), "");
    EXPECT_EQ(said("user=nobody argv=cat"), "");
    EXPECT_EQ(said("user=nobody argv=/nonexistent/program"), "command /nonexistent/program: No such file or directory");
    EXPECT_EQ(said("user=nobody argv=no-such-program"), "command no-such-program: not found in /usr/bin:/bin");
    EXPECT_EQ(said("user=nobody argv=/etc/passwd"), "command /etc/passwd: is not executable");
    EXPECT_EQ(said("user=nobody argv=/etc"), "command /etc: is not a file");
    EXPECT_EQ(said("-o { export_environment = PATH=/nowhere } user=nobody argv=cat"),
              "command cat: not found in /nowhere");
    const std::string queue = (folder_ / "queue").string();
    EXPECT_EQ(said("user=nobody argv=bin/cat"), "command bin/cat: No such file or directory");
    EXPECT_EQ(said("user=nobody argv=/bin/cat", "policy unix - n y - 0"),
              "command /bin/cat (in the chroot " + queue + "): No such file or directory");
    EXPECT_EQ(said("user=nobody argv=cat", "policy unix - n y - 0"),
              "command cat (in the chroot " + queue + "): not found in /usr/bin:/bin");
    std::filesystem::create_directories(folder_ / "queue/bin");
    std::filesystem::copy_file("/bin/cat", folder_ / "queue/bin/cat");
    EXPECT_EQ(said("user=nobody argv=/bin/cat", "policy unix - n y - 0"), "");
    EXPECT_EQ(said("user=nobody argv=bin/cat"), "");
}

TEST_F(SpawnProblems, AreFoundInTheLine)
{
    EXPECT_EQ(said("argv=/bin/cat"), "missing user= attribute");
    EXPECT_EQ(said("user=nobody argv=/bin/cat", "policy fifo - n n - 0"), "spawn(8) does not listen on type fifo");
    EXPECT_TRUE(of("policy unix - n n - - pipe argv=/nonexistent\n").empty());
}

}  // namespace
}  // namespace ekiden::daemon
