#include "tls/engine.hpp"

#include "base/log_sinks.hpp"
#include "support/memory_stream.hpp"
#include "tls/handshake_turns.hpp"
#include "tls/peer.hpp"
#include "unit/tls/client.hpp"

#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <malloc.h>

namespace ekiden::tls {
namespace {

using namespace std::chrono_literals;
using ekiden::test::Loop;
using test::Client;
using test::ClientSetup;
using test::Folder;
using test::Kind;
using testing::HasSubstr;

class Engine : public testing::Test {
protected:
    Engine()
    {
        base::use_sink(base::function_sink(
            [this](base::LogLevel, std::string_view, std::string line) { log_lines.push_back(std::move(line)); }));
        options = test::usual_options(
            {folder.write("rsa.pem", test::rsa().pem()), folder.write("ec.pem", test::ecdsa().pem())});
    }
    ~Engine() override { base::use_sink(nullptr); }

    // A client and a server whose handshake has not begun.
    struct Ends {
        std::unique_ptr<Client> client;
        ConnectionPtr server;
        std::shared_ptr<net::MemoryLink> to_server, to_client;
    };
    Ends make_ends(ContextPtr context, const ClientSetup& setup = {}, std::size_t buffer = 65536)
    {
        auto pipe = net::make_memory_pipe(loop.executor(), buffer);
        Ends ends;
        ends.client = std::make_unique<Client>(std::move(pipe.a), setup);
        ends.server =
            make_server_connection(std::move(pipe.b), std::move(context), {&log, "client[192.0.2.1]", options.log});
        ends.to_server = pipe.a_to_b;
        ends.to_client = pipe.b_to_a;
        return ends;
    }
    static Task<void> connect_in_background(Client& client) { (void)co_await client.connect(); }
    // Both sides; the server's result.
    Result<void> shake(Ends& ends)
    {
        loop.start(connect_in_background(*ends.client));
        auto result = loop.run(ends.server->accept());
        // What the client waits for will not come.
        if (!result) ends.client->below().close();
        loop.poll();
        return result;
    }
    static Task<void> write_in_background(net::Stream& stream, std::string bytes)
    {
        const auto written = co_await stream.write(bytes);
        EXPECT_TRUE(written);
    }
    static Task<void> client_writes(Client& client, std::string bytes)
    {
        EXPECT_TRUE(co_await client.write(std::move(bytes)));
    }
    static Task<Result<std::string>> read_all(net::Stream& stream, std::size_t size)
    {
        std::string got;
        while (got.size() < size) {
            char buffer[20000];
            EKIDEN_CO_TRY_VALUE(
                count, co_await stream.read_some(std::span(buffer, std::min(sizeof buffer, size - got.size()))));
            got.append(buffer, count);
        }
        co_return got;
    }
    bool was_logged(const std::string& text)
    {
        base::flush_log();
        return std::ranges::any_of(log_lines, [&](const std::string& line) { return line.find(text) != line.npos; });
    }

