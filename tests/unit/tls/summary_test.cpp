#include "tls/summary.hpp"

#include <gtest/gtest.h>

namespace ekiden::tls {
namespace {

Summary modern()
{
    Summary s;
    s.protocol = "TLSv1.3";
    s.cipher = "TLS_AES_256_GCM_SHA384";
    s.bits_used = s.bits_of_cipher = 256;
    s.key_exchange = "X25519";
    s.server_signature = {"RSA-PSS (2048 bits)", "SHA256"};
    return s;
}

Summary older()
{
    Summary s;
    s.protocol = "TLSv1.2";
    s.cipher = "ECDHE-RSA-AES256-GCM-SHA384";
    s.bits_used = s.bits_of_cipher = 256;
    return s;
}

// The lines of a real Postfix 3.7.11.
TEST(summary, is_said_in_postfix_words)
{
    const std::string tail =
        ": TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256";
    Summary s = modern();
    EXPECT_EQ(established_line(s, "localhost[127.0.0.1]"),
              "Anonymous TLS connection established from localhost[127.0.0.1]" + tail);
    EXPECT_EQ(received_comment(s),
              "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
              "\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\n"
              "\t(No client certificate requested)\n");
    s.was_certificate_asked = true;
    s.server_name = "foo.example";
    EXPECT_EQ(established_line(s, "x[1]"), "Anonymous TLS connection established from x[1] to foo.example" + tail);
    EXPECT_TRUE(received_comment(s).ends_with("\t(Client did not present a certificate)\n"));

    s.server_name.clear();
    s.has_certificate = s.is_verified = true;
    s.subject = "client one";
    s.issuer = "Test CA (x)";
    s.client_signature = {"ECDSA (secp384r1)", "SHA384"};
    EXPECT_EQ(established_line(s, "x[1]"), "Trusted TLS connection established from x[1]" + tail +
                                               " client-signature ECDSA (secp384r1) client-digest SHA384");
    EXPECT_EQ(received_comment(s),
              "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
              "\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256\n"
              "\t client-signature ECDSA (secp384r1) client-digest SHA384)\n"
              "\t(Client CN \"client one\", Issuer \"Test CA (x)\" (verified OK))\n");

    s = older();
    s.has_certificate = true;
    EXPECT_EQ(
        established_line(s, "x[1]"),
        "Untrusted TLS connection established from x[1]: TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)");
    EXPECT_EQ(
        received_comment(s),
        "\t(using TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits))\n\t(Client CN \"\", Issuer \"\" (not verified))\n");
}

TEST(summary, names_cannot_end_the_comment)
{
    Summary s = older();
    s.has_certificate = true;
    const std::pair<std::string, std::string> names[] = {
        {"a)b(c\"d\\e", "a?b?c\"d?e"},      {"((x)", "(?x)"}, {"x))", "x??"},
        {"a\r\nX-Evil: b", "a??X-Evil: b"}, {"(ok)", "(ok)"}, {std::string("n\0l", 3), "n?l"}};
    for (const auto& [name, shown] : names) {
        s.subject = name;
        s.issuer = "i";
        const std::string text = received_comment(s);
        EXPECT_NE(text.find("Client CN \"" + shown + "\", Issuer"), text.npos) << text;
    }
}

}  // namespace
}  // namespace ekiden::tls
