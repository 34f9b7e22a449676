#include "base/log_relay.hpp"

#include "base/text.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace ekiden::base {

namespace {

struct Folder {
    Folder()
    {
        char name[] = "/tmp/log-relay-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string path;
};

std::string content_of(const std::string& path) { return read_file(path, 1 << 20).value_or("(unreadable)"); }

}  // namespace

TEST(LogRelay, DatagramsAreReadAsTheyWereWritten)
{
    const auto datagram = format_log_datagram(LogLevel::warning, "postfix/sendmail", "queue file write error");
    const auto line = parse_log_datagram(datagram);
    ASSERT_TRUE(line);
    EXPECT_EQ(line->level, LogLevel::warning);
    EXPECT_EQ(line->tag, "postfix/sendmail");
    EXPECT_EQ(line->text, "queue file write error");
}

TEST(LogRelay, LongLinesAndTagsAreCut)
{
    const auto datagram = format_log_datagram(LogLevel::info, std::string(1000, 't'), std::string(100'000, 'x'));
    EXPECT_EQ(datagram.size(), max_log_datagram);
    const auto line = parse_log_datagram(datagram);
    ASSERT_TRUE(line);
    EXPECT_EQ(line->tag.size(), max_log_tag);
    EXPECT_EQ(line->text.size(), max_log_datagram - max_log_tag - 2);
}

TEST(LogRelay, WhatIsNoLineIsRefused)
{
    using namespace std::string_view_literals;
    for (const auto bytes :
         {""sv, "1"sv, "1\0text"sv, "1tag without text"sv, "6tag\0text"sv, "/tag\0text"sv, "\xfftag\0text"sv}) {
        EXPECT_FALSE(parse_log_datagram(bytes)) << printable(bytes);
    }
    EXPECT_FALSE(parse_log_datagram("1" + std::string(max_log_tag + 1, 't') + '\0' + "text"));
    EXPECT_FALSE(parse_log_datagram("1t" + std::string(1, '\0') + std::string(max_log_datagram, 'x')));
    EXPECT_TRUE(parse_log_datagram("1t\0"sv));
}

TEST(LogRelay, NobodyListensAndThePathIsTooLong)
{
    EXPECT_FALSE(connect_log_relay("/nonexistent/postlog"));
    EXPECT_TRUE(connect_log_relay(std::string(200, 'x')).error().is(ErrorCode::too_long));
}

TEST(LogRelay, LinesGoElsewhereWhenTheMasterIsGone)
{
    Folder folder;
    const std::string path = folder.path + "/postlog";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    Fd server(::socket(AF_UNIX, SOCK_DGRAM, 0));
    ASSERT_EQ(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    auto socket = connect_log_relay(path);
    ASSERT_TRUE(socket);
    std::vector<std::string> lines;
    auto sink = relay_sink(std::move(*socket), [&] {
        return function_sink(
            [&](LogLevel, std::string_view tag, std::string line) { lines.push_back(std::string(tag) + ": " + line); });
    });
    sink->write(LogLevel::info, "a", "", "first");
    char buffer[100];
    const ssize_t length = ::recv(server.get(), buffer, sizeof buffer, 0);
    EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(length)), std::string("1a\0first", 8));
    EXPECT_TRUE(lines.empty());
    server.reset();
    sink->write(LogLevel::warning, "a", "warning: ", "second");
    sink->write(LogLevel::info, "a", "", "third");
    EXPECT_EQ(lines, (std::vector<std::string>{"a: warning: second", "a: third"}));
}

TEST(LogFile, IsMadeWithTheModeThatIsAskedFor)
{
    Folder folder;
    const ::mode_t before = ::umask(0077);
    { auto sink = open_file_sink(folder.path + "/log", "host", 0644); ASSERT_TRUE(sink); (*sink)->write_for(4711, LogLevel::info, "postfix/x", "", "text"); }
    ::umask(before);
    struct stat info{};
    ASSERT_EQ(::stat((folder.path + "/log").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0644u);
    EXPECT_TRUE(content_of(folder.path + "/log").ends_with(" host postfix/x[4711]: text\n"));
    for (const auto& [text, mode] : {std::pair("0600", 0600u), {"640", 0640u}, {"0644", 0644u}})
        EXPECT_EQ(parse_log_mode(text), mode);
    for (const auto text : {"", "0666", "06400", "x", "00640"}) EXPECT_FALSE(parse_log_mode(text)) << text;
}

TEST(LogFile, AFifoWithoutAReaderHoldsUpNobody)
{
    Folder folder;
    const std::string path = folder.path + "/fifo";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    auto sink = open_file_sink(path, "host");
    ASSERT_TRUE(sink);
    (*sink)->write(LogLevel::info, "a", "", "before anybody reads");
    (*sink)->flush();
    Fd reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
    std::string text(4096, '\0');
    const auto count = ::read(reader.get(), text.data(), text.size());
    ASSERT_GT(count, 0);
    EXPECT_NE(text.find("before anybody reads"), text.npos);
    // More than a pipe holds: who flushes comes back all the same, and so does the end.
    for (int i = 0; i < 3000; ++i) (*sink)->write(LogLevel::info, "a", "", std::string(100, 'x'));
    (*sink)->flush();
}

}  // namespace ekiden::base
