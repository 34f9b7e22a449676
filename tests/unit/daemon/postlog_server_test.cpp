#include "daemon/postlog_server.hpp"

#include "base/log_sinks.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <sys/socket.h>
#include <unistd.h>

namespace ekiden::daemon {

TEST(PostlogServer, ServersNamesAreForAdministrators)
{
    struct Row {
        const char* tag;
        bool is_allowed;
    };
    for (const auto& [tag, is_allowed] : {Row{"mail/sendmail", true},
                                          {"mail/postlog", true},
                                          {"mail/postdrop", true},
                                          {"mail/smtpd", false},
                                          {"mail", false},
                                          {"mail/submission/smtpd", false},
                                          {"mail/a/sendmail", false},
                                          {"postfix/smtpd", false},
                                          {"postfix-out/sendmail", false},
                                          {"postfix", false},
                                          {"mailer", false},
                                          {"backup", true},
                                          {"a/b", false},
                                          {"a[1]: b", false},
                                          {"a b", false},
                                          {"x:", false}}) {
        EXPECT_EQ(may_use_tag(tag, "mail", false), is_allowed) << tag;
        EXPECT_TRUE(may_use_tag(tag, "mail", true)) << tag;
    }
}

TEST(PostlogServer, WritesLinesWithTheSendersProcess)
{
    char name[] = "/tmp/postlog-XXXXXX";
    const std::string folder = ::mkdtemp(name);
    std::vector<std::string> lines;
    base::use_sink(base::function_sink([&](base::LogLevel, std::string_view tag, std::string line) {
        lines.push_back(std::string(tag) + ": " + line);
    }));
    PostlogServer server;
    ASSERT_TRUE(server.open(folder + "/postlog", false, 0, 0));
    auto socket = base::connect_log_relay(folder + "/postlog");
    ASSERT_TRUE(socket);
    const auto send = [&](const std::string& bytes) {
        ASSERT_EQ(::send(socket->get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    };
    send("rubbish");
    send(base::format_log_datagram(base::LogLevel::error, "postfix/x", "with\na line end"));
    send(base::format_log_datagram(base::LogLevel::info, "postfix/y", "two"));
    server.receive("postfix", 2);
    EXPECT_EQ(lines, std::vector<std::string>{"postfix/x: error: with?a line end"});
    server.close("postfix");
    EXPECT_EQ(lines.size(), 2u);
    EXPECT_FALSE(std::filesystem::exists(folder + "/postlog"));
    server.receive("postfix");
    base::use_sink(base::stderr_sink());
    std::filesystem::remove_all(folder);
}

}  // namespace ekiden::daemon
