#include "report/postmaster.hpp"

#include <gtest/gtest.h>

namespace ekiden::report {
namespace {

TEST(SessionLetter, HasTheTranscriptFolded)
{
    Postmaster::Report report;
    report.client = "client2.remote.test[127.0.0.2]";
    report.transcript =
        "Out: 220 mail.golden.test ESMTP Postfix\n"
        "In:  RCPT TO:<nosuch@golden.test>\n"
        "Out: 550 5.1.1 <nosuch@golden.test>: Recipient address rejected: User unknown in local recipient table\n"
        "In:  QUIT\n"
        "Out: 221 2.0.0 Bye\n";
    EXPECT_EQ(format_session_letter(report, "MAILER-DAEMON@mail.golden.test", "postmaster@mail.golden.test", "NOW",
                                    "Postfix"),
              "Date: NOW\n"
              "From: Mail Delivery System <MAILER-DAEMON@mail.golden.test>\n"
              "To: Postmaster <postmaster@mail.golden.test>\n"
              "Subject: Postfix SMTP server: errors from client2.remote.test[127.0.0.2]\n"
              "\n"
              "Transcript of session follows.\n"
              "\n"
              " Out: 220 mail.golden.test ESMTP Postfix\n"
              " In:  RCPT TO:<nosuch@golden.test>\n"
              " Out: 550 5.1.1 <nosuch@golden.test>: Recipient address rejected: User unknown\n"
              "     in local recipient table\n"
              " In:  QUIT\n"
              " Out: 221 2.0.0 Bye\n"
              "\n"
              "\n"
              "For other details, see the local mail logfile\n");
}

TEST(SessionLetter, SaysWhyTheSessionEnded)
{
    const std::string letter = format_session_letter(
        {.client = "x[192.0.2.1]", .transcript = "In:  FOO\n", .reason = "timeout"}, "a@b", "c@d", "NOW", "Postfix");
    EXPECT_TRUE(letter.ends_with(
        " In:  FOO\n\nSession aborted, reason: timeout\n\nFor other details, see the local mail logfile\n"))
        << letter;
}

}  // namespace
}  // namespace ekiden::report
