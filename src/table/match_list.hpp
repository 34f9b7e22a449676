// Lists that are matched against a name or an address: mynetworks, mydestination, relay_domains, *_exceptions,
// debug_peer_list. Items: networks, names, `.domain`, `/file`, `type:table`, each with an optional `!`.
//
// Matching answers yes, no or trouble. A `#` item ends the list with Postfix's warning ("comment at end of line is not
// supported"); a bad network is an error at match time ("451 Temporary lookup failure") plus a warning naming it, as in
// Postfix; both are in problems() for the start-up check. Thread: immutable once opened, any thread.
//
// A table in a list may have to wait (socketmap, sqlite …), so whoever is on an event loop awaits. The _at_once forms do
// the same without a coroutine, and say nothing where something has to be awaited: paths that run for every message try
// them first. The _now forms block; they are for tools and the pool.
#pragma once

#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "net/task.hpp"
#include "table/table.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::table {

class MatchList {
public:
    enum class Kind { names, domains_and_subdomains, addresses, host_and_address };
    MatchList() = default;
    // `matches_parent` = the parameter is named in parent_domain_matches_subdomains ("example.com" also matches
    // "sub.example.com"; otherwise ".example.com" does).
    // Which patterns mean what: `names` compares whole texts only; networks are known in lists of the last two kinds.
    static MatchList open(std::string_view parameter, std::string_view value, Kind kind, bool matches_parent = false,
                          const OpenOptions& options = {});
    static MatchList open(std::string_view parameter, std::string_view value, bool matches_parent = false)
    {
        return open(parameter, value, Kind::host_and_address, matches_parent);
    }

    Task<Result<bool>> matches_name(std::string name) const;
    Task<Result<bool>> matches_address(net::Address address) const;
    Task<Result<bool>> matches(std::string name, net::Address address) const;  // either
    // The error's text is what Postfix logs as a warning ("mynetworks: non-null host address bits in …").

    std::optional<Result<bool>> matches_name_at_once(std::string_view name) const;
    std::optional<Result<bool>> matches_address_at_once(const net::Address& address) const;
    std::optional<Result<bool>> matches_at_once(std::string_view name, const net::Address& address) const;

    Result<bool> matches_name_now(std::string_view name) const;
    Result<bool> matches_address_now(const net::Address& address) const;
    Result<bool> matches_now(std::string_view name, const net::Address& address) const;

    bool is_empty() const;
    bool has_tables() const;    // and so may have to be awaited
    const std::vector<std::string>& problems() const;

private:
    struct Items;
    struct Walk;
    static Task<Result<bool>> walk(std::shared_ptr<const Items> items, std::optional<std::string> name,
                                   std::optional<net::Address> address);
    std::shared_ptr<const Items> items_;
};

}  // namespace ekiden::table
