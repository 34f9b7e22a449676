#include "tools/passwd.hpp"

#include "sasl/password_file.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace ekiden::tools {

namespace {

std::string read(const std::string& path)
{
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
}

struct Folder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("ekiden-passwd-" + std::to_string(::getpid()));
    Folder() { std::filesystem::create_directory(path); }
    ~Folder() { std::filesystem::remove_all(path); }
    std::size_t count() const
    {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path), {}));
    }
};

}  // namespace

TEST(passwd, replaces_adds_and_deletes_lines)
{
    const std::string old = "# logins\nalice:1\n\nbob@example.test:2\nalice:3\n  # bob@example.test:no\nlast:4";
    EXPECT_EQ(with_login(old, "alice", "x"),
              "# logins\nalice:x\n\nbob@example.test:2\n  # bob@example.test:no\nlast:4");
    EXPECT_EQ(with_login(old, "bob@EXAMPLE.test", "x"),
              "# logins\nalice:1\n\nbob@EXAMPLE.test:x\nalice:3\n  # bob@example.test:no\nlast:4");
    EXPECT_EQ(with_login(old, "last", "x"),
              "# logins\nalice:1\n\nbob@example.test:2\nalice:3\n  # bob@example.test:no\nlast:x\n");
    EXPECT_EQ(with_login(old, "Alice", "x"), old + "\nAlice:x\n");
    EXPECT_EQ(with_login("", "alice", "x"), "alice:x\n");
    EXPECT_EQ(without_login(old, "alice"), "# logins\n\nbob@example.test:2\n  # bob@example.test:no\nlast:4");
    EXPECT_EQ(without_login(old, "bob"), std::nullopt);
    EXPECT_EQ(without_login(old, "# logins"), std::nullopt);
    EXPECT_EQ(without_login("", "alice"), std::nullopt);
}

TEST(passwd, replaces_the_file_in_one_step)
{
    const Folder folder;
    const std::string path = folder.path / "logins";
    ASSERT_TRUE(edit_password_file(
        path, std::nullopt, [](std::string_view old) -> Result<std::string> { return with_login(old, "alice", "1"); }));
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0640U);
    EXPECT_EQ(read(path), "alice:1\n");

    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    const auto first_inode = status.st_ino;
    std::filesystem::create_symlink("logins", folder.path / "link");
    ASSERT_TRUE(edit_password_file(folder.path / "link", std::nullopt, [](std::string_view old) -> Result<std::string> {
        return with_login(old, "bob", "2");
    }));
    ASSERT_EQ(::lstat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U) << "an old file keeps its mode";
    EXPECT_NE(status.st_ino, first_inode) << "a reader sees the old file or the new one";
    EXPECT_TRUE(std::filesystem::is_symlink(folder.path / "link"));
    EXPECT_EQ(read(path), "alice:1\nbob:2\n");

    const auto refused = edit_password_file(
        path, std::nullopt, [](std::string_view) -> Result<std::string> { return fail(ErrorCode::not_found, "no"); });
    EXPECT_FALSE(refused);
    const auto too_big = edit_password_file(path, std::nullopt, [](std::string_view) -> Result<std::string> {
        return std::string(sasl::max_password_file + 1, 'x');
    });
    EXPECT_FALSE(too_big);
    EXPECT_EQ(read(path), "alice:1\nbob:2\n");
    EXPECT_EQ(folder.count(), 2U) << "nothing is left beside";
}

TEST(passwd, lets_writers_wait_for_each_other)
{
    const Folder folder;
    const std::string path = folder.path / "logins";
    constexpr int writers = 4, each = 10;
    std::vector<std::thread> threads;
    for (int t = 0; t < writers; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < each; ++i) {
                const std::string name = std::to_string(t) + "-" + std::to_string(i);
                EXPECT_TRUE(edit_password_file(path, std::nullopt, [&](std::string_view old) -> Result<std::string> {
                    return with_login(old, name, "x");
                }));
            }
        });
    }
    for (auto& thread : threads) thread.join();
    const std::string content = read(path);
    EXPECT_EQ(std::ranges::count(content, '\n'), writers * each) << "a line was lost";
}

TEST(passwd, reads_one_line_from_a_pipe)
{
    const struct {
        std::string written, wanted, rest;
    } cases[] = {
        {"secret\nmore", "secret", "more"}, {"secret", "secret", ""}, {" a b \n", " a b ", ""}, {"p\u00e4ss\r\n", "p\u00e4ss\r", ""}, {"\n", "", ""}, {"", "", ""},
        {std::string(1024, 'x') + "\n", "", "\n"},
    };
    for (const auto& one : cases) {
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        ASSERT_EQ(::write(ends[1], one.written.data(), one.written.size()), static_cast<ssize_t>(one.written.size()));
        ::close(ends[1]);
        const auto password = read_password(ends[0]);
        EXPECT_EQ(password.has_value(), !one.wanted.empty()) << one.written;
        if (password) EXPECT_EQ(password->view(), one.wanted);
        char rest[16];
        EXPECT_EQ(::read(ends[0], rest, sizeof rest), static_cast<ssize_t>(one.rest.size()));
        ::close(ends[0]);
    }
}

}  // namespace ekiden::tools
