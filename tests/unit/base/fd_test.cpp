#include "base/fd.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>

namespace ekiden::base {

class FdTest : public testing::Test {
protected:
    void SetUp() override
    {
        char name[] = "/tmp/ekiden-fd-XXXXXX";
        folder_ = ::mkdtemp(name);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    std::string folder_;
};

TEST_F(FdTest, ReplaceFileChangesContentAndMode)
{
    std::string path = folder_ + "/f";
    ASSERT_TRUE(replace_file(path, "one", 0644));
    ASSERT_TRUE(replace_file(path, "two", 0600));
    EXPECT_EQ(read_file(path, 100).value(), "two");
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);   // nothing left beside it
}

TEST_F(FdTest, ReadFileRefusesWhatIsTooLarge)
{
    std::string path = folder_ + "/f";
    ASSERT_TRUE(replace_file(path, std::string(1000, 'x'), 0600));
    EXPECT_TRUE(read_file(path, 999).error().is(ErrorCode::too_long));
    EXPECT_TRUE(read_file(path, 1000));
}

TEST_F(FdTest, ErrorsNameTheFileAndKeepTheReason)
{
    auto missing = open_file(folder_ + "/none", O_RDONLY);
    ASSERT_FALSE(missing);
    EXPECT_TRUE(missing.error().is(ErrorCode::not_found));
    EXPECT_EQ(missing.error().text(), "open " + folder_ + "/none: No such file or directory");
}

}  // namespace ekiden::base
