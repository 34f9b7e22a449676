#include "sasl/client.hpp"
#include "sasl/base64.hpp"
#include "sasl/client_token.hpp"
#include "sasl/cyrus_client.hpp"
#include "support/run_task.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ekiden::sasl {
namespace {

using ekiden::test::run_task;

ClientRequest request(std::string user, std::string_view password, Properties security = anonymous)
{
    ClientRequest r;
    r.host = "relay.example.test";
    r.port = "587";
    r.user = std::move(user);
    r.password = Secret(password);
    r.security = security;
    return r;
}

std::string decoded(const Secret& text)
{
    const auto bytes = decode_base64(text.view());
    return bytes ? std::string(bytes->view()) : "(bad base64)";
}

TEST(cyrus_client, plain_says_all_at_once)
{
    const auto client = make_cyrus_client(request("relayuser", "relaypass"), nullptr);
    const auto start = run_task(client->start("PLAIN"));
    ASSERT_TRUE(start) << start.error().text();
    EXPECT_EQ(start->mechanism, "PLAIN");
    ASSERT_TRUE(start->response);
    EXPECT_EQ(start->response->view(), "AHJlbGF5dXNlcgByZWxheXBhc3M=");
    EXPECT_FALSE(run_task(client->step("")));
}

TEST(cyrus_client, authorization_is_named_where_it_is_wanted)
{
    ClientRequest r = request("u", "p");
    r.names_authorization = true;
    const auto start = run_task(make_cyrus_client(std::move(r), nullptr)->start("PLAIN"));
    ASSERT_TRUE(start && start->response);
    EXPECT_EQ(decoded(*start->response), std::string("u\0u\0p", 5));
}

TEST(cyrus_client, login_answers_two_questions)
{
    const auto client = make_cyrus_client(request("relayuser", "relaypass"), nullptr);
    const auto start = run_task(client->start("LOGIN"));
    ASSERT_TRUE(start);
    EXPECT_FALSE(start->response);
    const auto name = run_task(client->step("VXNlcm5hbWU6")), password = run_task(client->step("UGFzc3dvcmQ6"));
    ASSERT_TRUE(name && password);
    EXPECT_EQ(decoded(*name), "relayuser");
    EXPECT_EQ(decoded(*password), "relaypass");
}

// The example of RFC 2195.
TEST(cyrus_client, cram_md5_wins_over_plain)
{
    const auto client = make_cyrus_client(request("tim", "tanstaaftanstaaf"), nullptr);
    const auto start = run_task(client->start("PLAIN LOGIN CRAM-MD5"));
    ASSERT_TRUE(start);
    EXPECT_EQ(start->mechanism, "CRAM-MD5");
    const auto answer = run_task(client->step("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"));
    ASSERT_TRUE(answer);
    EXPECT_EQ(decoded(*answer), "tim b913a602c7eda7a495b4e6e7334d3890");
}

TEST(cyrus_client, security_options_leave_nothing)
{
    const auto client = make_cyrus_client(request("u", "p", anonymous | plaintext), nullptr);
    const auto start = run_task(client->start("PLAIN LOGIN"));
    ASSERT_FALSE(start);
    EXPECT_EQ(start.error().text(), "no mechanism available");
    EXPECT_EQ(client->take_log(), std::vector<std::string>{"SASL authentication failure: No worthy mechs found"});
}

TEST(cyrus_client, challenge_must_be_base64)
{
    const auto client = make_cyrus_client(request("u", "p"), nullptr);
    ASSERT_TRUE(run_task(client->start("CRAM-MD5")));
    const auto answer = run_task(client->step("!!!notbase64"));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().text(), "bad protocol / cancel");
}

