#include "dns/resolver.hpp"

#include "base/fd.hpp"
#include "dns/hosts_file.hpp"
#include "dns/rdata.hpp"
#include "support/memory_stream.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

namespace ekiden::dns {
namespace {

using namespace std::chrono_literals;

Record address_record(const char* text)
{
    Record record{};
    record.address = *net::parse_address(text);
    record.type = record.address.is_v4() ? Type::a : Type::aaaa;
    return record;
}

std::string show(const Result<Answer>& answer)
{
    if (!answer) return "trouble: " + answer.error().text();
    if (answer->absence == Absence::no_such_name) return "no such name";
    if (answer->absence == Absence::no_such_record) return "no such record";
    std::string text;
    for (const auto& record : answer->records) {
        if (!text.empty()) text += " ";
        switch (record.type) {
        case Type::a:
        case Type::aaaa: text += net::format_address(record.address); break;
        case Type::mx: text += std::to_string(record.preference) + ":" + record.name; break;
        case Type::txt: text += record.text; break;
        default: text += record.name;
        }
    }
    return text;
}

TEST(rdata, parses_only_what_is_whole)
{
    using namespace std::string_literals;
    const struct {
        Type type;
        std::string data;
        const char* want;   // nullptr: malformed
    } cases[] = {
        {Type::a, "\x7f\0\0\1"s, "127.0.0.1"},
        {Type::a, "\x7f\0\0"s, nullptr},
        {Type::aaaa, std::string(15, '\0') + "\1", "::1"},
        {Type::aaaa, std::string(17, '\0'), nullptr},
        {Type::mx, "\0\x0a\2MX\4Test\0"s, "10:mx.test"},
        {Type::mx, "\0\0\0"s, "0:"},
        {Type::mx, "\0\x0a\2mx"s, nullptr},
        {Type::mx, "\0\x0a\5mx\0"s, nullptr},
        {Type::mx, "\0\x0a\2mx\0x"s, nullptr},
        {Type::mx, "\0\x0a\2m.\0"s, nullptr},
        {Type::mx, "\0\x0a\2m\n\0"s, nullptr},
        {Type::mx, "\0"s, nullptr},
        {Type::ptr, "\4host\0"s, "host"},
        {Type::ns, "\2ns\4host\0"s, "ns.host"},
        {Type::ns, "\2ns"s, nullptr},
        {Type::ptr, "\xc0\x0c"s, nullptr},
        {Type::ptr, std::string("\x40") + std::string(64, 'a') + "\0", nullptr},
        {Type::txt, "\3abc\2de"s, "abcde"},
        {Type::txt, ""s, ""},
        {Type::txt, "\4abc"s, nullptr},
    };
    for (const auto& c : cases) {
        auto record = parse_rdata(c.type, c.data);
        ASSERT_EQ(record.has_value(), c.want != nullptr) << name_of(c.type) << testing::PrintToString(c.data);
        if (!record) continue;
        Answer answer;
        answer.records.push_back(*record);
        EXPECT_EQ(show(answer), c.want);
    }
    std::string endless;
    for (int i = 0; i < 100; ++i) endless += "\3abc";
    EXPECT_FALSE(parse_rdata(Type::ptr, endless + std::string(1, '\0')));
}

TEST(is_askable, refuses_what_cannot_be_a_name)
{
    for (const char* good : {"a", "a.b", "a.b.", "_dmarc.example.com", "2.0.0.127.rbl.test", "xn--e1afmkfd.example"}) {
        EXPECT_TRUE(is_askable(good)) << good;
    }
    const std::string long_label(64, 'a');
    for (const std::string& bad :
         {std::string(), std::string("."), std::string("a..b"), std::string(".a"), long_label, std::string("a b"),
          std::string("a\\b"), std::string("\xc3\xa9.fr"), std::string(300, 'a'), std::string("a\nb")}) {
        EXPECT_FALSE(is_askable(bad)) << testing::PrintToString(bad);
    }
}

TEST(reverse_name, of_both_families)
{
    EXPECT_EQ(reverse_labels(*net::parse_address("127.0.0.2")), "2.0.0.127");
    EXPECT_EQ(reverse_name(*net::parse_address("192.0.2.1")), "1.2.0.192.in-addr.arpa");
    EXPECT_EQ(reverse_name(*net::parse_address("2001:db8::567:89ab")),
              "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

TEST(not_found_text, is_postfix_words)
{
    EXPECT_EQ(not_found_text("x.test", Type::aaaa, Absence::no_such_name),
              "Host or domain name not found. Name service error for name=x.test type=AAAA: Host not found");
    EXPECT_EQ(
        not_found_text("x.test", Type::mx, Absence::no_such_record),
        "Host or domain name not found. Name service error for name=x.test type=MX: Host found but no data record of "
        "requested type");
    EXPECT_EQ(trouble_with("x.test", Type::mx).text(),
              "Host or domain name not found. Name service error for name=x.test type=MX: Host not found, try again");
}

TEST(find_addresses, joins_families_and_prefers_what_it_has)
{
    test::Loop loop;
    FakeResolver resolver;
    resolver.add("both.test", address_record("192.0.2.1"));
    resolver.add("both.test", address_record("2001:db8::1"));
    resolver.add("four.test", address_record("192.0.2.2"));
    resolver.add("six.test", address_record("2001:db8::2"));
    resolver.add("half.test", address_record("192.0.2.3"));
    resolver.fail("half.test", Type::aaaa);
    resolver.add("weak.test", address_record("192.0.2.4"));
    resolver.fail("weak.test", Type::a);
    resolver.fail("bad.test", Type::a);
    resolver.add("text.test", Record{.type = Type::txt, .text = "x"});
    resolver.add("alias.test", Record{.type = Type::cname, .name = "Both.test"});
    resolver.add("round.test", Record{.type = Type::cname, .name = "round.test"});
    const struct {
        const char* name;
        AddressFamilies families;
        const char* want;
    } cases[] = {
        {"both.test", {}, "192.0.2.1 2001:db8::1"},
        {"BOTH.test", {}, "192.0.2.1 2001:db8::1"},
        {"both.test", {true, false}, "192.0.2.1"},
        {"both.test", {false, true}, "2001:db8::1"},
        {"four.test", {}, "192.0.2.2"},
        {"four.test", {false, true}, "no such record"},
        {"six.test", {}, "2001:db8::2"},
        {"half.test", {}, "192.0.2.3"},
        {"weak.test", {}, "trouble: Host or domain name not found. Name service error for name=weak.test type=A: Host not found, try again"},
        {"bad.test", {}, "trouble: Host or domain name not found. Name service error for name=bad.test type=A: Host not found, try again"},
        {"text.test", {}, "no such record"},
        {"nothing.test", {}, "no such name"},
        {"alias.test", {}, "192.0.2.1 2001:db8::1"},
        {"round.test", {true, false}, "trouble: Host or domain name not found. Name service error for name=round.test type=A: Host not found, try again"},
    };
    for (const auto& c : cases)
        EXPECT_EQ(show(loop.run(find_addresses(resolver, c.name, c.families))), c.want) << c.name;
}

class TempFile {
public:
    explicit TempFile(const std::string& content)
        : path_(testing::TempDir() + "dns_test." + std::to_string(getpid()) + "." + std::to_string(++count_))
    {
        std::ofstream(path_) << content;
    }
    ~TempFile() { unlink(path_.c_str()); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
    static inline int count_ = 0;
};

std::string show(const std::optional<Answer>& answer) { return answer ? show(Result<Answer>(*answer)) : "unknown"; }

TEST(hosts_file, knows_names_and_addresses)
{
    TempFile file("127.0.0.1\tlocalhost localhost.localdomain # the loopback\n"
                  "# 192.0.2.9 commented\n"
                  "::1 localhost ip6-localhost\r\n"
                  "192.0.2.1 Host.Example host\n"
                  "192.0.2.1 second\n"
                  "bad.address x\n192.0.2.2\n\n");
    HostsFile hosts(file.path());
    const struct {
        const char* name;
        Type type;
        const char* want;
    } cases[] = {
        {"localhost", Type::a, "127.0.0.1"},
        {"LOCALHOST", Type::aaaa, "::1"},
        {"localhost.localdomain", Type::aaaa, "no such record"},
        {"host.example", Type::a, "192.0.2.1"},
        {"host", Type::mx, "unknown"},
        {"commented", Type::a, "unknown"},
        {"x", Type::a, "unknown"},
        {"1.2.0.192.in-addr.arpa", Type::ptr, "host.example"},
        {"2.2.0.192.in-addr.arpa", Type::ptr, "unknown"},
        {"1.2.0.192.in-addr.arpa", Type::a, "unknown"},
    };
    for (const auto& c : cases) EXPECT_EQ(show(hosts.find(c.name, c.type)), c.want) << c.name;
    HostsFile missing("/nonexistent/hosts");
    EXPECT_EQ(show(missing.find("localhost", Type::a)), "unknown");
}

// A name server on a loopback port, with a few answers; names that contain "silent" get none.
class NameServer {
public:
    NameServer() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        socklen_t length = sizeof address;
        getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~NameServer()
    {
        ::shutdown(socket_.get(), SHUT_RDWR);
        thread_.join();
    }
    std::string where() const { return "127.0.0.1:" + std::to_string(port_); }
    int questions() const { return questions_; }

private:
    void serve()
    {
        std::array<char, 1500> packet;
        for (;;) {
            sockaddr_in peer{};
            socklen_t length = sizeof peer;
            const ssize_t count =
                ::recvfrom(socket_.get(), packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&peer), &length);
            if (count <= 0) return;
            std::string_view wire(packet.data() + 12, static_cast<std::size_t>(count) - 12);
            const auto name = take_name(wire).value_or("");
            ++questions_;
            if (name.find("silent") != name.npos) continue;
            const auto type = static_cast<unsigned char>(wire[1]);
            const std::size_t question_end = static_cast<std::size_t>(count) - wire.size() + 4;
            std::string answer(packet.data(), question_end);
            answer[2] = '\x81';
            answer[3] = '\x80';
            std::string records;
            const auto add = [&](const std::string& data) {
                using namespace std::string_literals;
                records += "\xc0\x0c\0"s + static_cast<char>(type) + "\0\1\0\0\1\x2c\0"s +
                           static_cast<char>(data.size()) + data;
                ++answer[7];
            };
            answer[7] = answer[9] = answer[11] = 0;
            using namespace std::string_literals;
            if (name.ends_with("servfail.test")) answer[3] = '\x82';
            else if (name == "mail.test" && type == 15) add("\0\x0a\2mx\4mail\4test\0"s);
            else if (name == "mx.mail.test" && type == 1) add("\x7f\0\0\x19"s);
            else if (name == "localhost" && type == 1) add("\x7f\0\0\x63"s);
            else if (name.ends_with("nothing.test")) answer[3] = '\x83';
            else if (name.ends_with("absent.test")) {   // with the record that says for how long
                answer[3] = '\x83';
                records += "\6absent\4test\0\0\6\0\1\0\0\1\x2c\0\x16\0\0"s + "\0\0\0\1"
                                                                             "\0\0\1\0"
                                                                             "\0\0\1\0"
                                                                             "\0\0\1\0"
                                                                             "\0\0\1\x2c"s;
                ++answer[9];
            }
            answer += records;
            ::sendto(socket_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&peer), length);
        }
    }
    base::Fd socket_;
    std::uint16_t port_ = 0;
    std::atomic<int> questions_{0};
    std::thread thread_;
};

TEST(unbound_resolver, asks_the_configured_server)
{
    NameServer server;
    TempFile hosts("127.0.0.1 localhost\n");
    TempFile conf("nameserver 192.0.2.1\noptions timeout:1 attempts:2\n");
    ResolverOptions options;
    options.server = server.where();
    options.hosts_file = hosts.path();
    options.resolv_conf = conf.path();
    test::Loop loop;
    auto resolver = open_resolver(options);
    ASSERT_TRUE(resolver) << resolver.error().text();
    const struct {
        const char* name;
        Type type;
        const char* want;
    } cases[] = {
        {"mail.test", Type::mx, "10:mx.mail.test"},
        {"Mail.Test.", Type::mx, "10:mx.mail.test"},
        {"mx.mail.test", Type::a, "127.0.0.25"},
        {"mx.mail.test", Type::aaaa, "no such record"},
        {"nothing.test", Type::a, "no such name"},
        {"x.servfail.test", Type::mx, "trouble: Host or domain name not found. Name service error for name=x.servfail.test type=MX: Host not found, try again"},
        {"localhost", Type::a, "127.0.0.1"},
        {"a..b", Type::a, "no such name"},
    };
    for (const auto& c : cases) EXPECT_EQ(show(loop.run((*resolver)->query(c.name, c.type))), c.want) << c.name;
    EXPECT_EQ(show(loop.run((*resolver)->query_dns("localhost", Type::a))), "127.0.0.99");

    const int before = server.questions();
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(show(loop.run((*resolver)->query("mail.test", Type::mx))), "10:mx.mail.test");
    EXPECT_EQ(server.questions(), before);

    // What does not exist is remembered too.
    EXPECT_EQ(show(loop.run((*resolver)->query_dns("1.2.3.4.absent.test", Type::a))), "no such name");
    const int after_absent = server.questions();
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(show(loop.run((*resolver)->query_dns("1.2.3.4.absent.test", Type::a))), "no such name");
    EXPECT_EQ(server.questions(), after_absent);

    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(
        show(loop.run((*resolver)->query("x.silent.test", Type::a))),
        "trouble: Host or domain name not found. Name service error for name=x.silent.test type=A: Host not found, try again");
    EXPECT_LT(std::chrono::steady_clock::now() - start, 4s);
    // One silent name does not make the server deaf for others.
    EXPECT_EQ(show(loop.run((*resolver)->query("other.nothing.test", Type::a))), "no such name");
}

TEST(unbound_resolver, refuses_bad_servers)
{
    for (const char* bad : {"name.server", "127.0.0.1:0", "127.0.0.1:x", "127.0.0.1@99999", ":53"}) {
        ResolverOptions options;
        options.server = bad;
        EXPECT_FALSE(open_resolver(options)) << bad;
    }
}

}  // namespace
}  // namespace ekiden::dns
