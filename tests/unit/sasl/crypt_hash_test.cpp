#include "sasl/crypt_hash.hpp"

#include <gtest/gtest.h>

namespace ekiden::sasl {

using namespace std::string_view_literals;

namespace {
// Made by mkpasswd and Python's crypt, with the password "pencil".
constexpr std::string_view known[] = {
    "$y$j9T$jTWubub9C4IcvaMI.lIQB.$SY9Om2aWGgtrWzsbgRLzmudYltNAhHdFSLO5RU6IzB4",
    "$y$jAT$zAQaIEamgfHLmeVXCqIzY0$e1KrBUlrAIRUrlw0JaQiK4LzHpluAs7/SVwlAm7XPZ9",
    "$7$CU..../....hpbtmZYLeb1BmIbF4Njfe0$SuYXAFBaP58OlFetY2s91MKrB1rsXn4IqsOJ7cPbyF9",
    "$2b$05$nUQMVjNDDDN4HRlvTqzxEeSP50zcC5CwyG4bkosoUQ3vCfM5FJDQm",
    "$2a$05$tSkWaBPJoTyiZtunHatxouY.lnhPKEvu9Qq6xmy9z9uQBp0rHUA5y",
    "$6$fGsvN9KG7uw6UWvP$Q9OsX2rzRchNIw0wOYADhw2oAb5Ct1J.RiHPG.RZ0hI1z.bcTEQdGFskqDhwMw63GiOI4q5Elb0jmmONE29UJ0",
    "$6$rounds=6000$FkdNbtfePF8WBxJ2$GC6FveSUoZs0o0F5ruJslOK8JTZ10CviIGK03fVsOCj77FBtYRE4rb7lVRa7pVhbUDqOgMEnU0pEP2x0sfqL21",
    "$5$oo51RhoxzzIIbwl5$3zi.ZrS1o4HMN8alEK.Yvvy1AMe6tX19VpmTJ/cQCU3",
    "$2y$04$abcdefghijklmnopqrstuu/FyAyuZSl3DbPdvio4KrIBdz2k2yhV2",
};
}  // namespace

TEST(CryptHash, ComparesWithHashesOfOtherPrograms)
{
    for (const std::string_view hash : known) {
        ASSERT_TRUE(check_crypt_hash(hash)) << hash << ": " << check_crypt_hash(hash).error().text();
        EXPECT_TRUE(compare_with_crypt_hash(hash, Secret("pencil"sv)).value()) << hash;
        EXPECT_FALSE(compare_with_crypt_hash(hash, Secret("pencil "sv)).value()) << hash;
        EXPECT_FALSE(compare_with_crypt_hash(hash, Secret(""sv)).value()) << hash;
        EXPECT_FALSE(compare_with_crypt_hash(hash, Secret(std::string_view("pencil\0x", 8))).value()) << hash;
        EXPECT_FALSE(compare_with_crypt_hash(hash, Secret(std::string(600, 'p'))).value()) << hash;
    }
}

TEST(CryptHash, RefusesWhatIsCutOffOrBroken)
{
    for (const std::string_view hash : known) {
        EXPECT_FALSE(check_crypt_hash(hash.substr(0, hash.size() - 1))) << hash;
        EXPECT_FALSE(check_crypt_hash(std::string(hash) + "a")) << hash;
        EXPECT_FALSE(check_crypt_hash(hash.substr(0, hash.rfind('$') + 1))) << hash;
    }
}

TEST(CryptHash, RefusesWeakKindsAndDearOnes)
{
    const std::string sha512_end = std::string(86, 'a'), bcrypt_end = std::string(53, 'a'),
                      yescrypt_end = std::string(43, 'a');
    const std::string refused[] = {
        "",
        "$",
        "*0",
        "*1",
        "!",
        "x",
        "rl.3StKT.4T8M",
        "$1$abcdefgh$G//4keteveJp0qb8z2DxG/",
        "$md5$x$y",
        "$6",
        "$$",
        "$6$rounds=1000001$abcdefgh$" + sha512_end,
        "$6$rounds=999999999$abcdefgh$" + sha512_end,
        "$6$rounds=99999999999999999999$abcdefgh$" + sha512_end,
        "$6$rounds=$abcdefgh$" + sha512_end,
        "$2b$15$" + bcrypt_end,
        "$2b$31$" + bcrypt_end,
        "$2b$1$" + bcrypt_end,
        "$y$jDT$abcdefgh$" + yescrypt_end,
        "$y$jFT$abcdefgh$" + yescrypt_end,
        "$y$jzT$abcdefgh$" + yescrypt_end,
        "$y$j9z$abcdefgh$" + yescrypt_end,
        "$y$k9T$abcdefgh$" + yescrypt_end,
        "$y$j9$abcdefgh$" + yescrypt_end,
        "$7$GU..../....abcdefgh$" + yescrypt_end,
        "$7$CU....zzzzzabcdefgh$" + yescrypt_end,
        "$7$Czzzzz/....abcdefgh$" + yescrypt_end,
        "$6$abc:defg$" + sha512_end,
        "$6$abcdefgh$" + std::string(500, 'a'),
    };
    for (const std::string& hash : refused) {
        const auto verdict = check_crypt_hash(hash);
        ASSERT_FALSE(verdict) << hash;
        EXPECT_EQ(verdict.error().text().find("aaaa"), std::string::npos) << "the text tells the hash";
    }
}

TEST(CryptHash, MakesOneThatFits)
{
    const auto hash = make_crypt_hash(Secret("correct horse"sv));
    ASSERT_TRUE(hash);
    EXPECT_TRUE(hash->starts_with("$y$"));
    EXPECT_TRUE(check_crypt_hash(*hash));
    EXPECT_TRUE(compare_with_crypt_hash(*hash, Secret("correct horse"sv)).value());
    EXPECT_FALSE(compare_with_crypt_hash(*hash, Secret("battery staple"sv)).value());
    EXPECT_NE(make_crypt_hash(Secret("correct horse"sv)).value(), *hash);
    EXPECT_FALSE(make_crypt_hash(Secret(std::string(600, 'x'))));
    EXPECT_FALSE(make_crypt_hash(Secret(std::string_view("a\0b", 3))));
}

}  // namespace ekiden::sasl
