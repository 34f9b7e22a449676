#include "tls/file_problems.hpp"

#include "unit/tls/certificates.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace ekiden::tls {
namespace {

using Texts = std::vector<std::string>;

class FileProblems : public testing::Test {
protected:
    Texts find(const std::string& lines, base::WallTime now,
               const std::string& services = "smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\n")
    {
        std::string text = lines;
        for (std::size_t at; (at = text.find("DIR")) != text.npos;) text.replace(at, 3, folder_.path());
        folder_.write("main.cf", "compatibility_level = 3.6\n" + text);
        folder_.write("master.cf", services);
        config::LoadOptions options;
        options.directory = folder_.path();
        options.checks = config::Checks::none;
        Texts texts;
        for (const auto& problem : find_file_problems(*config::Settings::load(options), now)) {
            std::string said = problem.text;
            for (std::size_t at; (at = said.find(folder_.path())) != said.npos;)
                said.replace(at, folder_.path().size(), "DIR");
            texts.push_back(said);
        }
        return texts;
    }
    void write(const std::string& name, const std::string& text)
    {
        folder_.write(name, text);
        ::chmod((folder_.path() + "/" + name).c_str(), 0600);
    }

    test::Folder folder_;
};

// The certificates of the tests end an hour from now.
TEST_F(FileProblems, certificates_that_end_are_named_a_month_before)
{
    write("both.pem", test::ecdsa().pem());
    const auto now = base::wall_now();
    const std::string lines = "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = DIR/both.pem\n";
    const auto at = [&](std::chrono::hours offset) { return find(lines, now + offset); };
    const std::string head = "DIR/main.cf, line 3: smtpd_tls_chain_files: the certificate in DIR/both.pem ";
    const auto says = [&](const Texts& texts, const std::string& text) {
        return texts.size() == 1 && texts[0].starts_with(head + text) &&
               texts[0].ends_with(text.starts_with("is not") ? "" : ": renew it");
    };
    EXPECT_TRUE(says(at(std::chrono::hours(0)), "expires on ")) << testing::PrintToString(at(std::chrono::hours(0)));
    EXPECT_TRUE(says(at(std::chrono::hours(2)), "expired on "));
    // Not yet valid, and not near its end.
    const auto early = at(std::chrono::hours(-24 * 40));
    EXPECT_TRUE(says(early, "is not valid before ")) << testing::PrintToString(early);
    EXPECT_EQ(find("smtpd_tls_security_level = none\nsmtpd_tls_chain_files = DIR/both.pem\n", now), Texts{});
    EXPECT_EQ(find(lines, now, "smtp unix - - n - - smtp\n"), Texts{});
}

TEST_F(FileProblems, keys_that_everybody_can_read_are_named)
{
    write("cert.pem", test::ecdsa().certificate_pem());
    write("key.pem", test::ecdsa().key_pem());
    const auto past = base::wall_now() - std::chrono::hours(24 * 40);
    const std::string lines =
        "smtp_tls_security_level = may\nsmtp_tls_cert_file = DIR/cert.pem\nsmtp_tls_key_file = DIR/key.pem\n";
    EXPECT_EQ(find(lines, past).size(), 1u);      // of the clock only
    ::chmod((folder_.path() + "/key.pem").c_str(), 0644);
    const auto found = find(lines, past);
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(
        found[1],
        "DIR/main.cf, line 4: smtp_tls_key_file: everybody on this machine can read the private key in DIR/key.pem: chmod o-r DIR/key.pem");
}

}  // namespace
}  // namespace ekiden::tls
