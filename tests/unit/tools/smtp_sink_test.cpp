#include "tools/smtp_sink_session.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ekiden::tools {
namespace {

using Next = SinkSession::Next;

struct Turn {
    std::string said;
    std::string answer;
    Next next = Next::read;
};

struct Conversation {
    const char* name;
    bool offers_starttls;
    bool wants_login;
    std::vector<Turn> turns;
};

class SinkConversations : public testing::TestWithParam<Conversation> {};

TEST_P(SinkConversations, AnswerAsOffered)
{
    const Conversation& c = GetParam();
    SinkSettings settings;
    settings.announces_xclient = settings.announces_xforward = settings.announces_dsn = settings.announces_8bitmime =
        settings.announces_enhanced_codes = settings.announces_pipelining = false;
    settings.offers_starttls = c.offers_starttls;
    if (c.wants_login) settings.user = {.name = "test", .password = "1:2"};
    SinkSession session(settings, "");
    std::string out;
    session.start(out);
    for (const Turn& turn : c.turns) {
        out.clear();
        EXPECT_EQ(session.receive(turn.said, out), turn.next) << turn.said;
        EXPECT_EQ(out, turn.answer) << turn.said;
        if (turn.next == Next::start_tls) session.tls_started();
    }
}

const std::string hello = "250-smtp-sink\r\n250-AUTH PLAIN LOGIN\r\n250 \r\n";
const std::string right = "235 2.7.0 Authentication successful\r\n",
                  wrong = "535 5.7.8 Error: authentication failed\r\n",
                  malformed = "501 5.5.2 Error: malformed authentication response\r\n";

const Conversation conversations[] = {
    {"NothingOffered", false, false,
     {{"EHLO h\r\n", hello},
      {"STARTTLS\r\n", "500 5.5.1 Error: unknown command\r\n"},
      {"AUTH PLAIN x\r\n", "250 2.0.0 Ok\r\n"},
      {"MAIL FROM:<>\r\n", "250 2.1.0 Ok\r\n"}}},
    {"StartTls", true, false,
     {{"EHLO h\r\n", "250-smtp-sink\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250 \r\n"},
      {"MAIL FROM:<>\r\n", "250 2.1.0 Ok\r\n"},
      {"STARTTLS\r\nRSET\r\n", "220 2.0.0 Ready to start TLS\r\n", Next::start_tls},
      {"EHLO h\r\n", hello},
      {"STARTTLS\r\n", "503 5.5.1 Error: TLS is already active\r\n"},
      {"MAIL FROM:<>\r\n", "250 2.1.0 Ok\r\n"}}},
    {"LoginIsForgottenWithTls", true, true,
     {{"AUTH PLAIN AHRlc3QAMToy\r\n", right},
      {"STARTTLS\r\n", "220 2.0.0 Ready to start TLS\r\n", Next::start_tls},
      {"MAIL FROM:<>\r\n", "530 5.7.0 Authentication required\r\n"}}},
    {"Plain", false, true,
     {{"MAIL FROM:<>\r\n", "530 5.7.0 Authentication required\r\n"},
      {"AUTH PLAIN AHRlc3QAMToz\r\n", wrong},
      {"AUTH PLAIN =\r\n", wrong},
      {"AUTH PLAIN !\r\n", malformed},
      {"auth plain\r\n", "334 \r\n"},
      {"AHRlc3QAMToy\r\n", right},
      {"AUTH PLAIN AHRlc3QAMToy\r\n", "503 5.5.1 Error: already authenticated\r\n"},
      {"MAIL FROM:<>\r\n", "250 2.1.0 Ok\r\n"}}},
    {"Login", false, true,
     {{"AUTH CRAM-MD5\r\n", "504 5.5.4 Error: authentication mechanism not supported\r\n"},
      {"AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n"},
      {"*\r\n", "501 5.7.0 Authentication aborted\r\n"},
      {"AUTH LOGIN dGVzdA==\r\n", "334 UGFzc3dvcmQ6\r\n"},
      {"MTozMw==\r\n", wrong},
      {"AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n"},
      {"dGVzdA==\r\n", "334 UGFzc3dvcmQ6\r\n"},
      {"MToy\r\n", right},
      {"MAIL FROM:<>\r\n", "250 2.1.0 Ok\r\n"}}},
};

INSTANTIATE_TEST_SUITE_P(Sink, SinkConversations, testing::ValuesIn(conversations),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ekiden::tools