    Loop loop;
    Folder folder;
    ServerOptions options;
    Logger log{"postfix/smtpd"};
    std::vector<std::string> log_lines;
};

TEST_F(Engine, speaks_each_version_and_says_what_was_agreed)
{
    const struct {
        int version;
        const char* ciphers;
        std::string want;
    } rows[] = {
        {TLS1_3_VERSION, nullptr, "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature ECDSA (prime256v1) server-digest SHA256"},
        {TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2 with cipher ECDHE-RSA-AES128-GCM-SHA256 (128/128 bits)"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)"},
        {TLS1_2_VERSION, "DHE-RSA-AES256-GCM-SHA384", "TLSv1.2 with cipher DHE-RSA-AES256-GCM-SHA384 (256/256 bits)"},
        {TLS1_VERSION, "ECDHE-RSA-AES256-SHA:@SECLEVEL=0", "TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits)"},
    };
    const auto context = test::context_of(options);
    for (const auto& row : rows) {
        Ends ends = make_ends(context, {.lowest = row.version, .highest = row.version, .ciphers = row.ciphers});
        const auto result = shake(ends);
        ASSERT_TRUE(result) << row.want << ": " << result.error().text();
        EXPECT_EQ(describe(ends.server->summary()), row.want);
    }
}

TEST_F(Engine, carries_bytes_whole_in_both_directions)
{
    const auto context = test::context_of(options);
    for (const std::size_t piece : {1u, 7u, 100000u}) {
        for (const std::size_t buffer : {300u, 65536u}) {
            Ends ends = make_ends(context, {}, buffer);
            ASSERT_TRUE(shake(ends));
            ends.to_server->limit_reads(piece);
            for (const std::size_t size : {1u, 511u, 512u, 513u, 16383u, 16384u, 16385u, 70000u}) {
                if (piece < 8 && size > 20000) continue;
                std::string text(size, 'x');
                for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 26);
                loop.start(client_writes(*ends.client, text));
                const auto got = loop.run(read_all(*ends.server, size));
                ASSERT_TRUE(got) << got.error().text();
                EXPECT_EQ(*got, text) << size;
                loop.start(write_in_background(*ends.server, text));
                const auto back = loop.run(ends.client->read(size));
                ASSERT_TRUE(back) << back.error().text();
                EXPECT_EQ(*back, text) << size;
            }
        }
    }
}

Task<void> write_pieces(net::Stream& stream, const std::vector<std::string_view>& pieces)
{
    EXPECT_TRUE(co_await stream.write(std::span<const std::string_view>(pieces)));
}

TEST_F(Engine, small_pieces_travel_in_one_record)
{
    options.ticket_cipher.clear();      // nothing else shall be on the wire
    Ends ends = make_ends(test::context_of(options));
    ASSERT_TRUE(shake(ends));
    std::vector<std::string_view> pieces{"", "250-one\r\n", "", "250-two\r\n", "250 three\r\n", ""};
    loop.run(write_pieces(*ends.server, pieces));
    char wire[1000];
    const auto count = loop.run(ends.client->below().read_some(wire));
    ASSERT_TRUE(count);
    const std::size_t plain = 9 + 9 + 11;
    EXPECT_EQ(*count, plain + 5 + 16 + 1) << "one header, one tag, one byte for the kind";

    // Large and small ones mixed, more than a record and more than is gathered.
    const std::string big(50000, 'b'), small(10, 's'), middle(16384, 'm');
    std::vector<std::string_view> mixed;
    std::string want;
    for (int i = 0; i < 4; ++i) {
        for (const std::string* text : {&small, &big, &small, &small, &middle, &middle, &small}) {
            mixed.push_back(*text);
            want += *text;
        }
    }
    Ends other = make_ends(test::context_of(options));
    ASSERT_TRUE(shake(other));
    loop.start(write_pieces(*other.server, mixed));
    EXPECT_EQ(*loop.run(other.client->read(want.size())), want);
}

TEST_F(Engine, a_flood_of_key_changes_is_the_end)
{
    for (const bool wants_answer : {true, false}) {
        Ends ends = make_ends(test::context_of(options));
        ASSERT_TRUE(shake(ends));
        auto change_keys = [&](int times) {
            for (int i = 0; i < times; ++i) {
                ASSERT_EQ(SSL_key_update(ends.client->ssl(),
                                         wants_answer ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED),
                          1);
                ASSERT_EQ(SSL_do_handshake(ends.client->ssl()), 1);
            }
            loop.start(client_writes(*ends.client, "NOOP"));
        };
        change_keys(10);
        const auto got = loop.run(read_all(*ends.server, 4));
        ASSERT_TRUE(got) << got.error().text();
        EXPECT_EQ(*got, "NOOP");
        change_keys(100);
        const auto flooded = loop.run(read_all(*ends.server, 4));
        ASSERT_FALSE(flooded);
        EXPECT_TRUE(flooded.error().is(ErrorCode::protocol));
        EXPECT_FALSE(loop.run(read_all(*ends.server, 1))) << "nothing is heard any more";
    }
}

TEST_F(Engine, a_wire_that_breaks_anywhere_ends_the_handshake)
{
    const auto context = test::context_of(options);
    for (std::size_t at = 0; at < 380; at += 13) {
        Ends ends = make_ends(context);
        ends.to_server->break_after(at, Error(ErrorCode::closed, "connection closed"));
        const auto result = shake(ends);
        ASSERT_FALSE(result) << at;
        EXPECT_TRUE(result.error().is(ErrorCode::closed)) << at;
        EXPECT_TRUE(ends.server->failures().empty());
    }
    // On the way back the server learns of it at the next step.
    for (std::size_t at = 0; at < 600; at += 97) {
        Ends ends = make_ends(context);
        ends.to_client->break_after(at, Error(ErrorCode::closed, "Connection reset by peer"));
        ends.to_server->break_after(2000, Error(ErrorCode::closed, "connection closed"));
        ends.server->set_time_limit(50ms);
        EXPECT_FALSE(shake(ends)) << at;
    }
}

TEST_F(Engine, a_wire_that_stalls_anywhere_ends_at_the_deadline)
{
    const auto context = test::context_of(options);
    for (const std::size_t at : {0u, 3u, 5u, 100u, 250u, 330u}) {
        Ends ends = make_ends(context);
        ends.to_server->stall_after(at);
        ends.server->set_time_limit(5ms);
        const auto result = shake(ends);
        ASSERT_FALSE(result) << at;
        EXPECT_TRUE(result.error().is(ErrorCode::timeout)) << at;
    }
    Ends ends = make_ends(context);
    ASSERT_TRUE(shake(ends));
    ends.server->set_time_limit(5ms);
    const auto got = loop.run(read_all(*ends.server, 1));
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(ErrorCode::timeout));
    // And goes on when there is time again.
    ends.server->set_time_limit(10s);
    loop.start(client_writes(*ends.client, "late"));
    EXPECT_EQ(*loop.run(read_all(*ends.server, 4)), "late");
}

