#include "dns/resolver.hpp"

#include "base/text.hpp"
#include "dns/rdata.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <fmt/format.h>

namespace ekiden::dns {

std::string_view name_of(Type type)
{
    switch (type) {
    case Type::a: return "A";
    case Type::ns: return "NS";
    case Type::cname: return "CNAME";
    case Type::ptr: return "PTR";
    case Type::mx: return "MX";
    case Type::txt: return "TXT";
    case Type::aaaa: return "AAAA";
    case Type::srv: return "SRV";
    case Type::tlsa: return "TLSA";
    }
    return "unknown";
}

static std::string sentence(std::string_view name, Type type, std::string_view reason)
{
    return fmt::format("Host or domain name not found. Name service error for name={} type={}: {}", name, name_of(type),
                       reason);
}

std::string not_found_text(std::string_view name, Type type, Absence absence)
{
    return sentence(name, type,
                    absence == Absence::no_such_record ? "Host found but no data record of requested type"
                                                       : "Host not found");
}

Error trouble_with(std::string_view name, Type type)
{
    return Error(ErrorCode::unavailable, sentence(name, type, "Host not found, try again"));
}

static Task<Result<Answer>> ask(Resolver& resolver, std::string name, Type type, Source source)
{
    return source != Source::hosts_and_dns ? resolver.query_dns(std::move(name), type)
                                           : resolver.query(std::move(name), type);
}

Task<Result<Answer>> find_addresses(Resolver& resolver, std::string name, AddressFamilies families, Source source)
{
    if (source == Source::dns_then_hosts) {
        auto answer = co_await find_addresses(resolver, name, families, Source::dns);
        if (!answer || !answer->records.empty()) co_return answer;
        co_return co_await find_addresses(resolver, std::move(name), families, Source::hosts_and_dns);
    }
    if (!families.ipv4 || !families.ipv6)
        co_return co_await ask(resolver, std::move(name), families.last_type(), source);
    using namespace asio::experimental::awaitable_operators;
    auto both = ask(resolver, name, Type::a, source) && ask(resolver, name, Type::aaaa, source);
    auto [v4, v6] = co_await std::move(both);
    if (!v4 || !v6) {
        auto& other = v4 ? v4 : v6;
        if (other && !other->records.empty()) co_return std::move(other);
        co_return std::move(v6 ? v4 : v6);
    }
    Answer answer = std::move(*v6);
    if (v4->records.empty()) co_return answer;
    answer.is_secure = v4->is_secure && (answer.records.empty() || answer.is_secure);
    answer.ttl = answer.records.empty() ? v4->ttl : std::min(v4->ttl, answer.ttl);
    answer.absence = Absence::none;
    answer.records.insert(answer.records.begin(), std::make_move_iterator(v4->records.begin()),
                          std::make_move_iterator(v4->records.end()));
    co_return answer;
}

std::string reverse_labels(const net::Address& address)
{
    if (address.is_v4()) {
        const auto b = address.to_v4().to_bytes();
        return fmt::format("{}.{}.{}.{}", b[3], b[2], b[1], b[0]);
    }
    const auto bytes = address.to_v6().to_bytes();
    std::string labels;
    labels.reserve(63);
    for (std::size_t i = bytes.size(); i-- > 0;) {
        labels += fmt::format("{:x}.{:x}.", bytes[i] & 15, bytes[i] >> 4);
    }
    labels.pop_back();
    return labels;
}

std::string reverse_name(const net::Address& address)
{
    return reverse_labels(address) + (address.is_v4() ? ".in-addr.arpa" : ".ip6.arpa");
}

void FakeResolver::add(std::string name, Record record) { records_.emplace_back(base::lower(name), std::move(record)); }

void FakeResolver::fail(std::string name, Type type) { failing_.emplace_back(base::lower(name), type); }

// A name that has any record exists; CNAMEs are followed (a few), as a recursive server does.
Task<Result<Answer>> FakeResolver::query(std::string name, Type type)
{
    const std::string as_given = name;
    asked.push_back(fmt::format("{}/{}", name, name_of(type)));
    name = base::lower(name);
    Answer answer;
    answer.ttl = 300;
    for (int links = 0; links < 8; ++links) {
        bool exists = false;
        std::string alias;
        for (const auto& [failing, failing_type] : failing_) {
            if (failing == name && failing_type == type) co_return std::unexpected(trouble_with(as_given, type));
        }
        for (const auto& [owner, record] : records_) {
            if (owner != name) continue;
            exists = true;
            if (record.type == type) answer.records.push_back(record);
            if (record.type == Type::cname) alias = record.name;
        }
        if (!answer.records.empty()) co_return answer;
        if (!alias.empty() && type != Type::cname) {
            name = base::lower(alias);
            continue;
        }
        answer.absence = exists ? Absence::no_such_record : Absence::no_such_name;
        co_return answer;
    }
    co_return std::unexpected(trouble_with(as_given, type));
}

}  // namespace ekiden::dns
