#include "sasl/scram.hpp"

#include "sasl/base64.hpp"
#include "unit/sasl/scram_client.hpp"

#include <gtest/gtest.h>

namespace ekiden::sasl {

using namespace std::string_view_literals;

namespace {

std::string bytes_of(std::string_view base64) { return std::string(decode_base64(base64)->view()); }

ScramVerifier verifier_of(const std::string& password, unsigned iterations = 4096)
{
    return make_verifier(Secret(password), bytes_of("W22ZaJ0SNY7soEsUEjb6gQ=="), iterations);
}

ScramServer plain_server() { return ScramServer({false, "", "", "3rfcNHYJY1ZVvWVs7j"}); }
ScramServer plus_server() { return ScramServer({true, "exported", "end point", "3rfcNHYJY1ZVvWVs7j"}); }

}  // namespace

// RFC 7677, section 3.
TEST(Scram, PlaysTheExampleOfTheStandard)
{
    ScramServer server({false, "", "", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"});
    const auto names = server.read_first("n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    ASSERT_TRUE(names);
    EXPECT_EQ(names->user, "user");
    EXPECT_EQ(names->authorization, "");
    EXPECT_EQ(server.challenge(verifier_of("pencil")),
              "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    const auto final = server.read_final(
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    ASSERT_TRUE(final) << final.error().text();
    EXPECT_EQ(*final, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(Scram, LetsThePasswordInAndNoOther)
{
    for (const bool is_right : {true, false}) {
        auto server = plain_server();
        ScramClient client{.password = is_right ? "pencil" : "Pencil"};
        ASSERT_TRUE(server.read_first(client.first()));
        const auto final = server.read_final(client.answer(server.challenge(verifier_of("pencil"))));
        EXPECT_EQ(final.has_value(), is_right);
        if (final) EXPECT_EQ(*final, client.server_final());
        else EXPECT_TRUE(final.error().is(ErrorCode::refused));
    }
}

TEST(Scram, ReadsNamesAsTheyAreEscaped)
{
    auto server = plain_server();
    const auto names = server.read_first("n,a=o=3Dther,n=a=2Cb=3Dc,r=x,q=ignored");
    ASSERT_TRUE(names) << names.error().text();
    EXPECT_EQ(names->user, "a,b=c");
    EXPECT_EQ(names->authorization, "o=ther");
    auto another = plain_server();
    const auto without = another.read_first("n,a=,n=user,r=x");
    ASSERT_TRUE(without);
    EXPECT_EQ(without->authorization, "");
}

struct First {
    const char* text;
    bool is_plus, has_binding;
    ErrorCode wanted;
};

TEST(Scram, RefusesFirstMessages)
{
    const First cases[] = {
        {"", false, false, ErrorCode::protocol},
        {"n", false, false, ErrorCode::protocol},
        {"n,,", false, false, ErrorCode::protocol},
        {"n,n=user,r=x", false, false, ErrorCode::protocol},
        {"N,,n=user,r=x", false, false, ErrorCode::protocol},
        {"z,,n=user,r=x", false, false, ErrorCode::protocol},
        {"n,,n=user", false, false, ErrorCode::protocol},
        {"n,,n=,r=x", false, false, ErrorCode::protocol},
        {"n,,n=us=er,r=x", false, false, ErrorCode::protocol},
        {"n,,n=us=2c,r=x", false, false, ErrorCode::protocol},
        {"n,,n=user,r=", false, false, ErrorCode::protocol},
        {"n,,n=user,r=a b", false, false, ErrorCode::protocol},
        {"n,,n=user,s=x", false, false, ErrorCode::protocol},
        {"n,,r=x,n=user", false, false, ErrorCode::protocol},
        {"n,,m=ext,n=user,r=x", false, false, ErrorCode::protocol},     // an extension that must be known
        {"n,,n=user,r=x,m=ext", false, false, ErrorCode::protocol},
        {"n,,n=user,r=x,", false, false, ErrorCode::protocol},
        {"n,,n=user,r=x,t", false, false, ErrorCode::protocol},
        {"n,b=x,n=user,r=x", false, false, ErrorCode::protocol},
        {"n,a==,n=user,r=x", false, false, ErrorCode::protocol},
        {"n,,n=\xff,r=x", false, false, ErrorCode::protocol},
        {"p=tls-exporter,,n=user,r=x", false, true, ErrorCode::protocol},    // a binding, but not -PLUS
        {"n,,n=user,r=x", true, true, ErrorCode::protocol},                  // -PLUS, but no binding
        {"y,,n=user,r=x", true, true, ErrorCode::protocol},
        {"y,,n=user,r=x", false, true, ErrorCode::refused},                  // somebody hid our -PLUS
        {"p=tls-unique,,n=user,r=x", true, true, ErrorCode::refused},
        {"p=,,n=user,r=x", true, true, ErrorCode::refused},
        {"p=tls-exporter,,n=user,r=x", true, false, ErrorCode::refused},
    };
    for (const First& one : cases) {
        ScramServer server({one.is_plus, one.has_binding ? "exported" : "", "", "nonce"});
        const auto names = server.read_first(one.text);
        ASSERT_FALSE(names) << one.text;
        EXPECT_EQ(names.error().code(), one.wanted) << one.text << ": " << names.error().text();
    }
    auto server = plain_server();
    EXPECT_FALSE(server.read_first("n,,n=user,r=" + std::string(600, 'x')));
    EXPECT_FALSE(server.read_first("n,,n=" + std::string(5000, 'x') + ",r=x"));
    EXPECT_FALSE(server.read_first(std::string_view("n,,n=us\0er,r=x", 14)));
    EXPECT_TRUE(server.read_first("y,,n=user,r=x")) << "\"y\" is right where no binding is offered";
}

TEST(Scram, BindsToTheChannel)
{
    struct Case {
        const char* gs2;
        const char* binding;
        bool is_right;
    };
    const Case cases[] = {
        {"p=tls-exporter,,", "exported", true},   {"p=tls-server-end-point,,", "end point", true},
        {"p=tls-exporter,,", "end point", false}, {"p=tls-server-end-point,,", "exported", false},
        {"p=tls-exporter,,", "", false},          {"p=tls-exporter,,", "exported ", false},
        {"p=tls-exporter,a=user,", "exported", true},
    };
    for (const Case& one : cases) {
        auto server = plus_server();
        ScramClient client{.password = "pencil", .gs2 = one.gs2, .binding = one.binding};
        ASSERT_TRUE(server.read_first(client.first()));
        const auto final = server.read_final(client.answer(server.challenge(verifier_of("pencil"))));
        EXPECT_EQ(final.has_value(), one.is_right) << one.gs2 << one.binding;
        if (!final) EXPECT_TRUE(final.error().is(ErrorCode::refused));
    }
}

TEST(Scram, RefusesAnotherHeaderInTheEnd)
{
    // The client said "n" first and "y" then, or the other way round: the header that counts is the first one.
    for (const auto& [first, then] :
         {std::pair("n,,", "y,,"), std::pair("y,,", "n,,"), std::pair("n,,", "n,a=x,"), std::pair("n,,", "")}) {
        auto server = plain_server();
        ScramClient client{.password = "pencil", .gs2 = first};
        ASSERT_TRUE(server.read_first(client.first()));
        client.gs2 = then;
        EXPECT_FALSE(server.read_final(client.answer(server.challenge(verifier_of("pencil")))));
    }
}

TEST(Scram, RefusesFinalMessages)
{
    const std::string proof = ",p=" + encode_base64(std::string(32, 'x'));
    const std::pair<std::string, ErrorCode> cases[] = {
        {"", ErrorCode::protocol},
        {"c=biws", ErrorCode::protocol},
        {"c=biws,r=NONCE", ErrorCode::protocol},
        {"c=biws,r=NONCE,p=", ErrorCode::protocol},
        {"c=biws,r=NONCE,p=AAAA", ErrorCode::protocol},
        {"c=biws,r=NONCE,p=####", ErrorCode::protocol},
        {"r=NONCE,c=biws" + proof, ErrorCode::protocol},
        {"c=###,r=NONCE" + proof, ErrorCode::protocol},
        {"c=biws,s=NONCE" + proof, ErrorCode::protocol},
        {"c=biws,r=NONCE,m=x" + proof, ErrorCode::protocol},
        {"c=biws,r=NONCE" + proof + ",x=y", ErrorCode::protocol},
        {"c=biws,r=rOprNGfwEbeRWgbNEkqO" + proof, ErrorCode::refused},                    // only its own half of the nonce
        {"c=biws,r=rOprNGfwEbeRWgbNEkqO3rfcNHYJY1ZVvWVs7k" + proof, ErrorCode::refused},  // one letter differs
        {"c=biws,r=NONCE" + proof, ErrorCode::refused},
    };
    for (const auto& [text, wanted] : cases) {
        auto server = plain_server();
        ScramClient client{.password = "pencil"};
        ASSERT_TRUE(server.read_first(client.first()));
        server.challenge(verifier_of("pencil"));
        std::string message = text;
        if (const auto at = message.find("NONCE"); at != message.npos)
            message.replace(at, 5, "rOprNGfwEbeRWgbNEkqO3rfcNHYJY1ZVvWVs7j");
        const auto final = server.read_final(message);
        ASSERT_FALSE(final) << text;
        EXPECT_EQ(final.error().code(), wanted) << text << ": " << final.error().text();
    }
}

TEST(Scram, PassesOverExtensionsThatNeedNotBeKnown)
{
    auto server = plain_server();
    ScramClient client{.password = "pencil", .first_extension = ",t=x", .final_extension = ",x=y,Z=1"};
    ASSERT_TRUE(server.read_first(client.first()));
    EXPECT_TRUE(server.read_final(client.answer(server.challenge(verifier_of("pencil")))));
}

TEST(ScramVerifier, ReadsWhatOthersExport)
{
    const ScramVerifier wanted = verifier_of("pencil");
    // The keys of RFC 7677's example, as PostgreSQL and Dovecot write them.
    const std::string rfc =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    const std::string dovecot =
        "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    EXPECT_EQ(format_verifier(wanted), rfc);
    for (const std::string& text : {rfc, dovecot}) {
        const auto verifier = parse_verifier(text);
        ASSERT_TRUE(verifier) << text;
        EXPECT_EQ(format_verifier(*verifier), rfc);
        EXPECT_TRUE(matches(*verifier, Secret("pencil"sv)));
        EXPECT_FALSE(matches(*verifier, Secret("pencils"sv)));
        EXPECT_FALSE(matches(*verifier, Secret(""sv)));
    }
}

TEST(ScramVerifier, FitsWhatOtherProgramsMade)
{
    // doveadm pw, gsasl --mkpasswd
    for (
        const std::string_view text :
        {"{SCRAM-SHA-256}4096,ENusEk4b0uV+ABPaPxwqFA==,llqx5HOanU//6I+ZPqxbQwQQVccoBe2rF4lhL+Yw2EE=,P70Wqryn/GQflTS0ukcDHCbts38fBK9pcI885wFaJVs="sv,
         "{SCRAM-SHA-256}8192,gGGwP6F/w897jgNt,pZX38yl3QJUd/fHfUuFT9WJlMy6q1JfLXOqi8OkuPcA=,BfPBrBgVFxhO+Fxpb04bgg7b0BDu6QfYE2pJtQIkFRI="sv}) {
        const auto verifier = parse_verifier(text);
        ASSERT_TRUE(verifier) << text << ": " << verifier.error().text();
        EXPECT_TRUE(matches(*verifier, Secret("pencil"sv)));
        EXPECT_FALSE(matches(*verifier, Secret("Pencil"sv)));
    }
}

TEST(ScramVerifier, RefusesWhatIsBrokenOrTooDear)
{
    const std::string keys = "$" + encode_base64(std::string(32, 'a')) + ":" + encode_base64(std::string(32, 'b'));
    const std::string salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
    const std::string cases[] = {
        "",
        "SCRAM-SHA-256",
        "SCRAM-SHA-256$",
        "SCRAM-SHA-256$4096",
        "SCRAM-SHA-256$4096:" + salt,
        "SCRAM-SHA-1$4096:" + salt + keys,
        "SCRAM-SHA-256$4095:" + salt + keys,
        "SCRAM-SHA-256$1000001:" + salt + keys,
        "SCRAM-SHA-256$1000000000:" + salt + keys,
        "SCRAM-SHA-256$99999999999999999999:" + salt + keys,
        "SCRAM-SHA-256$-4096:" + salt + keys,
        "SCRAM-SHA-256$0:" + salt + keys,
        "SCRAM-SHA-256$4096 :" + salt + keys,
        "SCRAM-SHA-256$4096:" + keys,
        "SCRAM-SHA-256$4096:AAAA" + keys,
        "SCRAM-SHA-256$4096:" + encode_base64(std::string(65, 's')) + keys,
        "SCRAM-SHA-256$4096:" + salt + keys + "x",
        "SCRAM-SHA-256$4096:" + salt + keys.substr(0, keys.size() - 4),
        "SCRAM-SHA-256$4096:" + salt + "$AAAA:AAAA",
        "{SCRAM-SHA-1}4096," + salt + ",AAAA,AAAA",
    };
    for (const std::string& text : cases) EXPECT_FALSE(parse_verifier(text)) << text;
    EXPECT_TRUE(parse_verifier("SCRAM-SHA-256$1000000:" + salt + keys));
}

}  // namespace ekiden::sasl
