#include "config/docs.hpp"
#include "config/settings.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace ekiden::config {
namespace {

std::string repository_file(const std::string& name)
{
    std::ifstream file(EKIDEN_SOURCE_DIR "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Out of date? Run dev/generate_docs with the path of postconf.
TEST(Docs, pages_are_up_to_date)
{
    EXPECT_TRUE(repository_file("docs/compatibility.md") == generate_page("compatibility"))
        << "docs/compatibility.md is out of date: run dev/generate_docs";
    EXPECT_TRUE(repository_file("man/postconf.5") == generate_page("man5"))
        << "man/postconf.5 is out of date: run dev/generate_docs";
    EXPECT_THROW(generate_page("other"), ConfigError);
}

}  // namespace
}  // namespace ekiden::config
