// DNS as coroutines. Found, absent and failed are three answers: Result's error is "try later" (SERVFAIL, timeout),
// Answer::absence says NXDOMAIN or "no such record".
//
// The real resolver is libunbound (asynchronous, caching, validating), forwarding to the servers of /etc/resolv.conf,
// or to `ekiden_dns_server` ("address" or "address:port") when set; /etc/hosts is consulted first for A, AAAA and PTR
// when the system says so (nsswitch.conf "hosts: files dns", smtp_host_lookup). One per engine; calls from any core
// come back on the caller's core.
#pragma once

#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "net/task.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ekiden::dns {

enum class Type : std::uint16_t { a = 1, cname = 5, ptr = 12, mx = 15, txt = 16, aaaa = 28, srv = 33, tlsa = 52 };
std::string_view name_of(Type type);   // "MX"

struct Record {
    Type type;
    std::string name;        // CNAME, PTR, MX target ("" for the root: null MX), lower case, no final dot
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
};

struct ResolverOptions {
    std::string server;           // empty: /etc/resolv.conf
    bool uses_hosts_file = true;
};
Result<std::unique_ptr<Resolver>> open_resolver(const ResolverOptions& options);

// Answers from a table, with injectable trouble; for tests.
class FakeResolver : public Resolver {
public:
    void add(std::string name, Record record);
    void fail(std::string name, Type type);      // SERVFAIL
    Task<Result<Answer>> query(std::string name, Type type) override;

private:
    std::vector<std::pair<std::string, Record>> records_;
    std::vector<std::pair<std::string, Type>> failing_;
};

// A and AAAA of a host, in the order and families of inet_protocols / smtp_address_preference.
struct AddressFamilies {
    bool ipv4 = true, ipv6 = true;
};
Task<Result<Answer>> find_addresses(Resolver& resolver, std::string name, AddressFamilies families);
// in-addr.arpa / ip6.arpa name of an address; "2.0.0.127" prefix for DNSBLs with reverse_labels().
std::string reverse_name(const net::Address& address);
std::string reverse_labels(const net::Address& address);

}  // namespace ekiden::dns
