#include "tools/commands.hpp"
#include "tools/postdrop_stream.hpp"
#include "unit/config/folder.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <getopt.h>
#include <iterator>
#include <regex>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::tools {
namespace {

std::string header_text()
{
    mail::Maildrop header;
    header.sender = "a@x.test";
    header.recipients.resize(1);
    header.recipients[0].address = "b@x.test";
    return mail::format(header);
}

TEST(DropDecoder, reads_pieces_however_they_are_cut)
{
    const std::string wire = header_text() + "3\nab\n" + "1\nc" + "0\n";
    for (std::size_t step = 1; step <= wire.size(); ++step) {
        DropDecoder decoder;
        std::string content;
        for (std::size_t at = 0; at < wire.size(); at += step) {
            EXPECT_FALSE(decoder.is_complete());
            ASSERT_TRUE(decoder.feed(std::string_view(wire).substr(at, step), content)) << step;
        }
        EXPECT_TRUE(decoder.is_complete());
        EXPECT_EQ(content, "ab\nc");
        EXPECT_EQ(decoder.header().sender, "a@x.test");
    }
}

TEST(DropDecoder, refuses_what_is_no_message)
{
    for (const std::string& bad :
         {std::string("hello\n"), header_text() + "x\n", header_text() + "-1\n", header_text() + "\n",
          header_text() + "99999999999\n", header_text() + "1048577\n", header_text() + "0\nmore"}) {
        DropDecoder decoder;
        std::string content;
        EXPECT_FALSE(decoder.feed(bad, content)) << bad;
    }
}

// A queue folder, and postdrop run in it with `input` on standard input.
class Postdrop : public testing::Test {
protected:
    Postdrop() : folder_("")
    {
        const std::string queue = folder_.path() + "/queue";
        std::filesystem::create_directories(maildrop());
        folder_.write("main.cf", "compatibility_level = 3.7\nqueue_directory = " + queue +
                                     "\nmail_owner = mail\nsetgid_group = daemon\nmessage_size_limit = 100\nmyhostname = mail.x.test\nmaillog_file = " +
                                     folder_.path() + "/log\n");
    }
    std::string maildrop() const { return folder_.path() + "/queue/maildrop"; }

    struct Ran {
        int status;
        std::string out, err;
    };
    Ran run(const std::string& input, std::vector<std::string> arguments = {"-r"}) const
    {
        folder_write("input", input);
        const int saved = ::dup(STDIN_FILENO), file = ::open((folder_.path() + "/input").c_str(), O_RDONLY);
        ::dup2(file, STDIN_FILENO);
        arguments.insert(arguments.begin(), {"postdrop", "-c", folder_.path()});
        std::vector<char*> argv;
        for (auto& word : arguments) argv.push_back(word.data());
        argv.push_back(nullptr);
        ::optind = 0;
        const mode_t mask = ::umask(022);
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        const int status = postdrop_main(static_cast<int>(arguments.size()), argv.data());
        Ran ran{status, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
        ::umask(mask);
        ::dup2(saved, STDIN_FILENO);
        ::close(saved);
        ::close(file);
        return ran;
    }
    std::vector<std::string> files() const
    {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(maildrop()))
            names.push_back(entry.path().filename().string());
        return names;
    }

private:
    void folder_write(const std::string& name, const std::string& text) const
    {
        std::ofstream(folder_.path() + "/" + name) << text;
    }
    config::test::Folder folder_;
};

TEST_F(Postdrop, writes_a_whole_message_while_no_server_runs)
{
    const Ran ran = run(header_text() + "4\nhey\n0\n");
    EXPECT_EQ(ran.status, 0) << ran.err;
    ASSERT_EQ(files().size(), 1u);
    const std::string name = files()[0];
    EXPECT_EQ(ran.out, "id " + name + "\nok\n");
    std::ifstream file(maildrop() + "/" + name);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), header_text() + "hey\n");
    struct stat found{};
    ::stat((maildrop() + "/" + name).c_str(), &found);
    EXPECT_EQ(found.st_mode & 0777, 0644u);    // the collector is another user
}

TEST_F(Postdrop, keeps_nothing_of_half_a_message)
{
    struct Case {
        std::string input, out, err;
        int status;
    };
    const std::string id = "id [0-9A-F]+\n";
    const Case cases[] = {
        {"", "", "", 0},
        {header_text(), id, "", 0},
        {header_text() + "4\nhey\n", id, "", 0},
        {header_text() + "4\nhe", id, "", 0},
        {"hello\n", "failed malformed input\n", "postdrop: warning: uid=[0-9]+: malformed input: .*\n", 1},
        {header_text() + "101\n" + std::string(101, 'x') + "0\n", id + "failed message file too big\n", "postdrop: warning: uid=[0-9]+: File too large\n", 1},
    };
    for (const Case& row : cases) {
        const Ran ran = run(row.input);
        EXPECT_EQ(ran.status, row.status) << row.input;
        EXPECT_TRUE(std::regex_match(ran.out, std::regex(row.out))) << ran.out;
        EXPECT_TRUE(std::regex_match(ran.err, std::regex(row.err))) << ran.err;
        EXPECT_TRUE(files().empty()) << row.input;
    }
}

TEST_F(Postdrop, says_so_when_the_folder_refuses)
{
    std::filesystem::remove_all(maildrop());
    const Ran ran = run(header_text() + "0\n");
    EXPECT_EQ(ran.status, 1);
    EXPECT_EQ(ran.out, "failed queue file write error\n");
    EXPECT_NE(ran.err.find("create file maildrop/"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace ekiden::tools
