#include "mail/maildrop.hpp"

#include <gtest/gtest.h>

namespace ekiden::mail {
namespace {

Maildrop example()
{
    Maildrop drop;
    drop.sender = "alice";
    drop.full_name = "Alice\nInjected: header %41";
    drop.recipients.resize(3);
    drop.recipients[0].address = "bob@example.com";
    drop.recipients[1].address = "a b\r\nrcpt evil@example.com";
    drop.recipients[1].notify = notify_success | notify_delay;
    drop.recipients[2].address = "carol";
    drop.dsn_return = DsnReturn::headers;
    drop.dsn_envid = "id%";
    drop.body = BodyType::eight_bit;
    drop.is_smtputf8 = true;
    drop.purpose = Maildrop::Purpose::trace;
    drop.verp_delimiters = "+=";
    drop.original_id = "60EBA1280C7";
    return drop;
}

TEST(Maildrop, comes_back_as_it_was_written)
{
    const Maildrop want = example();
    const std::string file = format(want) + "Subject: x\n\nbody\n";
    for (std::size_t step = 1; step < file.size(); step += 7) {
        MaildropParser parser;
        std::string content;
        bool is_content = false;
        for (std::size_t at = 0; at < file.size(); at += step) {
            std::string_view piece = std::string_view(file).substr(at, step);
            if (!is_content) {
                const auto fed = parser.feed(piece);
                ASSERT_TRUE(fed.has_value()) << fed.error().text();
                is_content = *fed;
                if (!is_content) {
                    EXPECT_TRUE(piece.empty());
                    continue;
                }
            }
            content += piece;
        }
        const Maildrop got = parser.take();
        EXPECT_EQ(content, "Subject: x\n\nbody\n");
        EXPECT_EQ(got.sender, want.sender);
        EXPECT_EQ(got.full_name, want.full_name);
        ASSERT_EQ(got.recipients.size(), 3u);
        for (std::size_t i = 0; i < 3; ++i) {
            EXPECT_EQ(got.recipients[i].address, want.recipients[i].address);
            EXPECT_EQ(got.recipients[i].notify, want.recipients[i].notify);
        }
        EXPECT_EQ(got.dsn_return, want.dsn_return);
        EXPECT_EQ(got.dsn_envid, want.dsn_envid);
        EXPECT_EQ(got.body, want.body);
        EXPECT_EQ(got.is_smtputf8, want.is_smtputf8);
        EXPECT_EQ(got.purpose, want.purpose);
        EXPECT_EQ(got.verp_delimiters, want.verp_delimiters);
        EXPECT_EQ(got.original_id, want.original_id);
    }
}

TEST(Maildrop, refuses_what_it_does_not_know)
{
    const std::string head = "ekiden-maildrop 1\n";
    const std::string cases[] = {head + "sender a\nrcpt b\ntask probe\ncontent\n",
                                 head + "sender a\nrcpt b\nverp +\ncontent\n",
                                 head + "sender a\nrcpt b\nverp %0D%0A\ncontent\n",
                                 head + "sender a\nrcpt b\nverp +%20\ncontent\n",
                                 "ekiden-maildrop 2\n",
                                 "sender a\n",
                                 head + "sender a\nsender b\n",
                                 head + "sender a\ncontent\n",
                                 head + "rcpt a\ncontent\n",
                                 head + "wish x\n",
                                 head + "notify sometimes\n",
                                 head + "sender %4\n",
                                 head + "sender %zz\n",
                                 head + "content x\n",
                                 head + "sender " + std::string(max_maildrop_line, 'x') + "\n"};
    for (const auto& text : cases) {
        MaildropParser parser;
        std::string_view bytes = text;
        EXPECT_FALSE(parser.feed(bytes).has_value()) << text.substr(0, 60);
    }
}

}  // namespace
}  // namespace ekiden::mail
