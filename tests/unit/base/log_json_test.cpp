#include "base/log_json.hpp"

#include <gtest/gtest.h>

namespace ekiden::base {
namespace {

std::string record(std::string_view text, LogLevel level = LogLevel::info)
{
    const WallTime when{std::chrono::microseconds(1'763'786'082'000'045)};
    return json_record({.when = when, .host = "mail", .tag = "postfix/smtpd", .pid = 7, .level = level, .text = text});
}

TEST(LogJson, SaysWhenWhoAndHowBad)
{
    EXPECT_EQ(
        record("hello", LogLevel::warning),
        R"x({"time":"2025-11-22T04:34:42.000045Z","host":"mail","service":"postfix/smtpd","pid":7,"level":"warning","event":"message","message":"hello"})x");
}

TEST(LogJson, TellsTheEventsApart)
{
    struct Case { std::string_view text, fields; };
    const Case cases[] = {
        {"4D3C21AB: client=h.test[192.0.2.1], sasl_method=PLAIN, sasl_username=bob",
         R"x("queue_id":"4D3C21AB","event":"client","client":"h.test[192.0.2.1]","sasl_method":"PLAIN","sasl_username":"bob")x"},
        {"4D3C21AB: message-id=<1@h.test>", R"x("queue_id":"4D3C21AB","event":"message-id","message_id":"1@h.test")x"},
        {"4D3C21AB: uid=0 from=<root>", R"x("queue_id":"4D3C21AB","event":"pickup","uid":0,"from":"root")x"},
        {"4D3C21AB: from=<>, size=123, nrcpt=2 (queue active)",
         R"x("queue_id":"4D3C21AB","event":"queue","from":"","size":123,"nrcpt":2,"text":"queue active")x"},
        {"4D3C21AB: from=<a@b.test>, status=expired, returned to sender",
         R"x("queue_id":"4D3C21AB","event":"expired","from":"a@b.test","status":"expired","text":"returned to sender")x"},
        {R"x(4D3C21AB: to=<"a> b, c"@b.test>, orig_to=<o>, relay=h.test[192.0.2.1]:25, conn_use=2, delay=0.13, delays=0/0/0.1/0.03, dsn=2.0.0, status=sent (250 2.0.0 ok (really)))x",
         R"x("queue_id":"4D3C21AB","event":"delivery","to":"\"a> b, c\"@b.test","orig_to":"o","relay":"h.test[192.0.2.1]:25","conn_use":2,"delay":0.13,"delays":"0/0/0.1/0.03","dsn":"2.0.0","status":"sent","text":"250 2.0.0 ok (really)")x"},
        {"4D3C21AB: removed", R"x("queue_id":"4D3C21AB","event":"removed")x"},
        {"4D3C21AB: sender non-delivery notification: 4D3C21AC",
         R"x("queue_id":"4D3C21AB","event":"notification","notification":"non-delivery","notification_id":"4D3C21AC")x"},
        {"NOQUEUE: reject: RCPT from h.test[192.0.2.1]: 554 5.7.1 <c@d.test>: Relay access denied; from=<a@b.test> to=<c@d.test> proto=ESMTP helo=<h.test>",
         R"x("event":"reject","stage":"RCPT","client_name":"h.test","client_address":"192.0.2.1","text":"554 5.7.1 <c@d.test>: Relay access denied","from":"a@b.test","to":"c@d.test","proto":"ESMTP","helo":"h.test")x"},
        {"connect from h.test[2001:db8::1]",
         R"x("event":"connect","client_name":"h.test","client_address":"2001:db8::1")x"},
        {"disconnect from h.test[192.0.2.1] ehlo=1 quit=1 commands=2",
         R"x("event":"disconnect","client_name":"h.test","client_address":"192.0.2.1","commands":"ehlo=1 quit=1 commands=2")x"},
        {"lost connection after DATA (0 bytes) from unknown[192.0.2.1]",
         R"x("event":"lost connection","stage":"DATA (0 bytes)","client_name":"unknown","client_address":"192.0.2.1")x"},
        {"h.test[192.0.2.1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=bob",
         R"x("event":"login failure","client_name":"h.test","client_address":"192.0.2.1","sasl_method":"PLAIN","text":"(reason unavailable)","sasl_username":"bob")x"},
        {"Untrusted TLS connection established to h.test[192.0.2.1]:25: TLSv1.3 with cipher X (256/256 bits)",
         R"x("event":"tls","trust":"Untrusted","tls":"TLSv1.3 with cipher X (256/256 bits)")x"},
    };
    for (const auto& [text, fields] : cases) {
        const std::string got = record(text);
        const auto from = got.find(R"x("level":"info",)x") + 15, to = got.rfind(R"x(,"message":)x");
        EXPECT_EQ(got.substr(from, to - from), fields) << text;
    }
}

TEST(LogJson, HoldsWhatStrangersSay)
{
    const std::string forged = record("4D3C21AB: to=<a@b.test>, to=<x>, pid=3, status=sent (x)");
    EXPECT_NE(forged.find(R"x("to":"a@b.test","text":"pid=3, status=sent (x)")x"), forged.npos) << forged;
    EXPECT_NE(record("a\xff\"\n").find(R"x("message":"a\ufffd\"\u000a")x"), std::string::npos);
    const std::string cut = record(std::string(max_json_message + 1, 'x'));
    EXPECT_TRUE(cut.ends_with(R"x(","cut":true})x"));
    EXPECT_LT(cut.size(), max_json_message + 300);
}

}  // namespace
}  // namespace ekiden::base