Task<void> write_plain(net::Stream& stream, std::string bytes) { (void)co_await stream.write(bytes); }
Task<void> accept_in_background(Connection& server) { (void)co_await server.accept(); }

TEST_F(Engine, a_client_that_says_nothing_or_half_a_record_costs_little)
{
    constexpr std::size_t count = 200;
    const std::string half = std::string("\x16\x03\x01\x40\x00", 5) + std::string(300, 'x');    // of 16 KiB
    const auto context = test::context_of(options);
    for (const std::string& said : {std::string(), half}) {
        std::vector<Ends> all;
        for (std::size_t i = 0; i < count; ++i) all.push_back(make_ends(context, {}, 1024));
        const auto used = [] { return ::mallinfo2().uordblks + ::mallinfo2().hblkhd; };
        const std::size_t before = used();
        for (Ends& ends : all) {
            if (!said.empty()) loop.start(write_plain(ends.client->below(), said));
            loop.start(accept_in_background(*ends.server));
        }
        loop.poll();
        EXPECT_LT(used() - before, count * 6000) << said.size();    // OpenSSL would take 56 KiB
        for (Ends& ends : all) ends.client->below().close();
        loop.poll();
    }
}

TEST_F(Engine, a_handshake_may_come_by_the_byte)
{
    // Of TLS 1.2: the server has the last word, and the client reads it.
    Ends ends = make_ends(test::context_of(options), {.highest = TLS1_2_VERSION}, 1);
    ends.server->set_time_limit(30s);
    EXPECT_TRUE(shake(ends));
}

TEST_F(Engine, garbage_is_refused_with_openssl_words)
{
    const auto context = test::context_of(options);
    const std::pair<std::string, std::string> rows[] = {
        {"EHLO client.example\r\n", "wrong version number"},
        {"GET / HTTP/1.0\r\n\r\n", "http request"},
        {std::string("\x16\x03\x01\x00\x05" "aaaaa", 10), "unexpected message"},
        {std::string("\x16\x02\x00\x00\x40", 5), "wrong version number"},    // and nothing more
        {std::string("\x16\x03\x01\xff\xff", 5) + std::string(70000, 'z'), "packet length too long"},
    };
    for (const auto& [bytes, reason] : rows) {
        Ends ends = make_ends(context, {}, 1u << 20);
        loop.start(write_plain(ends.client->below(), bytes));
        const auto result = loop.run(ends.server->accept());
        ASSERT_FALSE(result) << bytes;
        EXPECT_TRUE(result.error().is(ErrorCode::protocol)) << bytes;
        ASSERT_FALSE(ends.server->failures().empty());
        EXPECT_THAT(ends.server->failures().front(), HasSubstr(reason));
        EXPECT_TRUE(ends.server->failures().front().starts_with("error:0A")) << ends.server->failures().front();
        char byte[1];
        EXPECT_FALSE(loop.run(ends.server->read_some(byte)));
        EXPECT_FALSE(loop.run(ends.server->write("x")));
    }
}

