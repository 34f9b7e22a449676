#include "daemon/sasl_process.hpp"

#include "sasl/cyrus_name.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace ekiden::daemon {
namespace {

class SaslSetups : public testing::Test {
protected:
    ~SaslSetups() override { std::filesystem::remove_all(folder_); }
    std::vector<SaslSetup> of(const std::string& main, const std::string& master)
    {
        std::filesystem::create_directories(folder_);
        std::ofstream(folder_ / "main.cf") << "compatibility_level = 3.6\nmyhostname = mail.example.test\n" << main;
        std::ofstream(folder_ / "master.cf") << master;
        config::LoadOptions options;
        options.directory = folder_.string();
        return find_sasl_setups(*config::Settings::load(options));
    }
    std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() / ("ekiden-sasl-setups-" + std::to_string(::getpid()));
};

TEST_F(SaslSetups, NoneWhereNobodyLogsInThroughCyrus)
{
    EXPECT_TRUE(of("", "smtp inet n - n - - smtpd\n").empty());
    EXPECT_TRUE(of("smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = private/auth\n",
                   "smtp inet n - n - - smtpd\n")
                    .empty());
    EXPECT_TRUE(of("smtpd_sasl_auth_enable = yes\n", "smtp unix - - n - - smtp\n").empty());
}

TEST_F(SaslSetups, OneForServicesThatAgree)
{
    const auto setups =
        of("smtpd_sasl_auth_enable = yes\nsmtpd_sasl_path = mail\n",
           "smtp inet n - n - - smtpd\nsubmission inet n - n - - smtpd\n  -o smtpd_client_restrictions=\n");
    ASSERT_EQ(setups.size(), 1U);
    EXPECT_EQ(setups[0].application, "mail");
    EXPECT_EQ(setups[0].hostname, "mail.example.test");
    EXPECT_FALSE(setups[0].is_chrooted);
    EXPECT_EQ(setups[0].at.line, 4);
    EXPECT_EQ(setups[0].name(), sasl::cyrus_socket_name("mail", "", false));
}

TEST_F(SaslSetups, OneForEachThatDiffers)
{
    const auto setups =
        of("", "smtp inet n - n - - smtpd\n"
               "587 inet n - y - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n"
               "588 inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n"
               "589 inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n  -o smtpd_sasl_path=other\n"
               "590 inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n  -o cyrus_sasl_config_path=/etc/x\n"
               "591 inet n - n - - smtpd\n  -o smtpd_sasl_auth_enable=yes\n");
    ASSERT_EQ(setups.size(), 4U);
    EXPECT_TRUE(setups[0].is_chrooted);
    EXPECT_FALSE(setups[1].is_chrooted);
    EXPECT_EQ(setups[2].application, "other");
    EXPECT_EQ(setups[3].config_path, "/etc/x");
}

}  // namespace
}  // namespace ekiden::daemon
