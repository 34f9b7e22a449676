#include "sasl/password_file.hpp"

#include "sasl/builtin.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace ekiden::sasl {

namespace {

const std::string verifier =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
const std::string hash =
    "$6$fGsvN9KG7uw6UWvP$Q9OsX2rzRchNIw0wOYADhw2oAb5Ct1J.RiHPG.RZ0hI1z.bcTEQdGFskqDhwMw63GiOI4q5Elb0jmmONE29UJ0";

std::vector<std::string> texts(const PasswordFile& file)
{
    std::vector<std::string> out;
    for (const auto& problem : file.problems()) out.push_back(std::to_string(problem.line) + ": " + problem.text);
    return out;
}

}  // namespace

TEST(PasswordFile, FindsItsLogins)
{
    const auto file = PasswordFile::parse("# who may log in\n\n   \nalice:" + verifier + "\r\nbob@Example.COM:" + hash +
                                          "\nd\u00e9:{CRYPT}" + hash + "  \nlast:" + verifier);
    EXPECT_THAT(texts(file), testing::ElementsAre());
    ASSERT_EQ(file.logins().size(), 4U);
    ASSERT_TRUE(file.find("alice"));
    EXPECT_TRUE(std::holds_alternative<ScramVerifier>(file.find("alice")->verifier));
    ASSERT_TRUE(file.find("bob@example.com"));
    EXPECT_EQ(file.find("bob@EXAMPLE.com")->name, "bob@Example.COM");
    EXPECT_EQ(std::get<std::string>(file.find("d\u00e9")->verifier), hash);
    EXPECT_TRUE(file.find("last"));
    for (const std::string_view absent :
         {"", "Alice", "bob", "Bob@example.com", "alice@example.com", "# who may log in", "alic", "alice:"}) {
        EXPECT_FALSE(file.find(absent)) << absent;
    }
    EXPECT_FALSE(file.has_only_hashes());
    EXPECT_TRUE(PasswordFile::parse("a:" + hash).has_only_hashes());
    EXPECT_FALSE(PasswordFile::parse("").has_only_hashes());
}

TEST(PasswordFile, NamesTheLinesThatItCannotUse)
{
    const std::string dear = "SCRAM-SHA-256$1000000000" + verifier.substr(verifier.find(':'));
    const std::pair<std::string, std::string> cases[] = {
        {"alice", "expected \"name:verifier\""},
        {":" + verifier, "the name is empty"},
        {"alice:", "nobody can log in"},
        {"alice:!", "nobody can log in"},
        {"alice:*:19000:0:99999:7:::", "nobody can log in"},
        {"alice:secret", "neither a SCRAM-SHA-256 verifier nor a crypt(3) hash"},
        {"alice:{PLAIN}secret", "neither a SCRAM-SHA-256 verifier nor a crypt(3) hash"},
        {"alice:$1$abcdefgh$G//4keteveJp0qb8z2DxG/", "of no kind that is supported"},
        {"alice:" + hash + ":1000:1000::/home/alice", "behind the hash"},
        {"alice:" + dear, "iteration count"},
        {"alice:" + verifier + ":x", "malformed salt or key"},
        {" alice:" + verifier, "white space"},
        {"al\x01ice:" + verifier, "RFC 4013"},
        {"al\xff:" + verifier, "RFC 4013"},
        {"e\u0301:" + verifier, "SASLprep"},
        {std::string(256, 'a') + ":" + verifier, "the name is too long"},
        {"alice:" + std::string(1100, 'a'), "the line is too long"},
    };
    for (const auto& [line, wanted] : cases) {
        const auto file = PasswordFile::parse("# one\n" + line + "\nbob:" + verifier + "\n");
        EXPECT_THAT(texts(file), testing::ElementsAre(testing::StartsWith("2: "))) << line;
        EXPECT_THAT(texts(file), testing::ElementsAre(testing::HasSubstr(wanted))) << line;
        EXPECT_EQ(file.logins().size(), 1U) << line;
        EXPECT_TRUE(file.find("bob"));
        EXPECT_THAT(texts(file)[0], testing::Not(testing::HasSubstr("secret"))) << "a text tells the password";
    }
}

TEST(PasswordFile, LetsTheFirstOfTwoCount)
{
    const auto file = PasswordFile::parse("a@b.example:" + verifier + "\na@B.example:" + hash + "\n");
    EXPECT_THAT(texts(file), testing::ElementsAre(testing::HasSubstr("2: the name stands in the file already")));
    EXPECT_TRUE(std::holds_alternative<ScramVerifier>(file.find("a@b.example")->verifier));
}

TEST(PasswordFile, NamesTwentyLinesAndCountsTheRest)
{
    std::string text;
    for (int i = 0; i < 5000; ++i) text += "x\n";
    const auto file = PasswordFile::parse(text);
    ASSERT_EQ(file.problems().size(), 21U);
    EXPECT_THAT(file.problems().back().text, testing::HasSubstr("4980 in all"));
}

TEST(PasswordFile, TakesNoPipeAndNoGiant)
{
    const auto folder = std::filesystem::temp_directory_path() / ("ekiden-logins-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    const std::string path = folder / "logins";
    struct stat status {};

    EXPECT_EQ(read_password_file(path, status).error().code(), ErrorCode::not_found);
    EXPECT_THAT(builtin_problems(path), testing::ElementsAre(testing::AllOf(testing::HasSubstr(path),
                                                                            testing::HasSubstr("ekiden passwd NAME"))));
    EXPECT_FALSE(read_password_file(folder, status));
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    EXPECT_FALSE(read_password_file(path, status)) << "and does not wait";
    std::filesystem::remove(path);

    std::ofstream(path) << "alice:" << verifier << "\nbob\n";
    std::filesystem::permissions(path, std::filesystem::perms(0644));
    EXPECT_THAT(builtin_problems(path),
                testing::ElementsAre(testing::HasSubstr("everybody"), testing::HasSubstr("line 2: expected")));
    std::filesystem::permissions(path, std::filesystem::perms(0660));
    EXPECT_THAT(builtin_problems(path),
                testing::ElementsAre(testing::HasSubstr("can write"), testing::HasSubstr("line 2: expected")));

    std::filesystem::resize_file(path, max_password_file + 1);
    EXPECT_EQ(read_password_file(path, status).error().code(), ErrorCode::too_long);
    std::filesystem::remove_all(folder);
}

TEST(PasswordFile, IsFoundBesideTheConfiguration)
{
    EXPECT_EQ(builtin_path("smtpd", "/etc/postfix"), "/etc/postfix/logins");
    EXPECT_EQ(builtin_path("", "/etc/postfix"), "/etc/postfix/logins");
    EXPECT_EQ(builtin_path("users", "/etc/postfix"), "/etc/postfix/users");
    EXPECT_EQ(builtin_path("/srv/logins", "/etc/postfix"), "/srv/logins");
}

}  // namespace ekiden::sasl