TEST_F(Engine, a_record_that_was_changed_breaks_the_connection)
{
    Ends ends = make_ends(test::context_of(options));
    ASSERT_TRUE(shake(ends));
    loop.start(write_plain(ends.client->below(), std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x')));
    const auto got = loop.run(read_all(*ends.server, 1));
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().is(ErrorCode::protocol));
    EXPECT_FALSE(loop.run(ends.server->write("x")));
}

TEST_F(Engine, both_ends_of_a_session_are_orderly)
{
    for (const bool is_polite : {true, false}) {
        Ends ends = make_ends(test::context_of(options));
        ASSERT_TRUE(shake(ends));
        if (is_polite) {
            SSL_shutdown(ends.client->ssl());
            (void)loop.run(ends.client->flush());
        } else {
            ends.client->below().close();
        }
        const auto got = loop.run(read_all(*ends.server, 1));
        ASSERT_FALSE(got);
        EXPECT_TRUE(got.error().is(ErrorCode::closed));
    }
    Ends ends = make_ends(test::context_of(options));
    ASSERT_TRUE(shake(ends));
    loop.run(ends.server->say_goodbye());
    const auto end = loop.run(ends.client->read(1));
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().text(), "close_notify");
}

TEST_F(Engine, renegotiation_is_refused)
{
    Ends ends = make_ends(test::context_of(options), {.highest = TLS1_2_VERSION});
    ASSERT_TRUE(shake(ends));
    SSL_renegotiate(ends.client->ssl());
    SSL_do_handshake(ends.client->ssl());
    (void)loop.run(ends.client->flush());
    ends.server->set_time_limit(20ms);
    EXPECT_FALSE(loop.run(read_all(*ends.server, 1))) << "no second handshake, and no data";
    ends.server->close();
    EXPECT_FALSE(loop.run(ends.client->connect()));
}

