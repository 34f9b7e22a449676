#include "explain/recorder.hpp"

#include <gtest/gtest.h>

namespace ekiden::explain {
namespace {

TEST(Recorder, KeepsWhatHappenedAsATree)
{
    Recorder recorder(false);
    recorder.enter("list", "smtpd_client_restrictions", "");
    recorder.enter("restriction", "check_client_access", "hash:/x");
    recorder.note("lookup", "check_client_access", "192.0.2.1", "REJECT", "hash:/x");
    recorder.leave("reject");
    recorder.leave("reject");
    recorder.note("route", "relayhost", "next hop", "[mx]", "");
    const auto events = recorder.take();
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].name, "smtpd_client_restrictions");
    ASSERT_EQ(events[0].inside.size(), 1u);
    EXPECT_EQ(events[0].inside[0].answer, "reject");
    ASSERT_EQ(events[0].inside[0].inside.size(), 1u);
    EXPECT_EQ(events[0].inside[0].inside[0].value, "REJECT");
    EXPECT_EQ(events[1].what, "route");
    EXPECT_TRUE(recorder.take().empty());
}

TEST(Recorder, EndsWhatWasCutOff)
{
    Recorder recorder(false);
    recorder.enter("list", "a", "");
    recorder.enter("restriction", "b", "");
    const auto events = recorder.take();
    ASSERT_EQ(events.size(), 1u);
    ASSERT_EQ(events[0].inside.size(), 1u);
    recorder.leave("dunno");    // of nothing
    EXPECT_TRUE(recorder.take().empty());
}

TEST(Recorder, NeverKeepsAPassword)
{
    Recorder recorder(false);
    recorder.note("lookup", "smtp_sasl_password_maps", "[mx.test]:587", "joe:secret", "hash:/etc/sasl");
    recorder.note("lookup", "lmtp_sasl_password_maps", "x", "joe:secret", "hash:/etc/sasl");
    recorder.note("login", "user", "", "joe", "smtp_sasl_password_maps");
    // Where the table's own name holds its entries.
    recorder.note("lookup", "smtp_sasl_password_maps", "x", "joe:secret", "static:joe:secret");
    recorder.note("lookup", "smtp_sasl_password_maps", "", "joe:secret",
                  "unionmap:{hash:/etc/sasl, inline:{x=joe:secret}}");
    recorder.note("trouble", "smtp_sasl_password_maps", "x", "why", "inline:{ x = joe:secret }");
    for (const Event& event : recorder.take()) {
        EXPECT_EQ(event.value.find("secret"), std::string::npos) << event.name;
        EXPECT_EQ(event.where.find("secret"), std::string::npos) << event.where;
    }
}

TEST(Recorder, MakesForeignBytesPrintable)
{
    Recorder recorder(false);
    recorder.note("lookup", "virtual_alias_maps", "a\x1b[2J", std::string("x\ny"), "hash:/x");
    const auto events = recorder.take();
    EXPECT_EQ(events[0].detail.find('\x1b'), std::string::npos);
    EXPECT_EQ(events[0].value.find('\n'), std::string::npos);
}

TEST(Recorder, IsBounded)
{
    Recorder recorder(false);
    for (int i = 0; i < 30'000; ++i) recorder.note("lookup", "virtual_alias_maps", "k", "v", "t");
    EXPECT_LE(recorder.take().size(), 20'000u);
}

TEST(Recorder, LeavesOutWhatOthersWouldNotice)
{
    Recorder careful(false), asking(true);
    EXPECT_FALSE(careful.permits("restriction", "check_policy_service"));
    EXPECT_FALSE(careful.permits("restriction", "reject_unverified_recipient"));
    EXPECT_FALSE(careful.permits("restriction", "sleep"));
    EXPECT_TRUE(careful.permits("restriction", "reject_rbl_client"));
    EXPECT_TRUE(asking.permits("restriction", "check_policy_service"));
    EXPECT_FALSE(asking.permits("restriction", "reject_unverified_sender"));
    EXPECT_FALSE(asking.permits("connect", "mx.test[192.0.2.1]:25"));
}

}  // namespace
}  // namespace ekiden::explain
