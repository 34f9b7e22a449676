#include "mime/addresses.hpp"

#include "mime/date.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace ekiden::mime {
namespace {

using Strings = std::vector<std::string>;

TEST(parse_address_list, takes_what_people_write)
{
    const struct {
        std::string_view text;
        Strings want;
    } cases[] = {
        {"user1, User Two <user2>", {"user1", "user2"}},
        {"alice@golden.test (x)", {"alice@golden.test"}},
        {"grp: user1, user2;", {"user1", "user2"}},
        {"undisclosed-recipients:;", {}},
        {"\"quoted, name\" <user1@golden.test>,\n\tuser2", {"user1@golden.test", "user2"}},
        {"a b", {"a", "b"}},
        {"a@x b@y", {"a@x", "b@y"}},
        {"<>", {}},
        {"", {}},
        {",,;,", {}},
        {"John Doe <j@x> junk, k", {"j@x", "k"}},
        {"<@r1,@r2:u@x>", {"u@x"}},
        {"\"a b\"@x, c.d @ e.f", {"a b@x", "c.d@e.f"}},
        {"u@[1.2.3.4]", {"u@[1.2.3.4]"}},
        {"x <unclosed@y", {"unclosed@y"}},
        {"\"unclosed", {"unclosed"}},
        {"site!user, a%b@c", {"site!user", "a%b@c"}},
    };
    for (const auto& c : cases) EXPECT_EQ(parse_address_list(c.text), c.want) << c.text;
    EXPECT_EQ(parse_address_list("a,b,c,d", 3), (Strings{"a", "b"}));
}

TEST(replace_addresses, keeps_everything_else)
{
    const struct {
        std::string_view text, want;
    } cases[] = {
        {" user1", " user1@D"},
        {" list: a, b;", " list: a@D, b@D;"},
        {" user1, User Two <user2>", " user1@D, User Two <user2@D>"},
        {" \"quoted, name\" <user1@golden.test>,\n\tuser2", " \"quoted, name\" <user1@golden.test>, user2@D"},
        {" (c, d) \"x\\\"y\" <u> (e)", " (c, d) \"x\\\"y\" <u@D> (e)"},
        {" \"a b\"", " \"a b\"@D"},
        {" ", " "},
        {" <>", " <>"},
        {" <@r:u>", " <u@D>"},
    };
    for (const auto& c : cases) {
        const auto list = find_addresses(c.text);
        Strings replacements;
        for (const auto& span : list.addresses)
            replacements.push_back(span.address.find('@') == span.address.npos ? span.address + "@D" : span.address);
        EXPECT_EQ(replace_addresses(c.text, list, replacements), c.want) << c.text;
    }
}

TEST(replace_addresses, folds_long_lists_at_commas)
{
    std::string text;
    for (int i = 0; i < 20; ++i) text += (i ? ", user" : " user") + std::to_string(i);
    const auto list = find_addresses(text);
    Strings replacements;
    for (const auto& span : list.addresses) replacements.push_back(span.address + "@mail.example.com");
    const auto got = replace_addresses(text, list, replacements);
    std::size_t at = 0;
    while (at < got.size()) {
        const auto end = std::min(got.find('\n', at), got.size());
        EXPECT_LE(end - at, 69u);
        if (at > 0) {
            EXPECT_EQ(got[at], '\t');
        }
        at = end + 1;
    }
    EXPECT_EQ(parse_address_list(got), replacements);
    // As Postfix 3.7 folds: 69 characters fit, the name of the field and the comma at the end included.
    const std::string three = " bob, ccccccc, carol", four = three + ", dave";
    const auto fold = [](const std::string& given) {
        const auto found = find_addresses(given);
        Strings full;
        for (const auto& span : found.addresses)
            full.push_back(span.address + (span.address.starts_with("cc") ? "@golden.test" : "@mail.golden.test"));
        return replace_addresses(given, found, full, 3);
    };
    EXPECT_EQ(fold(three), " bob@mail.golden.test, ccccccc@golden.test, carol@mail.golden.test");
    EXPECT_EQ(fold(four),
              " bob@mail.golden.test, ccccccc@golden.test,\n\tcarol@mail.golden.test, dave@mail.golden.test");
}

TEST(quote_phrase, quotes_specials)
{
    EXPECT_EQ(quote_phrase("Test alice"), "Test alice");
    EXPECT_EQ(quote_phrase("Full \"Q\" N\xc3\xa4me"), "\"Full \\\"Q\\\" N\xc3\xa4me\"");
    EXPECT_EQ(quote_phrase("A. Person"), "\"A. Person\"");
    EXPECT_EQ(quote_phrase("Last, First"), "\"Last, First\"");
}

TEST(format_date, is_the_date_of_header_fields)
{
    setenv("TZ", "UTC", 1);
    tzset();
    EXPECT_EQ(format_date(WallTime(std::chrono::seconds(1795325682))), "Sun, 22 Nov 2026 05:34:42 +0000 (UTC)");
    EXPECT_EQ(format_date(WallTime(std::chrono::seconds(1793600000))), "Mon,  2 Nov 2026 06:13:20 +0000 (UTC)");
    setenv("TZ", "XST3:30", 1);
    tzset();
    EXPECT_EQ(format_date(WallTime(std::chrono::seconds(1795325683))), "Sun, 22 Nov 2026 02:04:43 -0330 (XST)");
    setenv("TZ", "UTC", 1);
    tzset();
}

}  // namespace
}  // namespace ekiden::mime
