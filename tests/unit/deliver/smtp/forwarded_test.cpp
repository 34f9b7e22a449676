// What is said of the client with XFORWARD, and what its replies change: nothing.
#include "deliver/smtp/forwarded.hpp"

#include "deliver/smtp/dialogue.hpp"

#include <gtest/gtest.h>

namespace ekiden::deliver::smtp {
namespace {

ekiden::smtp::Offer offer_of(const char* attributes)
{
    ekiden::smtp::Reply reply(250, "far.test");
    reply.lines.push_back(std::string("XFORWARD ") + attributes);
    reply.lines.emplace_back("PIPELINING");
    return parse_offer(reply);
}

TEST(forward_commands, say_what_is_known_and_wanted)
{
    constexpr const char* all = "NAME ADDR PORT PROTO HELO IDENT SOURCE";
    const struct {
        const char* attributes;
        mail::Origin origin;
        const char *address, *session;
    } cases[] = {
        {all,
         {.client_name = "c.test",
          .client_address = "192.0.2.1",
          .client_port = "25",
          .helo_name = "h.test",
          .protocol = "ESMTP"},
         "XFORWARD NAME=c.test ADDR=192.0.2.1 PORT=25\r\n",
         "XFORWARD PROTO=ESMTP HELO=h.test IDENT=ID SOURCE=REMOTE\r\n"},
        {all,
         {.client_name = "unknown",
          .client_address = "2001:db8::1",
          .client_port = "0",
          .helo_name = "a+b =",
          .protocol = "SMTP",
          .rewrite_context = "local"},
         "XFORWARD ADDR=IPv6:2001:db8::1\r\n",
         "XFORWARD PROTO=SMTP HELO=a+2Bb+20+3D IDENT=ID SOURCE=LOCAL\r\n"},
        {all,
         {.client_name = "c.test", .log_ident = "FIRST"},
         "XFORWARD NAME=c.test\r\n",
         "XFORWARD IDENT=FIRST SOURCE=REMOTE\r\n"},
        {"addr helo x",
         {.client_name = "c.test", .client_address = "192.0.2.1", .helo_name = "h.test", .protocol = "SMTP"},
         "XFORWARD ADDR=192.0.2.1\r\n",
         "XFORWARD HELO=h.test\r\n"},
        {"", {.client_name = "c.test"}, "", ""},
        {all,
         {.client_name = "c\r\nMAIL FROM:<x@y>"},
         "XFORWARD NAME=c+0D+0AMAIL+20FROM:<x@y>\r\n",
         "XFORWARD IDENT=ID SOURCE=REMOTE\r\n"},
    };
    for (const auto& c : cases) {
        mail::Envelope envelope;
        envelope.id = mail::QueueId{1795325830000001};
        envelope.origin = c.origin;
        const auto got = forward_commands(envelope, offer_of(c.attributes));
        std::string session = c.session;
        if (const auto at = session.find("IDENT=ID"); at != session.npos)
            session.replace(at + 6, 2, mail::format(envelope.id));
        EXPECT_EQ(got.address, c.address);
        EXPECT_EQ(got.session, session);
    }
}

TEST(forward_commands, go_before_the_mail_which_does_not_depend_on_them)
{
    for (const int code : {250, 450, 501, 421}) {
        Message message;
        message.sender = "a@b.test";
        message.recipients.push_back({"x@far.test", "", mail::notify_default});
        message.forward_address = "XFORWARD ADDR=192.0.2.1\r\n";
        message.forward_session = "XFORWARD PROTO=SMTP\r\n";
        Dialogue dialogue(message, offer_of("ADDR PROTO"), false, "far.test[192.0.2.9]", true);
        EXPECT_EQ(
            dialogue.take_output(),
            "RSET\r\nXFORWARD ADDR=192.0.2.1\r\nXFORWARD PROTO=SMTP\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@far.test>\r\nDATA\r\n");
        dialogue.on_reply({250, "ok"});
        EXPECT_EQ(dialogue.step(), Step::forward_address);
        for (int i = 0; i < 2; ++i) dialogue.on_reply({code, "hm"});
        for (int i = 0; i < 2; ++i) dialogue.on_reply({250, "ok"});
        dialogue.on_reply({354, "go"});
        ASSERT_TRUE(dialogue.wants_content()) << code;
        dialogue.content_sent();
        dialogue.on_reply({250, "2.0.0", "taken"});
        ASSERT_TRUE(dialogue.is_done());
        EXPECT_EQ(dialogue.fates()[0]->kind, Outcome::Kind::delivered) << code;
    }
}

}  // namespace
}  // namespace ekiden::deliver::smtp
