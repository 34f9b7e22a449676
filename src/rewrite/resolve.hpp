// Address → transport, next hop and class (trivial-rewrite's work), for one settings snapshot. Shared by intake (what is
// this recipient?), check (is it ours?) and schedule (where does it go?). Thread: immutable, any core.
#pragma once

#include "config/settings.hpp"
#include "rewrite/completion.hpp"
#include "rewrite/own_addresses.hpp"
#include "table/maps.hpp"
#include "table/match_list.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace ekiden::rewrite {

// Postfix's address classes (ADDRESS_CLASS_README).
enum class AddressClass : std::uint8_t { local, virtual_alias, virtual_mailbox, relay, other };

struct Route {
    std::string transport;     // name of a master.cf service: "smtp", "local", "error"
    std::string next_hop;      // domain or [host]:port; for error/discard the text; for local the recipient's domain
    std::string recipient;     // perhaps changed (percent hack, source routes)
    AddressClass address_class = AddressClass::other;
    bool has_bad_syntax = false;   // resolve_null_domain etc.: bounces "bad address syntax"
    // user[@%!]remote[@%!]site for a site that is not ours: strangers may not ask us to relay so (allow_untrusted_routing).
    bool has_sender_routing = false;
};

// The way through a content filter, "transport:next hop": it replaces what resolving said, for every recipient. Without
// a next hop the recipient's domain is the next hop. Pure.
void apply_filter(Route& route, std::string_view filter, std::string_view recipient);

class Resolver {
public:
    static std::shared_ptr<const Resolver> make(config::SettingsPtr settings);

    // Completes an address as rewriting does: append_at_myorigin, append_dot_mydomain, swap_bangpath,
    // allow_percent_hack, quotes and routes. `context` is "local" or "remote" (remote_header_rewrite_domain).
    std::string complete(std::string_view address, std::string_view context) const;
    const Completion& completion() const;
    const OwnAddresses& own_addresses() const;

    // Trouble (a table that fails) is the Result's error: defer.
    Task<Result<Route>> resolve(std::string sender, std::string recipient) const;
    // The class alone, as smtpd needs it for "is it ours".
    Task<Result<AddressClass>> classify(std::string domain) const;
    Task<Result<bool>> is_local_domain(std::string domain) const;     // mydestination, inet_interfaces literals
    // The same without a coroutine; nothing where a table has to be awaited.
    std::optional<Result<bool>> is_local_domain_at_once(std::string_view domain) const;
    std::optional<Result<AddressClass>> classify_at_once(std::string_view domain) const;

    const config::SettingsPtr& settings() const { return settings_; }

    struct Tables;
    Resolver(config::SettingsPtr settings, std::shared_ptr<const Tables> tables);

private:
    struct Target;
    struct ClassList {
        const table::MatchList* list;
        AddressClass address_class;
    };
    std::array<ClassList, 3> class_lists() const;
    bool is_own_literal(std::string_view domain) const;
    Task<Result<Route>> choose_transport(std::string sender, Route route, std::string domain) const;
    Task<Result<Target>> sender_dependent(const table::Maps& maps, std::string sender) const;
    Task<Result<void>> apply_transport_maps(Route& route, const std::string& domain) const;
    Task<Result<void>> apply_relocated_maps(Route& route) const;

    config::SettingsPtr settings_;
    std::shared_ptr<const Tables> tables_;
};

}  // namespace ekiden::rewrite
