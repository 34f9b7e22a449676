#include "net/proxy_protocol.hpp"

#include "support/memory_stream.hpp"

#include <gtest/gtest.h>

namespace ekiden::net {
namespace {

using namespace std::string_literals;

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string binary(unsigned command, unsigned family, const std::string& body, unsigned version = 2)
{
    std::string header = signature;
    header += static_cast<char>(version << 4 | command);
    header += static_cast<char>(family);
    header += static_cast<char>(body.size() >> 8);
    header += static_cast<char>(body.size() & 255);
    return header + body;
}
const std::string ipv4 = "\xc0\x00\x02\x01\xc6\x33\x64\x01\x15\xb3\x00\x19"s;   // 192.0.2.1 → 198.51.100.1, 5555 → 25
const std::string ipv6 =
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\x15\xb3\x00\x19"s;
const std::string mapped =
    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x09\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x02\x15\xb3\x00\x19"s;

std::string show(const Result<ProxyHeader>& header)
{
    if (!header) return header.error().text();
    if (header->is_local) return "local";
    return format_endpoint(header->client) + " " + format_endpoint(header->server);
}

struct Case {
    std::string name, header, want;
};
const std::vector<Case> cases{
    {"line_ipv4", "PROXY TCP4 192.0.2.1 198.51.100.1 5555 25\r\n", "192.0.2.1:5555 198.51.100.1:25"},
    {"line_shortest", "PROXY TCP4 1.1.1.1 2.2.2.2 0 0\r\n", "1.1.1.1:0 2.2.2.2:0"},
    {"line_ipv6", "PROXY TCP6 2001:db8::1 2001:db8::2 5555 25\r\n", "[2001:db8::1]:5555 [2001:db8::2]:25"},
    {"line_longest",
     "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
    {"line_mapped", "PROXY TCP6 ::ffff:192.0.2.9 ::ffff:192.0.2.2 5555 25\r\n", "192.0.2.9:5555 192.0.2.2:25"},
    {"line_bare_newline", "PROXY TCP4 192.0.2.1 198.51.100.1 5555 25\n", "192.0.2.1:5555 198.51.100.1:25"},
    {"line_unknown", "PROXY UNKNOWN\r\n", "bad or missing protocol type: PROXY UNKNOWN\\r\\n"},
    {"line_unknown_rest", "PROXY UNKNOWN ffff:f...f:ffff 65535\r\n",
     "bad or missing protocol type: PROXY UNKNOWN ffff:f...f:ffff 65535\\r\\n"},
    {"line_udp", "PROXY UDP4 192.0.2.1 198.51.100.1 5555 25\r\n",
     "bad or missing protocol type: PROXY UDP4 192.0.2.1 198.51.100.1 5555 25\\r\\n"},
    {"line_empty", "PROXY \r\n", "bad or missing protocol type: PROXY \\r\\n"},
    {"line_no_port", "PROXY TCP4 192.0.2.1 198.51.100.1 5555\r\n",
     "bad or missing server port: PROXY TCP4 192.0.2.1 198.51.100.1 5555\\r\\n"},
    {"line_bad_client", "PROXY TCP4 300.0.2.1 198.51.100.1 5555 25\r\n",
     "bad or missing client address: PROXY TCP4 300.0.2.1 198.51.100.1 5555 25\\r\\n"},
    {"line_brackets", "PROXY TCP6 [2001:db8::1] [2001:db8::2] 5555 25\r\n",
     "bad or missing client address: PROXY TCP6 [2001:db8::1] [2001:db8::2] 5555 25\\r\\n"},
    {"line_bad_server", "PROXY TCP4 192.0.2.1 198.51.100.x 5555 25\r\n",
     "bad or missing server address: PROXY TCP4 192.0.2.1 198.51.100.x 5555 25\\r\\n"},
    {"line_ipv6_as_ipv4", "PROXY TCP4 2001:db8::1 2001:db8::2 5555 25\r\n",
     "bad or missing client address: PROXY TCP4 2001:db8::1 2001:db8::2 5555 25\\r\\n"},
    {"line_big_port", "PROXY TCP4 192.0.2.1 198.51.100.1 65536 25\r\n",
     "bad or missing client port: PROXY TCP4 192.0.2.1 198.51.100.1 65536 25\\r\\n"},
    {"line_leading_zero", "PROXY TCP4 192.0.2.1 198.51.100.1 05555 25\r\n",
     "bad or missing client port: PROXY TCP4 192.0.2.1 198.51.100.1 05555 25\\r\\n"},
    {"line_signed_port", "PROXY TCP4 192.0.2.1 198.51.100.1 5555 +25\r\n",
     "bad or missing server port: PROXY TCP4 192.0.2.1 198.51.100.1 5555 +25\\r\\n"},
    {"line_without_end", "PROXY TCP4 192.0.2.1", "missing protocol header terminator: PROXY TCP4 192.0.2.1"},
    {"no_header", "EHLO x\r\n", "short protocol header: EHLO x\\r\\n"},
    {"lower_case", "proxy tcp4 192.0.2.1 198.51.100.1 5555 25\r\n",
     "unrecognized protocol header: proxy tcp4 192.0.2.1 198.51.100.1 5555 25\\r\\n"},
    {"binary_ipv4", binary(1, 0x11, ipv4), "192.0.2.1:5555 198.51.100.1:25"},
    {"binary_more_fields",
     binary(1, 0x11,
            ipv4 +
                "\x04\x00\x03"
                "abc"s +
                std::string(400, 'x')),
     "192.0.2.1:5555 198.51.100.1:25"},
    {"binary_ipv6", binary(1, 0x21, ipv6), "[2001:db8::1]:5555 [2001:db8::2]:25"},
    {"binary_mapped", binary(1, 0x21, mapped), "192.0.2.9:5555 192.0.2.2:25"},
    {"binary_local", binary(0, 0, ""), "local"},
    {"binary_local_with_addresses", binary(0, 0x11, ipv4), "local"},
    {"binary_udp", binary(1, 0x12, ipv4),
     "unsupported network protocol: \\r\\n\\r\\n\\000\\r\\nQUIT\\n!\\022\\000\\f\\300\\000\\002\\001\\3063d\\001\\025\\263\\000\\031"},
    {"binary_unspecified", binary(1, 0, ""),
     "unsupported network protocol: \\r\\n\\r\\n\\000\\r\\nQUIT\\n!\\000\\000\\000"},
    {"binary_unix", binary(1, 0x31, std::string(216, 'a')),
     "unsupported network protocol: \\r\\n\\r\\n\\000\\r\\nQUIT\\n!1\\000\\330" + std::string(216, 'a')},
    {"binary_short", binary(1, 0x11, ipv4.substr(0, 8)),
     "short address field: \\r\\n\\r\\n\\000\\r\\nQUIT\\n!\\021\\000\\b\\300\\000\\002\\001\\3063d\\001"},
    {"binary_short_ipv6", binary(1, 0x21, ipv4),
     "short address field: \\r\\n\\r\\n\\000\\r\\nQUIT\\n!!\\000\\f\\300\\000\\002\\001\\3063d\\001\\025\\263\\000\\031"},
    {"binary_version", binary(1, 0x11, ipv4, 3),
     "unrecognized protocol version: \\r\\n\\r\\n\\000\\r\\nQUIT\\n1\\021\\000\\f\\300\\000\\002\\001\\3063d\\001\\025\\263\\000\\031"},
    {"binary_command", binary(5, 0x11, ipv4),
     "bad command in proxy header: \\r\\n\\r\\n\\000\\r\\nQUIT\\n%\\021\\000\\f\\300\\000\\002\\001\\3063d\\001\\025\\263\\000\\031"},
    {"binary_cut", binary(1, 0x11, ipv4).substr(0, 20),
     "short protocol header: \\r\\n\\r\\n\\000\\r\\nQUIT\\n!\\021\\000\\f\\300\\000\\002\\001"},
};

TEST(ProxyProtocol, says_who_is_behind_it)
{
    for (const Case& c : cases) EXPECT_EQ(show(parse_proxy_header(c.header)), c.want) << c.name;
}

TEST(ProxyProtocol, is_bounded)
{
    EXPECT_FALSE(proxy_bytes_wanted("PROXY TCP4 " + std::string(96, '1')).has_value());
    EXPECT_FALSE(proxy_bytes_wanted(signature + "\x21\x11\xff\xff").has_value());
    EXPECT_EQ(proxy_bytes_wanted(signature + "\x21\x11\x0f\xf0"s).value(), longest_proxy_header - 16);
}

Task<void> feed(Stream& stream, std::string bytes)
{
    EXPECT_TRUE(co_await stream.write(bytes));
    stream.close();
}

// Whatever pieces it comes in, what stands behind it stays unread.
TEST(ProxyProtocol, reads_nothing_behind_the_header)
{
    for (const Case& c : cases) {
        if (!parse_proxy_header(c.header)) continue;
        for (const std::size_t step : {1u, 7u, 4096u}) {
            test::Loop loop;
            auto pipe = make_memory_pipe(loop.executor());
            pipe.a_to_b->limit_reads(step);
            loop.start(feed(*pipe.a, c.header + "EHLO x\r\n"));
            EXPECT_EQ(show(loop.run(read_proxy_header(*pipe.b))), c.want) << c.name;
            std::string rest(100, ' ');
            std::size_t got = 0;
            while (auto more = loop.run(pipe.b->read_some({rest.data() + got, rest.size() - got}))) got += *more;
            EXPECT_EQ(rest.substr(0, got), "EHLO x\r\n") << c.name;
        }
    }
}

TEST(ProxyProtocol, explains_what_came_instead)
{
    const std::pair<std::string, std::string> inputs[] = {
        {"", "EOF"},
        {"EHLO x\r\n", "short protocol header: EHLO x\\r\\n"},
        {"GET / HTTP/1.1\r\nHost: x\r\n", "unrecognized protocol header: GET / HTTP/1.1\\r\\nHost: x\\r\\n"},
        {"PROXY TC", "missing protocol header terminator: PROXY TC"},
        {signature.substr(0, 8), "short protocol header: \\r\\n\\r\\n\\000\\r\\nQ"},
    };
    for (const auto& [input, want] : inputs) {
        test::Loop loop;
        auto pipe = make_memory_pipe(loop.executor());
        loop.start(feed(*pipe.a, input));
        loop.poll();
        EXPECT_EQ(show(loop.run(read_proxy_header(*pipe.b))), want);
    }
    test::Loop loop;
    auto pipe = make_memory_pipe(loop.executor());
    pipe.b->set_time_limit(std::chrono::milliseconds(1));
    const auto silent = loop.run(read_proxy_header(*pipe.b));
    ASSERT_FALSE(silent.has_value());
    EXPECT_TRUE(silent.error().is(ErrorCode::timeout));
    EXPECT_EQ(silent.error().text(), "timeout error");
}

}  // namespace
}  // namespace ekiden::net
