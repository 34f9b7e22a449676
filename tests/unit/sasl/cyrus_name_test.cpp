#include "sasl/cyrus_name.hpp"

#include <gtest/gtest.h>

#include <set>

namespace ekiden::sasl {
namespace {

TEST(CyrusName, DiffersWhereverTheSettingsDiffer)
{
    const std::set<std::string> names{
        cyrus_socket_name("smtpd", "", false),        cyrus_socket_name("smtpd", "", true),
        cyrus_socket_name("smtpd2", "", false),       cyrus_socket_name("smtpd", "/etc/sasl", false),
        cyrus_socket_name("smtpd", "/etc/sasl2", false), cyrus_socket_name("smtp", "d", false),
        cyrus_socket_name("", "smtpd", false),        cyrus_socket_name("a/b", "", false),
        cyrus_socket_name("a.b", "", false)};
    EXPECT_EQ(names.size(), 9U);
}

TEST(CyrusName, IsTheSameForTheSameSettings)
{
    // Spelled out: master and engine may be of different builds for the length of an upgrade.
    EXPECT_EQ(cyrus_socket_name("smtpd", "", false), cyrus_socket_name("smtpd", "", false));
    EXPECT_EQ(cyrus_socket_name("smtpd", "", false).substr(0, 6), "smtpd-");
}

TEST(CyrusName, IsSafeAsAFileName)
{
    const std::string long_path(500, 'x');
    for (const std::string_view path : {std::string_view("../../etc/passwd"), std::string_view(".hidden"),
                                        std::string_view("with space\n"), std::string_view("\xff\x00z", 3),
                                        std::string_view(long_path), std::string_view("")}) {
        const auto name = cyrus_socket_name(path, "/etc/postfix/sasl", true);
        EXPECT_LE(name.size(), 40U);
        EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"),
                  std::string::npos)
            << name;
        EXPECT_NE(name.front(), '.');
    }
}

}  // namespace
}  // namespace ekiden::sasl
