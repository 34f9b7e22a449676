#include "smtp/command.hpp"
#include "smtp/extensions.hpp"
#include "smtp/paths.hpp"
#include "smtp/xtext.hpp"

#include <gtest/gtest.h>

namespace ekiden::smtp {
namespace {

TEST(Command, splits_a_line)
{
    const auto command = parse_command("  mail \t FROM:<a@b>  SIZE=1 ");
    EXPECT_EQ(command.verb, "mail");
    EXPECT_EQ(command.arguments, "FROM:<a@b>  SIZE=1");
    EXPECT_TRUE(parse_command("  \t").verb.empty());
    EXPECT_EQ(parse_command("QUIT").arguments, "");
}

TEST(Command, keeps_quoted_words_together)
{
    std::string_view text = " <a b@c> \"x y\"@d [1 2] last \"open";
    EXPECT_EQ(next_word(text), "<a b@c>");
    EXPECT_EQ(next_word(text), "\"x y\"@d");
    EXPECT_EQ(next_word(text), "[1 2]");
    EXPECT_EQ(next_word(text), "last");
    EXPECT_EQ(next_word(text), "\"open");
    EXPECT_EQ(next_word(text), "");
    std::string_view backslash = "a\\";
    EXPECT_EQ(next_word(backslash), "a\\");
}

TEST(Command, knows_headers_and_chunks)
{
    EXPECT_TRUE(looks_like_header("Subject:"));
    EXPECT_TRUE(looks_like_header("FROM:<x>"));
    EXPECT_FALSE(looks_like_header(":x"));
    EXPECT_FALSE(looks_like_header("NOOP"));
    ChunkHeader chunk;
    EXPECT_TRUE(parse_chunk_header("5 last", chunk));
    EXPECT_EQ(chunk.size, 5u);
    EXPECT_TRUE(chunk.is_last);
    for (auto text : {"", "x", "-1", "5 FIRST", "5 LAST x", "99999999999999999999", "18446744073709551615"})
        EXPECT_FALSE(parse_chunk_header(text, chunk)) << text;
}

TEST(Paths, parses_addresses)
{
    struct Case {
        const char* text;
        bool is_good;
        const char* address;
    };
    const Case cases[] = {
        {"<a@b>", true, "a@b"}, {"a@b", true, "a@b"}, {"<>", true, ""}, {"< a@b >", true, "a@b"},
        {"<@x,@y:a@b>", true, "a@b"}, {"<@golden.test>", true, "@golden.test"}, {"<\"a b\"@c>", true, "a b@c"},
        {"<\"a\\\"b\"@c>", true, "a\"b@c"}, {"<a\\@b@c>", true, "a@b@c"}, {"<u@[127.0.0.1]>", true, "u@[127.0.0.1]"},
        {"<u@[IPv6:::1]>", true, "u@[IPv6:::1]"}, {"<user1@other.test@golden.test>", true, "user1@other.test@golden.test"},
        {"<other.test!user1@golden.test>", true, "other.test!user1@golden.test"}, {"<user1%x@y>", true, "user1%x@y"},
        {"<a b@c>", false, ""}, {"<a@b", false, ""}, {"<a,b@c>", false, ""}, {"<a@b>x", false, ""}, {"<\"a@b>", false, ""},
        {"<a@[b>", true, "a@[b]"}, {"<a@b\x01>", false, ""}, {"<a(c)@b>", true, "a@b"},
        {"<<a@b>>", true, "a@b"}, {"a@b>", true, "a@b"}, {"(c) <a@b>", true, "a@b"}, {"First Last <a@b>", true, "a@b"}, {"First Last", false, ""},
        {"<a:b@c>", true, "a:b@c"}, {"<a@b (c>", false, ""}, {"<a\\>", false, ""}, {"<a;b@c>", false, ""},
    };
    for (const auto& c : cases) {
        std::string address;
        EXPECT_EQ(parse_address(c.text, address), c.is_good) << c.text;
        if (c.is_good) EXPECT_EQ(address, c.address) << c.text;
    }
}

TEST(Paths, parses_mail_from)
{
    using enum Path::Problem;
    struct Case {
        const char* arguments;
        bool is_strict;
        Path::Problem problem;
        const char* address;
        std::size_t parameters;
    };
    const Case cases[] = {
        {"FROM:<a@b>", false, none, "a@b", 0},
        {"from: <a@b> SIZE=1 BODY=8BITMIME", false, none, "a@b", 2},
        {"FROM :<a@b>", false, bad_command, "", 0},
        {"FROM:<a(c)@b>", false, none, "a@b", 0},
        {"FROM:<a(c)@b>", true, illegal_address, "", 0},
        {"FROM:<@b>", true, illegal_address, "", 0},
        {"FROM:<a@b>x", false, illegal_address, "", 0},
        {"FROM:a@b", false, none, "a@b", 0},
        {"FROM:a@b", true, illegal_address, "", 0},
        {"FROM: <a@b>", true, none, "a@b", 0},
        {"FROM", false, bad_command, "", 0},
        {"FROM:", false, bad_command, "", 0},
        {"TO:<a@b>", false, bad_command, "", 0},
        {"", false, bad_command, "", 0},
        {"FROM:<a@b", false, unclosed, "", 0},
        {"FROM:<a b@c>", false, illegal_address, "", 0},
        {"FROM:<> a b c d e f g h i j k l m n o p q r", false, none, "", max_parameters},
    };
    for (const auto& c : cases) {
        const Path path = parse_path(c.arguments, "FROM", c.is_strict);
        EXPECT_EQ(path.problem, c.problem) << c.arguments;
        if (path.problem == none) EXPECT_EQ(path.address, c.address) << c.arguments;
        EXPECT_EQ(path.parameter_count, c.parameters) << c.arguments;
    }
}

TEST(Paths, parses_parameters)
{
    auto mail = [](const char* text) {
        return parse_mail_parameters(parse_path(std::string("FROM:<a@b> ").append(text), "FROM", false), {});
    };
    // The views of a Path live as long as its line.
    const std::string line = "FROM:<a@b> SIZE=17 body=8bitmime SMTPUTF8 RET=FULL ENVID=a+2Bb AUTH=<>";
    const auto good = parse_mail_parameters(parse_path(line, "FROM", false), {});
    ASSERT_TRUE(good.has_value());
    EXPECT_EQ(good->size, 17u);
    EXPECT_EQ(good->body, mail::BodyType::eight_bit);
    EXPECT_TRUE(good->is_smtputf8);
    EXPECT_EQ(good->dsn_return, mail::DsnReturn::full);
    EXPECT_EQ(good->envid, "a+b");
    struct Case {
        const char* text;
        const char* reply;
    };
    for (const auto& c :
         {Case{"SIZE=", "501 5.5.4 Bad message size syntax"}, Case{"SIZE=1x", "501 5.5.4 Bad message size syntax"},
          Case{"SIZE=99999999999999999999", "552 5.3.4 Message size exceeds file system imposed limit"},
          Case{"RET=FULL RET=FULL", "501 5.5.4 Bad RET parameter syntax"},
          Case{"ENVID=", "501 5.5.4 Bad ENVID parameter syntax"},
          Case{"ENVID=a+0Ab", "501 5.5.4 Bad ENVID parameter syntax"}, Case{"X", "555 5.5.4 Unsupported option: X"}}) {
        const auto bad = mail(c.text);
        ASSERT_FALSE(bad.has_value()) << c.text;
        EXPECT_EQ(one_line(bad.error()), c.reply) << c.text;
    }
    auto verp = [](const std::string& verp_line, bool may) {
        auto got = parse_mail_parameters(parse_path(verp_line, "FROM", false), {.with_verp = may});
        return got ? got->verp_delimiters : one_line(got.error());
    };
    EXPECT_EQ(verp("FROM:<a@b> XVERP", true), "+=");
    EXPECT_EQ(verp("FROM:<a@b> xverp=-=", true), "-=");
    EXPECT_EQ(verp("FROM:<a@b> XVERP=ab", true), "501 5.5.4 Error: XVERP needs two characters from -=+");
    EXPECT_EQ(verp("FROM:<a@b> XVERP=", true), "501 5.5.4 Error: XVERP needs two characters from -=+");
    EXPECT_EQ(verp("FROM:<> XVERP", true), "503 5.5.4 Error: XVERP requires non-null sender");
    EXPECT_EQ(verp("FROM:<a@b> XVERP", false), "555 5.5.4 Unsupported option: XVERP");
    const std::string recipient_line = "TO:<a@b> NOTIFY=success,DELAY ORCPT=rfc822;Bob+40x";
    std::string_view unknown;
    const auto recipient = parse_recipient_parameters(parse_path(recipient_line, "TO", false), {}, unknown);
    ASSERT_TRUE(recipient.has_value());
    EXPECT_EQ(recipient->notify, mail::notify_success | mail::notify_delay);
    EXPECT_EQ(recipient->original, "rfc822;Bob@x");
    EXPECT_EQ(
        one_line(
            parse_recipient_parameters(parse_path(recipient_line, "TO", false), {.with_dsn = false}, unknown).error()),
        "501 5.7.1 DSN support is disabled");
}

TEST(Xtext, round_trips)
{
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    EXPECT_EQ(decode_xtext(encode_xtext(all)), all);
    for (auto text : {"+", "+4", "+4g", "+zz"}) EXPECT_EQ(decode_xtext(text), std::nullopt) << text;
    EXPECT_EQ(decode_utf8_address("\\x{E3}x"), "\xC3\xA3x");
    for (auto text : {"\\x{D800}", "\\x{110000}", "\\x{0}", "\\y", "\\x{41", "\xff"})
        EXPECT_EQ(decode_utf8_address(text), std::nullopt) << text;
}

TEST(Extensions, reads_lists_and_offers)
{
    std::vector<std::string> unknown;
    bool is_silent = false;
    EXPECT_EQ(parse_extension_list("pipelining, CHUNKING, silent-discard foo", unknown, is_silent),
              ext_pipelining | ext_chunking);
    EXPECT_TRUE(is_silent);
    EXPECT_EQ(unknown, std::vector<std::string>{"foo"});

    Reply ehlo(250, "mx.example.com SIZE 5");
    ehlo.lines.insert(ehlo.lines.end(), {"SIZE 1000", "auth=LOGIN", "AUTH PLAIN", "8bitmime", "XUNKNOWN"});
    const auto offer = parse_offer(ehlo);
    EXPECT_EQ(offer.bits, ext_size | ext_auth | ext_8bitmime);
    EXPECT_EQ(offer.size_limit, 1000u);
    EXPECT_EQ(offer.auth_mechanisms, "LOGIN PLAIN");
}

}  // namespace
}  // namespace ekiden::smtp
