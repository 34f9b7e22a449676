// Lists that are matched against a name or an address: mynetworks, mydestination, relay_domains, *_exceptions,
// debug_peer_list. Items: networks, names, `.domain`, `/file`, `type:table`, each with an optional `!`.
//
// Matching answers yes, no or trouble. A `#` item ends the list with Postfix's warning ("comment at end of line is not
// supported"); a bad network is an error at match time ("451 Temporary lookup failure") plus a warning naming it, as in
// Postfix; both are in problems() for the start-up check. Thread: immutable once opened, any thread.
#pragma once

#include "base/result.hpp"
#include "net/endpoint.hpp"
#include "table/table.hpp"

#include <memory>
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

    Result<bool> matches_name(std::string_view name) const;
    Result<bool> matches_address(const net::Address& address) const;
    Result<bool> matches(std::string_view name, const net::Address& address) const;  // either
    // The error's text is what Postfix logs as a warning ("mynetworks: non-null host address bits in …").

    bool is_empty() const;
    const std::vector<std::string>& problems() const;

private:
    struct Items;
    std::shared_ptr<const Items> items_;
};

}  // namespace ekiden::table