TEST_F(Engine, protocols_and_ciphers_of_the_settings_hold)
{
    options.protocols = *parse_protocols(">=TLSv1.2, <=TLSv1.2");
    options.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
    const auto context = test::context_of(options);
    Ends old = make_ends(context, {.highest = TLS1_1_VERSION});
    EXPECT_FALSE(shake(old));
    EXPECT_THAT(old.server->failures().front(), HasSubstr("unsupported protocol"));
    Ends good = make_ends(context);
    ASSERT_TRUE(shake(good));
    EXPECT_EQ(good.server->summary().cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
    Ends other = make_ends(context, {.highest = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"});
    EXPECT_FALSE(shake(other));
    EXPECT_THAT(other.server->failures().front(), HasSubstr("no shared cipher"));

    std::vector<std::string> warnings;
    options.ciphers = "foo";
    EXPECT_EQ(make_context(options, warnings).error().text(),
              "error setting cipher grade: \"medium\" (no cipher match)");
}

TEST_F(Engine, client_certificates_are_looked_at_and_never_demanded_here)
{
    const auto authority = test::make_certificate(Kind::ecdsa, "Test CA (x)");
    const auto known = test::make_certificate(Kind::ecdsa, "client one", &authority, "org");
    const auto stranger = test::make_certificate(Kind::ed25519, "selfy");
    options.asks_certificate = true;
    options.ca_file = folder.write("ca.pem", authority.certificate_pem());
    options.log = log_summary | log_verbose;
    const auto context = test::context_of(options);

    Ends none = make_ends(context);
    ASSERT_TRUE(shake(none));
    EXPECT_TRUE(none.server->summary().was_certificate_asked);
    EXPECT_FALSE(none.server->summary().has_certificate);

    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Ends trusted = make_ends(context, {.lowest = version, .highest = version, .certificate = &known});
        ASSERT_TRUE(shake(trusted));
        const Summary& s = trusted.server->summary();
        EXPECT_TRUE(s.has_certificate && s.is_verified);
        EXPECT_EQ(s.subject, "client one");
        EXPECT_EQ(s.issuer, "Test CA (x)");
        EXPECT_EQ(s.certificate_fingerprint, certificate_fingerprint(known.certificate.get(), "sha256"));
        EXPECT_EQ(s.certificate_fingerprint.size(), 95u);
        EXPECT_EQ(s.key_fingerprint, key_fingerprint(known.certificate.get(), "sha256", false));
        EXPECT_NE(s.key_fingerprint, key_fingerprint(known.certificate.get(), "sha256", true));
        EXPECT_EQ(s.client_signature.scheme, version == TLS1_3_VERSION ? "ECDSA (prime256v1)" : "");

        Ends untrusted = make_ends(context, {.lowest = version, .highest = version, .certificate = &stranger});
        ASSERT_TRUE(shake(untrusted));
        EXPECT_TRUE(untrusted.server->summary().has_certificate);
        EXPECT_FALSE(untrusted.server->summary().is_verified);
        EXPECT_EQ(untrusted.server->summary().client_signature.scheme, version == TLS1_3_VERSION ? "ED25519" : "");
    }
    EXPECT_TRUE(was_logged("client[192.0.2.1]: depth=1 verify=1 subject=/CN=Test CA (x)"));
    EXPECT_TRUE(was_logged("subject=/O=org/CN=client one"));
    EXPECT_TRUE(was_logged("client[192.0.2.1]: subject_CN=client one, issuer=Test CA (x), fingerprint="));
}

TEST_F(Engine, chains_longer_than_allowed_are_not_trusted)
{
    const auto root = test::make_certificate(Kind::ecdsa, "root");
    const auto leaf = test::make_certificate(Kind::ecdsa, "leaf", &root);
    options.asks_certificate = true;
    options.ca_file = folder.write("ca.pem", root.certificate_pem());
    for (const auto& [depth, is_trusted] : {std::pair(1, true), {0, true}}) {
        // Zero is as good as one: OpenSSL always allows what the authority signed itself.
        options.verify_depth = depth;
        Ends ends = make_ends(test::context_of(options), {.certificate = &leaf});
        ASSERT_TRUE(shake(ends));
        EXPECT_EQ(ends.server->summary().is_verified, is_trusted) << depth;
    }
}

TEST_F(Engine, tickets_resume_sessions_of_the_same_scope)
{
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        options.scope = "mail.example.test/smtp";
        Ends first = make_ends(test::context_of(options), {.lowest = version, .highest = version});
        ASSERT_TRUE(shake(first));
        EXPECT_FALSE(first.server->summary().is_resumed);
        loop.start(write_in_background(*first.server, "x"));
        (void)loop.run(first.client->read(1));      // the ticket came before it
        SSL_SESSION* session = SSL_get1_session(first.client->ssl());

        // The keys outlive the context: a reload does not send everybody through a whole handshake.
        Ends second = make_ends(test::context_of(options), {.lowest = version, .highest = version, .session = session});
        ASSERT_TRUE(shake(second));
        EXPECT_TRUE(second.server->summary().is_resumed) << version;
        EXPECT_EQ(SSL_session_reused(second.client->ssl()), 1);

        options.scope = "mail.example.test/submission";
        Ends elsewhere =
            make_ends(test::context_of(options), {.lowest = version, .highest = version, .session = session});
        if (shake(elsewhere)) EXPECT_FALSE(elsewhere.server->summary().is_resumed);
        SSL_SESSION_free(session);
    }
    options.ticket_cipher.clear();
    Ends without = make_ends(test::context_of(options));
    ASSERT_TRUE(shake(without));
    loop.start(write_in_background(*without.server, "x"));
    (void)loop.run(without.client->read(1));
    EXPECT_EQ(SSL_SESSION_has_ticket(SSL_get0_session(without.client->ssl())), 0);
}

TEST_F(Engine, sessions_of_clients_without_tickets_are_kept_where_there_is_a_cache)
{
    for (const bool has_cache : {true, false}) {
        options.has_session_cache = has_cache;
        const auto context = test::context_of(options);
        const ClientSetup setup{.highest = TLS1_2_VERSION, .wants_tickets = false};
        Ends first = make_ends(context, setup);
        ASSERT_TRUE(shake(first));
        SSL_SESSION* session = SSL_get1_session(first.client->ssl());
        unsigned length = 0;
        SSL_SESSION_get_id(session, &length);
        EXPECT_EQ(length, 32u) << "smtpd_tls_always_issue_session_ids";
        ClientSetup again = setup;
        again.session = session;
        Ends second = make_ends(context, again);
        ASSERT_TRUE(shake(second));
        EXPECT_EQ(second.server->summary().is_resumed, has_cache);
        SSL_SESSION_free(session);
    }
}

TEST_F(Engine, the_name_that_is_asked_for_chooses_the_chain)
{
    const auto foo = test::make_certificate(Kind::ecdsa, "foo.example"),
               wild = test::make_certificate(Kind::ed25519, "bar.example");
    const std::string foo_file = folder.write("foo.pem", foo.pem()), wild_file = folder.write("wild.pem", wild.pem());
    std::string inside = wild.pem(), encoded(inside.size() * 2, '\0');
    encoded.resize(static_cast<std::size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                                            reinterpret_cast<const unsigned char*>(inside.data()),
                                                            static_cast<int>(inside.size()))));
    options.server_names = table::Maps::open(
        "tls_server_sni_maps", "inline:{ { foo.example = " + foo_file + " } { .bar.example = " + wild_file +
                                   " } { .coded.example = " + encoded + " } { broken.example = /nonexistent.pem } }");
    options.log = log_summary;
    const auto context = test::context_of(options);
    const struct {
        std::string name, shown;
        const test::Made* want;
    } rows[] = {
        {"foo.example", "foo.example", &foo},    {"FOO.example", "FOO.example", &foo},  {"x.bar.example", "x.bar.example", &wild}, {"a.b.bar.example", "a.b.bar.example", &wild},
        {"x.coded.example", "x.coded.example", &wild}, {"bar.example", "", &test::ecdsa()}, {"none.example", "", &test::ecdsa()}, {"broken.example", "", &test::ecdsa()},
        {"", "", &test::ecdsa()},                {"foo.example", "foo.example", &foo},
    };
    for (const auto& row : rows) {
        Ends ends = make_ends(context, {.server_name = row.name});
        const auto result = shake(ends);
        ASSERT_TRUE(result) << row.name;
        EXPECT_EQ(ends.server->summary().server_name, row.shown);
        UniqueCertificate got(SSL_get1_peer_certificate(ends.client->ssl()));
        EXPECT_EQ(X509_cmp(got.get(), row.want->certificate.get()), 0) << row.name;
        EXPECT_EQ(ends.server->server_end_point(), server_end_point_of(row.want->certificate.get())) << row.name;
    }
    EXPECT_TRUE(was_logged("TLS SNI none.example from client[192.0.2.1] not matched, using default chain"));
    EXPECT_TRUE(was_logged(
        "TLS SNI broken.example from client[192.0.2.1]: error opening chain file: /nonexistent.pem: No such file or directory, using default chain"));

    // A renewed file is used for the next client.
    const auto renewed = test::make_certificate(Kind::ecdsa, "foo.example");
    folder.write("foo.pem", renewed.pem());
    Ends ends = make_ends(context, {.server_name = "foo.example"});
    ASSERT_TRUE(shake(ends));
    UniqueCertificate got(SSL_get1_peer_certificate(ends.client->ssl()));
    EXPECT_EQ(X509_cmp(got.get(), renewed.certificate.get()), 0);
}

