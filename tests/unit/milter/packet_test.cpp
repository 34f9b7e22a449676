#include "milter/edits.hpp"
#include "milter/macros.hpp"

#include <gtest/gtest.h>

namespace ekiden::milter {
namespace {

using namespace std::string_literals;

TEST(Packet, IsWrittenWithItsLength)
{
    std::string out = "before";
    PacketWriter(out, Command::negotiate).number(6).number(0x1ff).number(0x1fffff);
    EXPECT_EQ(out, "before\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"s);
    out.clear();
    PacketWriter(out, Command::header).text("Subject").text("a\0b"s);
    EXPECT_EQ(out, "\0\0\0\x0bLSubject\0a\0"s);
    out.clear();
    PacketWriter(out, Command::connect).text("x").letter('4').short_number(0x1234).text("y");
    EXPECT_EQ(out, "\0\0\0\x08"s + "Cx\0"s + "4\x12\x34y\0"s);
}

TEST(Packet, IsTakenWhenItIsComplete)
{
    const std::string whole = "\0\0\0\x01"
                              "c\0\0\0\x03"
                              "hab"s;
    for (std::size_t length = 0; length < 5; ++length) {
        std::string_view bytes = std::string_view(whole).substr(0, length);
        const auto packet = take_packet(bytes);
        ASSERT_TRUE(packet) << length;
        EXPECT_FALSE(*packet) << length;
        EXPECT_EQ(bytes.size(), length);
    }
    std::string_view bytes = whole;
    auto packet = take_packet(bytes);
    ASSERT_TRUE(packet && *packet);
    EXPECT_EQ((*packet)->letter, 'c');
    EXPECT_TRUE((*packet)->data.empty());
    packet = take_packet(bytes);
    ASSERT_TRUE(packet && *packet);
    EXPECT_EQ((*packet)->data, "ab");
    EXPECT_TRUE(bytes.empty());
}

TEST(Packet, OfAnUnreasonableLengthIsRefusedBeforeItIsRead)
{
    struct Row {
        std::string bytes;
        ErrorCode want;
    };
    for (const Row& row : {Row{"\0\0\0\0"s, ErrorCode::protocol}, Row{"\x40\0\0\0O"s, ErrorCode::too_long},
                           Row{"\0\x10\0\x01O"s, ErrorCode::too_long}, Row{"HTTP/1.0"s, ErrorCode::too_long}}) {
        std::string_view bytes = row.bytes;
        const auto packet = take_packet(bytes);
        ASSERT_FALSE(packet) << row.bytes;
        EXPECT_EQ(packet.error().code(), row.want) << row.bytes;
    }
}

TEST(FieldReader, GivesNothingThatIsNotThere)
{
    const std::string bytes = "\0\0\0\x05name\0rest"s;    // the reader keeps a view
    FieldReader fields(bytes);
    EXPECT_EQ(fields.number().value_or(0), 5u);
    EXPECT_EQ(fields.text().value_or(""), "name");
    EXPECT_FALSE(fields.text());
    EXPECT_EQ(fields.bytes(), "rest");
    EXPECT_TRUE(fields.is_at_end());
    EXPECT_FALSE(FieldReader("\0\0\0"s).number());
}

TEST(Edits, AreKeptInTheirOrder)
{
    Edits edits;
    for (const auto& [letter, data] :
         std::initializer_list<std::pair<char, std::string>>{{'h', "X-A\0one\0"s},
                                                             {'i', "\0\0\0\x02X-B\0two\0"s},
                                                             {'m', "\0\0\0\x01Subject\0\0"s},
                                                             {'b', "new\r"s},
                                                             {'e', "<a@b>\0SIZE=1\0"s},
                                                             {'b', "\nbody"s},
                                                             {'+', "<c@d>\0"s},
                                                             {'2', "<e@f>\0NOTIFY=NEVER\0"s},
                                                             {'-', "<g@h>\0"s}}) {
        ASSERT_TRUE(is_edit(letter));
        ASSERT_TRUE(take_edit(edits, {letter, data}, 100)) << letter;
    }
    ASSERT_EQ(edits.list.size(), 8u);
    EXPECT_EQ(edits.list[0].name, "X-A");
    EXPECT_EQ(edits.list[0].value, "one");
    EXPECT_EQ(edits.list[1].index, 2u);
    EXPECT_EQ(edits.list[2].kind, Edit::Kind::change_header);
    EXPECT_EQ(edits.list[2].value, "");
    EXPECT_EQ(edits.list[3].kind, Edit::Kind::replace_body);
    EXPECT_EQ(edits.body, "new\r\nbody");
    EXPECT_EQ(edits.list[4].arguments, "SIZE=1");
    EXPECT_EQ(edits.list[6].arguments, "NOTIFY=NEVER");
    EXPECT_EQ(edits.list[7].kind, Edit::Kind::remove_recipient);
}

TEST(Edits, ThatAreMalformedOrTooManyAreErrors)
{
    for (const auto& [letter, data] : std::initializer_list<std::pair<char, std::string>>{
             {'h', "X-A"s}, {'h', "X-A\0one"s}, {'i', "\0\0"s}, {'+', ""s}, {'2', "<a@b>\0cut"s}}) {
        Edits edits;
        EXPECT_FALSE(take_edit(edits, {letter, data}, 100)) << letter << data;
        EXPECT_TRUE(edits.list.empty());
    }
    for (const char letter : {'e', '+', '2', '-'}) {
        Edits edits;
        EXPECT_TRUE(take_edit(edits, {letter, std::string(Edits::longest_address, 'a') + '\0'}, 100)) << letter;
        EXPECT_FALSE(take_edit(edits, {letter, std::string(Edits::longest_address + 1, 'a') + '\0'}, 100)) << letter;
    }
    for (const char letter : {'e', '2'}) {
        Edits edits;
        EXPECT_FALSE(take_edit(edits, {letter, "a\0"s + std::string(Edits::longest_address + 1, 'b') + '\0'}, 100));
    }
    Edits edits;
    EXPECT_TRUE(take_edit(edits, {'b', "0123456789"}, 15));
    EXPECT_FALSE(take_edit(edits, {'b', "0123456789"}, 15));
    for (std::size_t i = edits.list.size(); i < Edits::most_edits; ++i)
        ASSERT_TRUE(take_edit(edits, {'+', "a\0"s}, 15));
    EXPECT_FALSE(take_edit(edits, {'+', "a\0"s}, 15));
    EXPECT_FALSE(is_edit('c'));
}

class Known final : public MacroValues {
    std::optional<std::string> value(std::string_view name) const override
    {
        if (name == "j") return "mail.example.test";
        if (name == "mail_addr") return "a@b";
        return std::nullopt;
    }
};

TEST(Macros, AreSaidWhereTheyAreWorthSomething)
{
    std::string out;
    append_macros(out, Command::mail, MacroNames::parse(" j, {mail_addr} i\t{own},{auth_type}"), Known(),
                  {{"own", "x"}, {"{auth_type}", "none"}, {"j", "never"}});
    EXPECT_EQ(out.substr(4), "DMj\0mail.example.test\0{mail_addr}\0a@b\0{own}\0x\0{auth_type}\0none\0"s);
    out.clear();
    append_macros(out, Command::helo, MacroNames::parse("i"), Known(), {});
    EXPECT_EQ(out, "\0\0\0\x02"
                   "DH"s);
}

TEST(Macros, OfAMilterAreBounded)
{
    std::string list;
    for (int i = 0; i < 1000; ++i) list += " {a" + std::to_string(i) + "}";
    EXPECT_EQ(MacroNames::parse(list).size(), MacroNames::most_names);
    EXPECT_TRUE(MacroNames::parse(std::string(1000, 'x')).empty());
}

} // namespace
} // namespace ekiden::milter
