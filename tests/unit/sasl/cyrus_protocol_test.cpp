#include "sasl/cyrus_protocol.hpp"

#include <gtest/gtest.h>

namespace ekiden::sasl {
namespace {

template <class T>
T parsed(std::string_view line)
{
    auto request = parse_cyrus_request(line);
    EXPECT_TRUE(request) << line;
    if (!request || !std::holds_alternative<T>(*request)) {
        ADD_FAILURE() << "another kind of request: " << line;
        return T{};
    }
    return std::get<T>(std::move(*request));
}

TEST(CyrusProtocol, ReadsAllThatAuthSays)
{
    const auto request = parsed<AuthRequest>(
        "AUTH\t7\tPLAIN\tservice=smtp\trealm=golden.test\tsecured\tsecprops=noanonymous,noplaintext\tlip=192.0.2.1\tlport=25\t"
        "rip=2001:db8::1\trport=40000\tfuture=thing\tresp=AHRlc3QAdGVzdHBhc3M=");
    EXPECT_EQ(request.id, 7U);
    EXPECT_EQ(request.mechanism, "PLAIN");
    EXPECT_EQ(request.service, "smtp");
    EXPECT_EQ(request.realm, "golden.test");
    EXPECT_EQ(request.security, anonymous | plaintext);
    EXPECT_EQ(request.local, "192.0.2.1;25");
    EXPECT_EQ(request.remote, "2001:db8::1;40000");
    ASSERT_TRUE(request.response);
    EXPECT_EQ(request.response->view(), "AHRlc3QAdGVzdHBhc3M=");
}

TEST(CyrusProtocol, TellsNoResponseFromAnEmptyOne)
{
    EXPECT_FALSE(parsed<AuthRequest>("AUTH\t1\tPLAIN\tservice=smtp").response);
    const auto request = parsed<AuthRequest>("AUTH\t1\tPLAIN\tservice=smtp\tresp=");
    ASSERT_TRUE(request.response);
    EXPECT_TRUE(request.response->is_empty());
    EXPECT_EQ(parsed<AuthRequest>("AUTH\t1\tPLAIN\tresp").response->view(), "");
    EXPECT_EQ(parsed<ContinueRequest>("CONT\t1\t").response.view(), "");
    EXPECT_EQ(parsed<ContinueRequest>("CONT\t1").response.view(), "");
}

TEST(CyrusProtocol, TakesNoFieldFromTheRemoteClientsBytes)
{
    const auto request =
        parsed<AuthRequest>("AUTH\t1\tPLAIN\tservice=smtp\tsecprops=noplaintext\tresp=AAAA\tsecprops=");
    EXPECT_EQ(request.security, plaintext);
    EXPECT_EQ(request.response->view(), "AAAA\tsecprops=");
    EXPECT_EQ(parsed<AuthRequest>("AUTH\t1\tPLAIN\tresp=AAAA\t").response->view(), "AAAA\t");
    EXPECT_EQ(parsed<ContinueRequest>("CONT\t1\tAAAA\tBBBB").response.view(), "AAAA\tBBBB");
    EXPECT_EQ(parsed<AuthRequest>("AUTH\t1\t" + std::string(5000, 'X')).mechanism.size(), 256U);
}

TEST(CyrusProtocol, RefusesAddressesThatAreNone)
{
    const auto request = parsed<AuthRequest>("AUTH\t1\tPLAIN\tlip=192.0.2.1;25\trip=/tmp/x\trport=70000");
    EXPECT_EQ(request.local, "");
    EXPECT_EQ(request.remote, "");
}

TEST(CyrusProtocol, RefusesWhatIsNoRequest)
{
    for (const std::string_view line :
         {"AUTH", "AUTH\t", "AUTH\tx\tPLAIN", "AUTH\t-1\tPLAIN", "AUTH\t4294967296\tPLAIN", "CONT", "CONT\tsecret",
          "CANCEL", "CANCEL\t1x", "AUTH\t1\tPLAIN\tsecprops=nonsense"}) {
        auto request = parse_cyrus_request(line);
        ASSERT_FALSE(request) << line;
        EXPECT_EQ(request.error().text().find("secret"), std::string::npos);
    }
    const std::string long_field = "AUTH\t1\tPLAIN\trealm=" + std::string(2000, 'x');
    EXPECT_FALSE(parse_cyrus_request(long_field));
}

TEST(CyrusProtocol, PassesOverWhatItDoesNotKnow)
{
    parsed<UnknownRequest>("");
    parsed<UnknownRequest>("NEWS\t1\t2");
    EXPECT_TRUE(parsed<HelloRequest>("VERSION\t1\t2").is_compatible);
    EXPECT_FALSE(parsed<HelloRequest>("VERSION\t2\t0").is_compatible);
    EXPECT_TRUE(parsed<HelloRequest>("CPID\t4711").is_compatible);
    EXPECT_EQ(parsed<CancelRequest>("CANCEL\t12").id, 12U);
}

TEST(CyrusProtocol, EscapesAndBack)
{
    const std::string odd("a\tb\nc\rd\001e\0f", 11);
    EXPECT_EQ(escape_field(odd), "a\001tb\001nc\001rd\0011e\0010f");
    EXPECT_EQ(unescape_field(escape_field(odd)), odd);
    EXPECT_EQ(unescape_field("x\001"), "x\001");
    EXPECT_EQ(unescape_field("x\001z"), "xz");
}

TEST(CyrusProtocol, WritesReplies)
{
    using Kind = CyrusReply::Kind;
    EXPECT_EQ(format_cyrus_reply(1, {Kind::success, "", "test@golden.test", {}}), "OK\t1\tuser=test@golden.test\n");
    EXPECT_EQ(format_cyrus_reply(2, {Kind::challenge, "VXNlcm5hbWU6", "", {}}), "CONT\t2\tVXNlcm5hbWU6\n");
    EXPECT_EQ(format_cyrus_reply(2, {Kind::challenge, "", "", {"info: x"}}), "CONT\t2\t\tlog=info: x\n");
    EXPECT_EQ(
        format_cyrus_reply(3, {Kind::failure, "authentication failure", "a\tb", {"warning: one", "warning: t\nwo"}}),
        "FAIL\t3\tlog=warning: one\tlog=warning: t\001nwo\tuser=a\001tb\treason=authentication failure\n");
    EXPECT_EQ(format_cyrus_reply(4, {Kind::try_later, "generic failure", "", {}}),
              "FAIL\t4\treason=generic failure\ttemp\n");
}

TEST(CyrusProtocol, GreetsWithWhatThereIs)
{
    EXPECT_EQ(
        format_cyrus_greeting({{"PLAIN", plaintext | active, false}, {"SCRAM-SHA-1", dictionary | mutual_auth, false}},
                              42, 3, "00112233445566778899aabbccddeeff"),
        "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\tactive\nMECH\tSCRAM-SHA-1\tdictionary\tmutual-auth\nSPID\t42\nCUID\t3\n"
        "COOKIE\t00112233445566778899aabbccddeeff\nDONE\n");
}

}  // namespace
}  // namespace ekiden::sasl
