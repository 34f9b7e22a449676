// The reader of sasldb2 against files that saslpasswd2 itself has written, whole and damaged.
#include "sasl/sasldb_file.hpp"

#include "base/fd.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

namespace ekiden::sasl {
namespace {

using Found = SasldbFile::Found;

std::string password_of(int user)
{
    return "secret-" + std::string(static_cast<std::size_t>(user) % 40, 'x') + std::to_string(user);
}
std::string name_of(int user) { return "user" + std::to_string(user); }

// 100 users: several buckets, some of them longer than a page.
const std::string& database()
{
    static const std::string bytes = [] {
        const auto path = std::filesystem::temp_directory_path() / ("ekiden-sasldb-test-" + std::to_string(::getpid()));
        std::string script = "command -v saslpasswd2 >/dev/null || exit 0\n";
        for (int user = 0; user < 100; ++user) {
            script += "printf %s " + password_of(user) + " | saslpasswd2 -p -c -f " + path.string() + " -u mail.test " +
                      name_of(user) + " || exit 1\n";
        }
        script += "saslpasswd2 -d -f " + path.string() + " -u mail.test " + name_of(7) + "\n";
        EXPECT_EQ(std::system(script.c_str()), 0);
        auto text = base::read_file(path.string(), 1 << 24);
        std::filesystem::remove(path);
        return text ? std::move(*text) : std::string();
    }();
    return bytes;
}

std::optional<SasldbFile> open(const std::string& bytes, int* reads = nullptr)
{
    return SasldbFile::open([&bytes, reads](std::uint64_t offset, std::span<char> into) {
        if (reads) ++*reads;
        if (offset > bytes.size() || into.size() > bytes.size() - offset) return false;
        std::memcpy(into.data(), bytes.data() + offset, into.size());
        return true;
    });
}

Found find(SasldbFile& file, const std::string& user, std::string* password = nullptr)
{
    Secret value;
    const Found found = file.find(sasldb_key(user, "mail.test", "userPassword"), value);
    if (password) *password = value.view();
    return found;
}

class SasldbFileTest : public testing::Test {
protected:
    void SetUp() override
    {
        if (database().empty()) GTEST_SKIP() << "saslpasswd2 is not installed";
    }
};

TEST_F(SasldbFileTest, FindsEveryPasswordInFewReads)
{
    int reads = 0;
    auto file = open(database(), &reads);
    ASSERT_TRUE(file);
    for (int user = 0; user < 100; ++user) {
        reads = 0;
        std::string password;
        EXPECT_EQ(find(*file, name_of(user), &password), user == 7 ? Found::no : Found::yes) << user;
        EXPECT_EQ(password, user == 7 ? std::string() : password_of(user));
        EXPECT_LE(reads, 4) << user;
    }
    for (const std::string nobody : {"user100", "", "user", "user1@mail.test"})
        EXPECT_EQ(find(*file, nobody), Found::no) << nobody;
}

TEST_F(SasldbFileTest, ReadsThePageItHasOnce)
{
    int in_one_page = 0;
    for (int user = 0; user < 100; ++user) {
        int reads = 0;
        auto file = open(database(), &reads);
        ASSERT_TRUE(file);
        reads = 0;
        std::string password;
        (void)find(*file, name_of(user));
        if (reads > 1) continue;
        ++in_one_page;
        EXPECT_EQ(find(*file, name_of(user), &password), user == 7 ? Found::no : Found::yes) << user;
        EXPECT_EQ(password, user == 7 ? std::string() : password_of(user));
        EXPECT_EQ(reads, 1) << user;
    }
    EXPECT_GT(in_one_page, 10);
}

TEST_F(SasldbFileTest, LeavesWhatItDoesNotKnowToOthers)
{
    struct Field {
        const char* what;
        std::size_t at;
        char value;
    };
    const Field fields[] = {{"magic", 12, 0},      {"version", 16, 10},   {"page size", 21, 0x7f},
                            {"encryption", 24, 1}, {"type", 25, 9},       {"checksums", 26, 1},
                            {"parts", 36, 1},      {"duplicates", 48, 1}, {"hash function", 92, 0}};
    for (const Field& field : fields) {
        std::string bytes = database();
        bytes[field.at] = field.value;
        EXPECT_FALSE(open(bytes)) << field.what;
    }
    EXPECT_FALSE(open({}));
    EXPECT_FALSE(open(database().substr(0, 100)));
    const std::string cut = database().substr(0, 4096);
    auto file = open(cut);
    ASSERT_TRUE(file);
    EXPECT_EQ(find(*file, "user1"), Found::odd);
}

TEST_F(SasldbFileTest, FindsNothingThatIsNotThereInDamagedFiles)
{
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
        std::string bytes = database();
        // Damage where it hurts: in the first page's fields, and in the heads of the others.
        for (int i = 0; i < 40; ++i) {
            const std::size_t page = random() % (bytes.size() / 4096);
            bytes[page * 4096 + random() % (page == 0 ? 224 : 200)] = static_cast<char>(random());
        }
        std::memcpy(bytes.data(), database().data(), 52);    // else it would not even be opened
        auto file = open(bytes);
        if (!file) continue;
        for (int user = 0; user < 100; user += 3) {
            std::string password;
            if (find(*file, name_of(user), &password) == Found::yes) EXPECT_NE(bytes.find(password), bytes.npos);
        }
    }
}

}  // namespace
}  // namespace ekiden::sasl
