// The real libsasl2 with its real plug-ins, as far as it goes without a password: what it offers, and what it says of
// clients that do not know the protocol. (Users of a real sasldb2 and saslauthd: tests/scenarios.)
#include "sasl/cyrus_library.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace ekiden::sasl {
namespace {

using Kind = CyrusReply::Kind;

// Opened once: the library cannot be opened twice.
const std::vector<Mechanism>& offered()
{
    static const std::vector<Mechanism> mechanisms = [] {
        const auto folder =
            std::filesystem::temp_directory_path() / ("ekiden-cyrus-library-" + std::to_string(::getpid()));
        std::filesystem::create_directories(folder);
        std::ofstream(folder / "ekiden-test.conf")
            << "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: " << (folder / "none").string()
            << "\nmech_list: LOGIN PLAIN CRAM-MD5 SCRAM-SHA-1 NOSUCH\n";
        std::vector<std::string> log;
        const auto opened = open_cyrus({"ekiden-test", folder.string(), "mail.example.test"}, log);
        EXPECT_TRUE(opened);
        std::filesystem::remove_all(folder);
        return cyrus_mechanisms();
    }();
    return mechanisms;
}

class CyrusLibrary : public testing::Test {
protected:
    void SetUp() override
    {
        if (offered().empty()) GTEST_SKIP() << "libsasl2 has no plug-ins here";
    }
    static CyrusReply first(std::string mechanism, std::optional<std::string> response, Properties security = anonymous)
    {
        AuthRequest request;
        request.mechanism = std::move(mechanism);
        request.service = "smtp";
        request.realm = "example.test";
        request.security = security;
        request.local = "127.0.0.1;25";
        request.remote = "::1;4000";
        return begin_cyrus_login(std::move(request))
            ->step(response ? std::optional<Secret>(std::in_place, *response) : std::nullopt);
    }
};

TEST_F(CyrusLibrary, OffersTheListInItsOrderWithFlags)
{
    const std::vector<std::pair<std::string, Properties>> want{{"LOGIN", plaintext | active | dictionary},
                                                               {"PLAIN", plaintext | active | dictionary},
                                                               {"CRAM-MD5", active | dictionary},
                                                               {"SCRAM-SHA-1", dictionary | mutual_auth}};
    ASSERT_EQ(offered().size(), want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
        EXPECT_EQ(offered()[i].name, want[i].first);
        EXPECT_EQ(int(offered()[i].properties), int(want[i].second)) << want[i].first;
    }
}

struct Case {
    const char* mechanism;
    std::optional<std::string> response;
    Properties security;
    Kind kind;
    const char* text;
    const char* user;
    std::vector<std::string> log;
};

TEST_F(CyrusLibrary, SaysWhatPostfixPrints)
{
    const Case cases[] = {
        {"PLAIN", {}, 0, Kind::challenge, "", "", {}},
        {"plain", {}, 0, Kind::challenge, "", "", {}},
        {"LOGIN", {}, 0, Kind::challenge, "VXNlcm5hbWU6", "", {}},
        {"LOGIN", "dGVzdA==", 0, Kind::challenge, "UGFzc3dvcmQ6", "", {}},
        {"PLAIN", "####", 0, Kind::failure, "bad protocol / cancel", "", {}},
        {"PLAIN", "=", 0, Kind::failure, "another step is needed in authentication", "", {}},
        {"PLAIN", "abc", 0, Kind::failure, "another step is needed in authentication", "", {}},
        {"PLAIN", "*\r", 0, Kind::failure, "another step is needed in authentication", "", {}},
        {"PLAIN", "bm9udWw=", 0, Kind::failure, "bad protocol / cancel", "", {"warning: SASL authentication failure: Can only find author (no password)"}},
        {"PLAIN", "b3RoZXIAdGVzdAB4", 0, Kind::failure, "authentication failure", "test@example.test", {}},
        {"FOO", {}, 0, Kind::failure, "no mechanism available", "", {"warning: SASL authentication failure: Couldn't find mech FOO"}},
        {"DIGEST-MD5", {}, 0, Kind::failure, "no mechanism available", "", {"warning: SASL authentication failure: Couldn't find mech DIGEST-MD5"}},
        {"PLAIN", "AHRlc3QAeA==", plaintext, Kind::failure, "encryption needed to use mechanism", "", {}},
        {"CRAM-MD5", "abcd", plaintext, Kind::failure, "bad protocol / cancel", "", {"warning: SASL authentication failure: Remote sent first but mech does not allow it."}},
        {"", {}, 0, Kind::failure, "no mechanism available", "", {"warning: SASL authentication failure: Couldn't find mech "}},
    };
    for (const Case& one : cases) {
        SCOPED_TRACE(std::string(one.mechanism) + " " + one.response.value_or("(none)"));
        const CyrusReply reply = first(one.mechanism, one.response, one.security);
        EXPECT_EQ(reply.kind, one.kind);
        EXPECT_EQ(reply.text, one.text);
        EXPECT_EQ(reply.user, one.user);
        if (!one.log.empty()) EXPECT_EQ(reply.log, one.log);
    }
}

TEST_F(CyrusLibrary, GoesOnFromStepToStep)
{
    AuthRequest request;
    request.mechanism = "LOGIN";
    request.service = "smtp";
    auto login = begin_cyrus_login(std::move(request));
    EXPECT_EQ(login->step(std::nullopt).text, "VXNlcm5hbWU6");
    EXPECT_EQ(login->step(Secret(std::string_view("dGVzdA=="))).text, "UGFzc3dvcmQ6");
    const CyrusReply end = login->step(Secret(std::string_view("eA==")));
    EXPECT_NE(end.kind, Kind::success);
    EXPECT_NE(end.kind, Kind::challenge);
    EXPECT_EQ(end.user, "test");    // without a realm, as Postfix shows it
}

}  // namespace
}  // namespace ekiden::sasl
