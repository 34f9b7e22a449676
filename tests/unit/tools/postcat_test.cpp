#include "tools/postcat_records.hpp"

#include <gtest/gtest.h>

namespace ekiden::tools {
namespace {

class ZoneUtc {
public:
    ZoneUtc()
    {
        ::setenv("TZ", "UTC", 1);
        ::tzset();
    }
} const zone;

// 22 November 2026, 05:37:00.012717 UTC: the id's first five digits are the microseconds.
const WallTime arrival = WallTime(Duration(std::chrono::microseconds(1795325820'012717)));

queue::Loaded four_recipients()
{
    auto envelope = std::make_shared<mail::Envelope>();
    envelope->id = mail::QueueId{1795325820'012717ull};
    envelope->arrived_at = arrival;
    envelope->sender = "user2@golden.test";
    for (const char* address : {"p1@ok.test", "tmp1@remote.test", "tmp2@remote.test", "p2@ok.test"}) {
        mail::Recipient recipient;
        recipient.address = address;
        recipient.dsn_original = std::string("rfc822;") + address;
        envelope->recipients.push_back(std::move(recipient));
    }
    envelope->size = 311;
    mail::Origin& origin = envelope->origin;
    origin.client_name = origin.reverse_name = "localhost";
    origin.client_address = origin.server_address = "127.0.0.1";
    origin.client_port = "57159";
    origin.server_port = "2525";
    origin.helo_name = "client2.remote.test";
    origin.protocol = "ESMTP";
    origin.log_ident = "031AD1C690B";
    origin.rewrite_context = "local";
    queue::Loaded loaded;
    loaded.envelope = envelope;
    for (std::uint32_t i = 0; i < 4; ++i) loaded.pending.push_back({.index = i});
    loaded.state = queue::State::deferred;
    return loaded;
}

constexpr std::string_view content = "Received: from x\n\tby y\nSubject: out\n\nhello\n.\n";

std::string print(PrintOptions options, const queue::Loaded& message, std::string_view text = content,
                  std::size_t step = 1000)
{
    std::string out;
    RecordPrinter printer(options, "deferred/0/ID", [&](std::string_view piece) { out += piece; });
    printer.envelope(envelope_records(message));
    for (std::size_t at = 0; at < text.size(); at += step) printer.content(text.substr(at, step));
    printer.finish(extracted_records(message));
    return out;
}

TEST(Postcat, prints_the_records_of_a_message_from_the_network)
{
    const std::string want =
        "*** ENVELOPE RECORDS deferred/0/ID ***\n"
        "message_size:             311             869               4               4             311               0\n"
        "message_arrival_time: Sun Nov 22 05:37:00 2026\n"
        "create_time: Sun Nov 22 05:37:00 2026\n"
        "named_attribute: log_ident=031AD1C690B\n"
        "named_attribute: rewrite_context=local\n"
        "sender: user2@golden.test\n"
        "named_attribute: log_client_name=localhost\n"
        "named_attribute: log_client_address=127.0.0.1\n"
        "named_attribute: log_client_port=57159\n"
        "named_attribute: log_message_origin=localhost[127.0.0.1]\n"
        "named_attribute: log_helo_name=client2.remote.test\n"
        "named_attribute: log_protocol_name=ESMTP\n"
        "named_attribute: client_name=localhost\n"
        "named_attribute: reverse_client_name=localhost\n"
        "named_attribute: client_address=127.0.0.1\n"
        "named_attribute: client_port=57159\n"
        "named_attribute: server_address=127.0.0.1\n"
        "named_attribute: server_port=2525\n"
        "named_attribute: helo_name=client2.remote.test\n"
        "named_attribute: protocol_name=ESMTP\n"
        "named_attribute: client_address_type=2\n"
        "named_attribute: dsn_orig_rcpt=rfc822;p1@ok.test\n"
        "original_recipient: p1@ok.test\n"
        "recipient: p1@ok.test\n"
        "named_attribute: dsn_orig_rcpt=rfc822;tmp1@remote.test\n"
        "original_recipient: tmp1@remote.test\n"
        "recipient: tmp1@remote.test\n"
        "named_attribute: dsn_orig_rcpt=rfc822;tmp2@remote.test\n"
        "original_recipient: tmp2@remote.test\n"
        "recipient: tmp2@remote.test\n"
        "named_attribute: dsn_orig_rcpt=rfc822;p2@ok.test\n"
        "original_recipient: p2@ok.test\n"
        "recipient: p2@ok.test\n"
        "*** MESSAGE CONTENTS deferred/0/ID ***\n" +
        std::string(content) + "*** HEADER EXTRACTED deferred/0/ID ***\n*** MESSAGE FILE END deferred/0/ID ***\n";
    for (const std::size_t step : {1, 5, 1000})
        EXPECT_EQ(
            print({.shows_envelope = true, .shows_header = true, .shows_body = true}, four_recipients(), content, step),
            want);
}

TEST(Postcat, shows_what_only_asks_and_what_has_a_sender_for_each)
{
    queue::Loaded message = four_recipients();
    auto envelope = std::make_shared<mail::Envelope>(*message.envelope);
    envelope->verp_delimiters = "-=";
    message.envelope = envelope;
    EXPECT_NE(print({.shows_envelope = true}, message).find("sender: user2@golden.test\nverp_delimiters: -=\n"),
              std::string::npos);

    auto probe = std::make_shared<mail::Envelope>();
    probe->id = envelope->id;
    probe->sender = "double-bounce@mail.golden.test";
    probe->purpose = mail::Purpose::probe;
    message.envelope = probe;
    message.pending.clear();
    EXPECT_NE(print({.shows_envelope = true}, message).find("named_attribute: trace_flags=256\n"), std::string::npos);
}

TEST(Postcat, prints_the_parts_that_are_asked_for)
{
    const queue::Loaded message = four_recipients();
    EXPECT_EQ(print({.shows_header = true}, message), "Received: from x\n\tby y\nSubject: out\n");
    EXPECT_EQ(print({.shows_body = true}, message), "\nhello\n.\n");
    EXPECT_EQ(print({.shows_header = true, .shows_body = true}, message), content);
    EXPECT_EQ(print({.shows_body = true, .is_verbose = true}, message),
              "regular_text: \nregular_text: hello\nregular_text: .\n");
    EXPECT_EQ(print({.shows_body = true}, message, "no header\nhere"), "no header\nhere\n");
    EXPECT_EQ(print({.shows_header = true, .shows_offsets = true}, message),
              "      869 Received: from x\n      887 \tby y\n      894 Subject: out\n");
    EXPECT_EQ(print({.shows_body = true, .shows_types = true}, message), " 78 \n 78 hello\n 78 .\n");
    EXPECT_EQ(
        print({.shows_envelope = true, .shows_offsets = true}, message).substr(39, 323),
        "        0 message_size:             311             869               4               4             311               0\n"
        "       97 message_arrival_time: Sun Nov 22 05:37:00 2026\n"
        "      115 create_time: Sun Nov 22 05:37:00 2026\n"
        "      139 named_attribute: log_ident=031AD1C690B\n"
        "      162 named_attribute: rewrite_context=local\n");
    EXPECT_TRUE(print({.shows_envelope = true, .skip = 115}, message).starts_with("create_time: "));
}

TEST(Postcat, tells_apart_done_and_pending_and_who_brought_it)
{
    queue::Loaded message = four_recipients();
    message.pending = {{.index = 2}};
    auto envelope = std::make_shared<mail::Envelope>(*message.envelope);
    envelope->origin = {};
    envelope->full_name = "Test alice";
    envelope->body = mail::BodyType::eight_bit;
    envelope->dsn_return = mail::DsnReturn::headers;
    envelope->dsn_envid = "id 1";
    envelope->recipients.resize(3);
    envelope->recipients[2].notify = mail::notify_success | mail::notify_delay;
    envelope->recipients[2].original = "list@golden.test";
    envelope->recipients[2].dsn_original.clear();
    envelope->sender = "a b@golden.test";
    message.envelope = envelope;
    const std::string text = print({.shows_envelope = true}, message);
    for (
        const char* line :
        {"named_attribute: envelope_id=id 1\nnamed_attribute: ret_flags=2\n",
         "sender_fullname: Test alice\nsender: \"a b\"@golden.test\n", "named_attribute: encoding=8bit\n",
         "done_recipient: p1@ok.test\n", "done_recipient: tmp1@remote.test\n",
         "named_attribute: notify_flags=10\nnamed_attribute: dsn_orig_rcpt=rfc822;list@golden.test\noriginal_recipient: list@golden.test\nrecipient: tmp2@remote.test\n",
         "*** HEADER EXTRACTED deferred/0/ID ***\nnamed_attribute: encoding=8bit\n"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << text;
    }
    EXPECT_EQ(text.find("client_name"), std::string::npos);
    envelope->full_name.clear();
    envelope->sender.clear();
    EXPECT_NE(
        print({.shows_envelope = true}, message).find("log_message_origin=local\nnamed_attribute: trace_flags=0\n"),
        std::string::npos);
}

}  // namespace
}  // namespace ekiden::tools
