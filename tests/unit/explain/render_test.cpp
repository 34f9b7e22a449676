// The verdict, and both pages, of findings that were put together by hand.
#include "explain/render.hpp"

#include <gtest/gtest.h>

#include <boost/json/src.hpp>

namespace ekiden::explain {
namespace {

Event part(std::string what, std::string name, std::string detail, std::string answer, std::vector<Event> inside = {})
{
    return {.what = std::move(what),
            .name = std::move(name),
            .detail = std::move(detail),
            .value = {},
            .where = {},
            .answer = std::move(answer),
            .inside = std::move(inside)};
}
Event fact(std::string what, std::string name, std::string key, std::string value, std::string where = {})
{
    return {.what = std::move(what),
            .name = std::move(name),
            .detail = std::move(key),
            .value = std::move(value),
            .where = std::move(where),
            .answer = {},
            .inside = {}};
}

Places defaults()
{
    config::LoadOptions options;
    options.directory = "/nowhere";
    options.read_main_cf = options.read_master_cf = false;
    options.is_strict = false;
    return Places(config::Settings::load(options));
}

Findings refused()
{
    Findings findings;
    findings.service = "smtp";
    findings.client = "unknown[192.0.2.7]";
    findings.steps.push_back({"connect", 220, "220 mail.example.test ESMTP", {}});
    findings.steps.push_back(
        {"RCPT TO:<x@remote.test>",
         554,
         "554 5.7.1 <x@remote.test>: Relay access denied",
         {part("list", "smtpd_client_restrictions", "", "dunno"),
          part("list", "smtpd_relay_restrictions", "", "reject",
               {part("restriction", "permit_mynetworks", "", "dunno"),
                part("restriction", "reject_unauth_destination", "", "reject",
                     {fact("reject", "", "", "554 5.7.1 <x@remote.test>: Relay access denied")})})}});
    return findings;
}

Findings accepted(Fate fate, std::string code, std::string text)
{
    Findings findings;
    findings.service = "smtp";
    findings.is_queued = true;
    findings.sender = "a@b.test";
    findings.steps.push_back({"end of message", 250, "250 2.0.0 Ok: queued as X", {}});
    Delivery delivery;
    delivery.address = "x@example.test";
    delivery.transport = "smtp";
    delivery.ends.push_back({fate, "x@example.test", std::move(code), std::move(text)});
    findings.deliveries.push_back(std::move(delivery));
    return findings;
}

TEST(Verdict, NamesTheRestrictionThatRefused)
{
    Places places = defaults();
    const Verdict verdict = judge(refused(), places);
    EXPECT_EQ(verdict.status, 1);
    EXPECT_EQ(verdict.headline, "554 5.7.1 <x@remote.test>: Relay access denied");
    EXPECT_EQ(verdict.because, "reject_unauth_destination in smtpd_relay_restrictions, default");
}

TEST(Verdict, NamesTheClassAndTheEntry)
{
    Places places = defaults();
    Findings findings = refused();
    findings.steps.back().events = {
        part("list", "smtpd_recipient_restrictions", "", "reject",
             {part("class", "strict", "", "reject",
                   {part("restriction", "check_sender_access", "hash:/s", "reject",
                         {fact("lookup", "check_sender_access", "bad.test", "REJECT no", "hash:/s")})})})};
    EXPECT_EQ(judge(findings, places).because,
              "check_sender_access hash:/s (key bad.test: REJECT no) in strict, default");
}

TEST(Verdict, FollowsTheCode)
{
    Places places = defaults();
    Findings findings = refused();
    findings.steps.back().code = 450;
    EXPECT_EQ(judge(findings, places).status, 75);
    findings.steps.back().events.clear();
    findings.steps.back() = {"MAIL FROM:<a>", 530, "530 5.7.0 Must issue a STARTTLS command first", {}};
    EXPECT_EQ(judge(findings, places).because, "smtpd_tls_security_level, default");
}

TEST(Verdict, IsTheWorstOfAllRecipients)
{
    Places places = defaults();
    EXPECT_EQ(judge(accepted(Fate::delivered, "2.0.0", "delivered to maildir"), places).status, 0);
    EXPECT_EQ(judge(accepted(Fate::deferred, "4.3.0", "mail transport unavailable"), places).status, 75);
    Findings findings = accepted(Fate::delivered, "2.0.0", "fine");
    findings.deliveries.push_back(accepted(Fate::bounced, "5.1.1", "unknown user").deliveries.front());
    const Verdict verdict = judge(findings, places);
    EXPECT_EQ(verdict.status, 1);
    EXPECT_NE(verdict.headline.find("returned to the sender"), std::string::npos);
    EXPECT_NE(verdict.headline.find("2 recipients"), std::string::npos);
}

TEST(Verdict, LooksAtWhatAnAliasLeadsTo)
{
    Places places = defaults();
    Findings findings = accepted(Fate::delivered, "2.0.0", "forwarded as 4gTk8R1dQhz1");
    findings.deliveries.push_back(accepted(Fate::deferred, "4.3.0", "mail transport unavailable").deliveries.front());
    const Verdict verdict = judge(findings, places);
    EXPECT_EQ(verdict.status, 75);
    EXPECT_EQ(verdict.headline,
              "250: accepted, then waiting in the queue: <x@example.test>: 4.3.0 mail transport unavailable");
}

TEST(Verdict, KnowsHeldAndDiscardedMail)
{
    Places places = defaults();
    Findings findings = accepted(Fate::delivered, "", "");
    findings.is_held = true;
    EXPECT_NE(judge(findings, places).headline.find("on hold"), std::string::npos);
    findings.is_queued = false;
    EXPECT_NE(judge(findings, places).headline.find("DISCARD"), std::string::npos);
}

TEST(Text, BeginsWithTheVerdictAndShowsEveryRestriction)
{
    Places places = defaults();
    Findings findings = refused();
    findings.verdict = judge(findings, places);
    const std::string page = as_text(findings, places);
    EXPECT_TRUE(page.starts_with("554 5.7.1 <x@remote.test>: Relay access denied\n  by reject_unauth_destination"))
        << page;
    EXPECT_NE(page.find("permit_mynetworks"), std::string::npos);
    EXPECT_EQ(page.find("smtpd_client_restrictions"), std::string::npos) << "an empty list says nothing";
}

TEST(Text, ShowsHostsTlsAndLogin)
{
    Places places = defaults();
    Findings findings = accepted(Fate::delivered, "", "would be handed to mx.test[192.0.2.1]:25");
    findings.deliveries.front().hosts.push_back({"mx.test[192.0.2.1]:25", "remote.test", "encrypt", "mx.test",
                                                 "smtp_tls_policy_maps hash:/p, key remote.test", false, "joe",
                                                 "smtp_sasl_password_maps hash:/s, key mx.test"});
    const std::string page = as_text(findings, places);
    for (const char* expected :
         {"1. mx.test[192.0.2.1]:25",
          "TLS encrypt, the certificate must be for mx.test  (smtp_tls_policy_maps hash:/p, key remote.test)",
          "logs in as joe"})
        EXPECT_NE(page.find(expected), std::string::npos) << expected << "\n" << page;
}

TEST(Json, IsOneDocumentWithTheSameContent)
{
    Places places = defaults();
    Findings findings = refused();
    findings.verdict = judge(findings, places);
    findings.notes.push_back("a \"note\"");
    const std::string page = as_json(findings, places);
    EXPECT_EQ(page.find('\n'), page.size() - 1);
    const auto document = boost::json::parse(page).as_object();
    EXPECT_EQ(document.at("verdict").at("status").as_int64(), 1);
    EXPECT_EQ(document.at("notes").as_array().at(0).as_string(), "a \"note\"");
    const auto& lists = document.at("steps").as_array().at(1).at("events").as_array();
    ASSERT_EQ(lists.size(), 2u);
    EXPECT_EQ(lists.at(1).at("events").as_array().at(1).at("answer").as_string(), "reject");
    EXPECT_TRUE(lists.at(1).at("at").is_null());
    EXPECT_FALSE(document.at("queued").as_bool());
}

}  // namespace
}  // namespace ekiden::explain
