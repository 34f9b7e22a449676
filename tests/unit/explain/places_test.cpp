#include "explain/places.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdlib.h>

namespace ekiden::explain {
namespace {

class PlacesTest : public testing::Test {
protected:
    PlacesTest()
    {
        char name[] = "/tmp/ekiden-places-XXXXXX";
        folder_ = ::mkdtemp(name);
        write("main.cf", "# first line\n"
                         "myhostname = mail.example.test\n"
                         "smtpd_recipient_restrictions =\n"
                         "    permit_mynetworks\n"
                         "# a comment between\n"
                         "    reject_unauth_destination,\n"
                         "    check_recipient_access hash:/etc/x\n"
                         "mynetworks = 127.0.0.0/8\n");
        write("master.cf", "smtp inet n - n - - smtpd\n"
                           "submission inet n - n - - smtpd\n"
                           "  -o syslog_name=x\n"
                           "  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject\n");
        config::LoadOptions options;
        options.directory = folder_;
        options.is_strict = false;
        settings_ = config::Settings::load(options);
    }
    ~PlacesTest() override { std::filesystem::remove_all(folder_); }
    void write(const std::string& name, const std::string& text) { std::ofstream(folder_ + "/" + name) << text; }

    std::string folder_;
    config::SettingsPtr settings_;
};

TEST_F(PlacesTest, FindsTheLineOfAWord)
{
    Places places(settings_);
    EXPECT_EQ(places.find("mynetworks").text(), "main.cf line 8");
    EXPECT_EQ(places.find("smtpd_recipient_restrictions").text(), "main.cf line 3");
    EXPECT_EQ(places.find("smtpd_recipient_restrictions", "permit_mynetworks").line, 4);
    EXPECT_EQ(places.find("smtpd_recipient_restrictions", "reject_unauth_destination").line, 6);
    EXPECT_EQ(places.find("smtpd_recipient_restrictions", "hash:/etc/x").line, 7);
    // A word that is part of another is none, and the value ends where the next parameter begins.
    EXPECT_EQ(places.find("smtpd_recipient_restrictions", "permit").line, 3);
    EXPECT_EQ(places.find("smtpd_recipient_restrictions", "127.0.0.0/8").line, 3);
}

TEST_F(PlacesTest, SaysWhenNobodySetIt)
{
    Places places(settings_);
    EXPECT_EQ(places.find("relayhost").text(), "default");
    EXPECT_EQ(places.find("no_such_parameter").text(), "default");
}

TEST_F(PlacesTest, FindsTheEntryOfAService)
{
    for (const config::ServiceSpec& service : settings_->services()) {
        if (service.name != "submission") continue;
        Places places(settings_->for_service(service));
        const Place place = places.find("smtpd_relay_restrictions", "reject");
        EXPECT_EQ(place.text(), "master.cf line 4 (-o)");
        EXPECT_EQ(places.find("mynetworks").text(), "main.cf line 8");
    }
}

}  // namespace
}  // namespace ekiden::explain