TEST(cyrus_client, server_may_not_keep_us_computing)
{
    const auto client = make_cyrus_client(request("user", "pencil"), nullptr);
    const auto start = run_task(client->start("SCRAM-SHA-256"));
    ASSERT_TRUE(start) << start.error().text();
    const std::string first = decoded(*start->response);
    const std::string nonce = first.substr(first.find("r=") + 2);
    EXPECT_FALSE(run_task(client->step(encode_base64("r=" + nonce + "more,s=QSXCR+Q6sek8bf92,i=2000000000"))));
    EXPECT_EQ(scram_iterations("r=a,s=b,i=4096"), 4096u);
    EXPECT_EQ(scram_iterations("v=abc"), 0u);
    EXPECT_GT(scram_iterations("r=a,s=b,i=99999999999999999999999"), most_scram_iterations);
}

TEST(cyrus_client, mutual_proof_is_waited_for)
{
    const auto client = make_cyrus_client(request("user", "pencil", anonymous | mutual_auth), nullptr);
    ASSERT_TRUE(run_task(client->start("SCRAM-SHA-256")));
    EXPECT_FALSE(client->is_satisfied());
}

TEST(token_client, mechanisms)
{
    EXPECT_EQ(token_mechanism("PLAIN xoauth2"), "XOAUTH2");
    EXPECT_EQ(token_mechanism("XOAUTH2 OAUTHBEARER"), "OAUTHBEARER");
    EXPECT_EQ(token_mechanism("PLAIN LOGIN"), "");
}

TEST(token_client, files)
{
    const struct {
        std::string_view content, want;    // "" = refused
    } cases[] = {
        {"ya29.abc\n", "ya29.abc"},
        {"  ya29.abc  \nsecond line", "ya29.abc"},
        {"", ""},
        {"two words", ""},
        {R"({"access_token":"tok","expires_in":3599})", "tok"},
        {R"({ "expiry": "1", "nested": {"access_token": "no", "a": [1,2,"}"]}, "access_token" : "t\/o\u006b" })", "t/ok"},
        {R"({"refresh_token":"tok"})", ""},
        {R"({"access_token":"unfinished)", ""},
        {R"({"access_token":7})", ""},
        {R"({"a":"\)", ""},
        {R"({"access_token":"a b"})", ""},
    };
    for (const auto& c : cases) {
        const auto token = parse_token(c.content);
        EXPECT_EQ(token ? std::string(token->view()) : "", c.want) << c.content;
        if (!token) EXPECT_EQ(token.error().text().find("tok\""), std::string::npos);
    }
    EXPECT_FALSE(parse_token(std::string(longest_token + 1, 'x')));
}

TEST(token_client, file_is_read_anew_for_each_login)
{
    const std::string path = std::filesystem::temp_directory_path() / ("token." + std::to_string(::getpid()));
    for (const std::string token : {"first", "second"}) {
        std::ofstream(path) << token;
        const auto start = run_task(make_token_client(request("me@example.test", path), nullptr)->start("XOAUTH2"));
        ASSERT_TRUE(start && start->response);
        EXPECT_EQ(decoded(*start->response), "user=me@example.test\x01" "auth=Bearer " + token + "\x01\x01");
    }
    std::filesystem::remove(path);
    const auto client = make_token_client(request("me", path), nullptr);
    EXPECT_FALSE(run_task(client->start("XOAUTH2")));
    EXPECT_EQ(client->take_log().size(), 1u);
}

TEST(token_client, bearer_and_its_refusal)
{
    const auto client = make_token_client(request("a,b=c", "tok"), nullptr);
    const auto start = run_task(client->start("OAUTHBEARER PLAIN"));
    ASSERT_TRUE(start && start->response);
    EXPECT_EQ(decoded(*start->response), "n,a=a=2Cb=3Dc,\x01host=relay.example.test\x01port=587\x01"
                                         "auth=Bearer tok\x01\x01");
    const auto answer = run_task(client->step(encode_base64(R"({"status":"invalid_token"})")));
    ASSERT_TRUE(answer);
    EXPECT_EQ(decoded(*answer), "\x01");
    EXPECT_FALSE(run_task(client->step("")));
    // A token is as good as a password.
    EXPECT_FALSE(run_task(make_token_client(request("u", "tok", plaintext), nullptr)->start("XOAUTH2")));
}

}  // namespace
}  // namespace ekiden::sasl
