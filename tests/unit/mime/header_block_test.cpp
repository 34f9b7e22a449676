#include "mime/header_block.hpp"

#include <gtest/gtest.h>

namespace ekiden::mime {
namespace {

struct Parsed {
    std::vector<std::string> fields;
    std::string body;
    bool has_blank_line = false;
};

Parsed parse(std::string_view content, std::size_t step, std::size_t limit = 102400)
{
    HeaderBlock block(limit);
    Parsed out;
    std::size_t at = 0;
    while (at < content.size() && !block.is_complete()) at += block.feed(content.substr(at, step));
    block.finish();
    for (const auto& field : block.fields()) out.fields.emplace_back(field.raw);
    out.body = std::string(block.leftover()) + std::string(content.substr(at));
    out.has_blank_line = block.has_blank_line();
    return out;
}

TEST(header_block, ends_where_the_header_ends)
{
    const struct {
        const char* label;
        std::string_view content;
        std::vector<std::string> fields;
        std::string_view body;
        bool has_blank_line;
    } cases[] = {
        {"plain", "A: 1\nB: 2\n\nbody\n", {"A: 1\n", "B: 2\n"}, "body\n", true},
        {"folded", "A: 1\n\t2\n 3\nB:\n\n\nx", {"A: 1\n\t2\n 3\n", "B:\n"}, "\nx", true},
        {"no header", "Meowning!\n", {}, "Meowning!\n", false},
        {"not a header", "To: user1\nnot a header\n\nx\n", {"To: user1\n"}, "not a header\n\nx\n", false},
        {"empty", "", {}, "", false},
        {"only a blank line", "\nx\n", {}, "x\n", true},
        {"no final newline", "A: 1\nB: 2", {"A: 1\n", "B: 2\n"}, "", false},
        {"blank first", " x\nA: 1\n", {}, " x\nA: 1\n", false},
        {"blank before colon", "A : 1\nB\t : 2\n 3\nC: 4\n\n", {"A: 1\n", "B: 2\n 3\n", "C: 4\n"}, "", true},
        {"colon first", ": x\n", {}, ": x\n", false},
        {"mbox", "From a Sun Nov 22\nA: 1\n\n", {"X-Mailbox-Line: From a Sun Nov 22\n", "A: 1\n"}, "", true},
        {"mbox only first", "A: 1\nFrom a b\n", {"A: 1\n"}, "From a b\n", false},
        {"blank continuation", "A: 1\n \nB: 2\n\n", {"A: 1\n \n", "B: 2\n"}, "", true},
    };
    for (const auto& c : cases) {
        for (std::size_t step : {std::size_t{1}, std::size_t{3}, std::size_t{1000}}) {
            const auto got = parse(c.content, step);
            EXPECT_EQ(got.fields, c.fields) << c.label << " step " << step;
            EXPECT_EQ(got.body, c.body) << c.label << " step " << step;
            EXPECT_EQ(got.has_blank_line, c.has_blank_line) << c.label << " step " << step;
        }
    }
}

TEST(header_block, cuts_fields_at_the_limit)
{
    const std::string content = "A: " + std::string(50, 'x') + "\n " + std::string(50, 'y') + "\nB: 2\n\nbody\n";
    for (std::size_t step : {1, 7, 1000}) {
        const auto got = parse(content, step, 20);
        ASSERT_EQ(got.fields.size(), 2u);
        EXPECT_EQ(got.fields[0], "A: " + std::string(17, 'x') + "\n");
        EXPECT_EQ(got.fields[1], "B: 2\n");
        EXPECT_EQ(got.body, "body\n");
    }
}

TEST(header_block, cuts_folded_fields_between_lines)
{
    // "b@exa" would be somebody else's address.
    const std::string content = "To: a@x.test,\n b@example.test,\n c@x\nB: 2\n\nbody\n";
    for (std::size_t step : {1, 7, 1000}) {
        const auto got = parse(content, step, 20);
        ASSERT_EQ(got.fields.size(), 2u);
        EXPECT_EQ(got.fields[0], "To: a@x.test,\n") << step;
        EXPECT_EQ(got.fields[1], "B: 2\n");
    }
}

TEST(header_block, gathers_no_line_for_ever)
{
    HeaderBlock body, field(1000);
    const std::string chunk(4096, 'x');
    std::size_t offered = 0;
    for (int i = 0; i < 100 && !body.is_complete(); ++i, offered += chunk.size()) body.feed(chunk);
    EXPECT_TRUE(body.is_complete());
    EXPECT_EQ(offered, chunk.size());

    field.feed("A: ");
    for (int i = 0; i < 100; ++i) EXPECT_EQ(field.feed(chunk), chunk.size());
    EXPECT_FALSE(field.is_complete());
    EXPECT_LE(field.size(), 1000u);
}

TEST(header_block, gives_up_fields_that_were_taken)
{
    HeaderBlock block;
    block.feed("A: 1\nB: 2\nC: ");
    EXPECT_EQ(block.fields().size(), 1u);
    block.clear_fields();
    block.feed("3\n\n");
    ASSERT_EQ(block.fields().size(), 2u);
    EXPECT_EQ(block.fields()[0].raw, "B: 2\n");
    EXPECT_EQ(block.fields()[1].raw, "C: 3\n");
    EXPECT_EQ(block.fields()[1].body(), "3");
    EXPECT_TRUE(block.is_complete());
}

TEST(classify_field, knows_names_in_any_case)
{
    EXPECT_EQ(classify_field("MESSAGE-ID"), FieldName::message_id);
    EXPECT_EQ(classify_field("Disposition-Notification-To"), FieldName::disposition_notification_to);
    EXPECT_EQ(classify_field("to"), FieldName::to);
    EXPECT_EQ(classify_field("tox"), FieldName::other);
    EXPECT_EQ(classify_field(""), FieldName::other);
    EXPECT_EQ(address_role(FieldName::cc), AddressRole::recipient);
    EXPECT_EQ(address_role(FieldName::from), AddressRole::sender);
    EXPECT_EQ(address_role(FieldName::date), AddressRole::none);
    EXPECT_TRUE(is_resent(FieldName::resent_date));
    EXPECT_FALSE(is_resent(FieldName::return_path));
    const FieldNames names({"Bcc", "Return-Path"});
    EXPECT_TRUE(names.contains("bcc"));
    EXPECT_FALSE(names.contains("to"));
    EXPECT_FALSE(names.contains("xcc"));
    EXPECT_FALSE(FieldNames().contains("bcc"));
}

}  // namespace
}  // namespace ekiden::mime