TEST_F(Engine, a_name_that_is_none_reaches_no_table)
{
    const auto foo = test::make_certificate(Kind::ecdsa, "foo.example");
    const std::string file = folder.write("foo.pem", foo.pem());
    const std::string directory = file.substr(0, file.rfind('/'));
    options.server_names = table::Maps::open("tls_server_sni_maps", "regexp:{ { /^(.*)$/ " + directory + "/$1.pem } }");
    const auto context = test::context_of(options);
    const std::string through = ".." + directory.substr(directory.rfind('/')) + "/foo";
    const struct {
        std::string name;
        bool is_found;
    } rows[] = {{"foo", true}, {through, false}, {"./foo", false}, {"foo\n", false}, {std::string(250, '.'), false}};
    for (const auto& row : rows) {
        Ends ends = make_ends(context, {.server_name = row.name});
        ASSERT_TRUE(shake(ends)) << row.name;
        UniqueCertificate got(SSL_get1_peer_certificate(ends.client->ssl()));
        EXPECT_EQ(X509_cmp(got.get(), foo.certificate.get()) == 0, row.is_found) << row.name;
        EXPECT_EQ(ends.server->summary().server_name, row.is_found ? row.name : "");
    }
    EXPECT_TRUE(was_logged("TLS SNI from client[192.0.2.1] is no host name: " + through + ", using default chain"));
}

