// DNS as coroutines. Found, absent and failed are three answers: Result's error is "try later" (SERVFAIL, timeout),
// Answer::absence says NXDOMAIN or "no such record".
//
// The real resolver is libunbound (asynchronous, caching, validating), forwarding to the servers of /etc/resolv.conf,
// or to `ekiden_dns_server` ("address" or "address:port") when set; /etc/hosts is consulted first for A, AAAA and PTR
// when the system says so (nsswitch.conf "hosts: files dns", smtp_host_lookup). One per engine; calls from any core
// come back on the caller's core. A query that gets no answer ends after the time resolv.conf's `timeout` and `attempts`
// allow, 15 seconds at most; found and absent answers are kept for their TTL.
#pragma once

#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "net/task.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ekiden::dns {

enum class Type : std::uint16_t {
    a = 1,
    ns = 2,
    cname = 5,
    ptr = 12,
    mx = 15,
    txt = 16,
    aaaa = 28,
    srv = 33,
    tlsa = 52
};
std::string_view name_of(Type type);   // "MX"

struct Record {
    Type type;
    std::string name;        // CNAME, NS, PTR, MX target ("" for the root: null MX), lower case, no final dot
    net::Address address;    // A, AAAA
    std::string text;        // TXT, strings joined
    std::uint16_t preference = 0;
};

enum class Absence : std::uint8_t { none, no_such_name, no_such_record };

struct Answer {
    std::vector<Record> records;      // empty when absent
    Absence absence = Absence::none;
    bool is_secure = false;           // DNSSEC-validated
    std::uint32_t ttl = 0;            // seconds
};

class Resolver {
public:
    virtual ~Resolver() = default;
    // Error text in Postfix's words: "Host or domain name not found. Name service error for name=x type=MX: Host not
    // found, try again".
    virtual Task<Result<Answer>> query(std::string name, Type type) = 0;
    // As query(), but never from /etc/hosts (smtp_host_lookup = dns, block lists).
    virtual Task<Result<Answer>> query_dns(std::string name, Type type) { return query(std::move(name), type); }
};
// "Host or domain name not found. Name service error for name=x type=AAAA: Host not found"
std::string not_found_text(std::string_view name, Type type, Absence absence);
// The same sentence for trouble: "…: Host not found, try again"
Error trouble_with(std::string_view name, Type type);

struct ResolverOptions {
    std::string server;           // empty: /etc/resolv.conf
    bool uses_hosts_file = true;
    std::string hosts_file = "/etc/hosts";
    std::string resolv_conf = "/etc/resolv.conf";
    std::string trust_anchor_file;   // empty: answers are not validated
};
// Destroy it after the cores that ask it are stopped, and before they are destroyed.
Result<std::unique_ptr<Resolver>> open_resolver(const ResolverOptions& options);

// Answers from a table, with injectable trouble; for tests.
class FakeResolver : public Resolver {
public:
    void add(std::string name, Record record);
    void fail(std::string name, Type type);      // SERVFAIL
    Task<Result<Answer>> query(std::string name, Type type) override;
    std::vector<std::string> asked;      // "name/TYPE", in the order in which the questions came

private:
    std::vector<std::pair<std::string, Record>> records_;
    std::vector<std::pair<std::string, Type>> failing_;
};

// A and AAAA of a host, IPv4 first, asked for at the same time. Trouble with one family is forgotten when the other has
// an address; when neither has, trouble wins over absence, and what is told is that of the family asked last (AAAA with
// both, as `last_type` says).
struct AddressFamilies {
    bool ipv4 = true, ipv6 = true;
    Type last_type() const { return ipv6 ? Type::aaaa : Type::a; }
};
// dns_then_hosts: /etc/hosts only for a name that DNS does not have.
enum class Source : std::uint8_t { hosts_and_dns, dns, dns_then_hosts };
Task<Result<Answer>> find_addresses(Resolver& resolver, std::string name, AddressFamilies families,
                                    Source source = Source::hosts_and_dns);
// in-addr.arpa / ip6.arpa name of an address; "2.0.0.127" prefix for DNSBLs with reverse_labels().
std::string reverse_name(const net::Address& address);
std::string reverse_labels(const net::Address& address);

}  // namespace ekiden::dns