TEST_F(Engine, both_sides_derive_the_same_binding)
{
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Ends ends = make_ends(test::context_of(options), {.lowest = version, .highest = version});
        EXPECT_EQ(ends.server->exporter(), "");
        ASSERT_TRUE(shake(ends));
        unsigned char bytes[32];
        const std::string label = "EXPORTER-Channel-Binding";
        ASSERT_EQ(SSL_export_keying_material(ends.client->ssl(), bytes, sizeof bytes, label.data(), label.size(),
                                             nullptr, 0, 1),
                  1);
        EXPECT_EQ(ends.server->exporter(), std::string(reinterpret_cast<char*>(bytes), sizeof bytes));
    }
}

TEST_F(Engine, log_levels_add_states_and_dumps)
{
    options.log = log_summary | log_verbose | log_packets;
    Ends ends = make_ends(test::context_of(options));
    ASSERT_TRUE(shake(ends));
    EXPECT_TRUE(was_logged("SSL_accept:before SSL initialization"));
    EXPECT_TRUE(was_logged("SSL_accept:SSLv3/TLS read client hello"));
    EXPECT_TRUE(was_logged("client[192.0.2.1]: Issuing session ticket, key expiration: "));
    EXPECT_TRUE(was_logged("read from (5 bytes => 5 (0x5))"));
    EXPECT_TRUE(was_logged("0000 16 03 01 "));
    const auto lines = log_lines.size();
    loop.start(client_writes(*ends.client, "secret"));
    (void)loop.run(read_all(*ends.server, 6));
    base::flush_log();
    EXPECT_EQ(log_lines.size(), lines) << "only level 4 shows what comes after the handshake";
}

Task<void> tick(net::Executor executor, std::string& order, int times)
{
    for (int i = 0; i < times; ++i) {
        order += '.';
        co_await asio::post(executor, use_task);
    }
}
Task<void> take_turn(net::Executor executor, std::string& order)
{
    co_await HandshakeTurns::of(executor).wait(executor);
    order += 'H';
}

TEST(handshake_turns, let_others_run_between_two_steps)
{
    Loop loop;
    std::string order;
    for (int i = 0; i < 20; ++i) loop.start(take_turn(loop.executor(), order));
    loop.start(tick(loop.executor(), order, 50));
    loop.start(tick(loop.executor(), order, 50));
    loop.poll();
    EXPECT_EQ(std::ranges::count(order, 'H'), 20);
    EXPECT_EQ(order.find("HH"), order.npos) << order;
    EXPECT_EQ(HandshakeTurns::of(loop.executor()).waiting(), 0u);
    // Who waits when the loop goes away is let go with it.
    auto other = std::make_unique<Loop>();
    for (int i = 0; i < 3; ++i) other->start(take_turn(other->executor(), order));
    other->context().run_one();
    other->context().run_one();
    other.reset();
}

}  // namespace
}  // namespace ekiden::tls
