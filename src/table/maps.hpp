// A chain of tables, as parameters like virtual_alias_maps name them: the first answer wins, the first trouble stops.
//
// Opened once per settings snapshot and shared; tables whose file changed are reopened behind the scenes (a failed
// reopen keeps the old content and warns). find() may be awaited on any core; it comes back on the caller's core.
#pragma once

#include "net/blocking.hpp"
#include "net/task.hpp"
#include "table/table.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::table {

class Maps {
public:
    Maps() = default;  // empty: finds nothing
    // `parameter` and `value` as in main.cf. A table that cannot be opened does not fail here: as in Postfix it
    // answers trouble at each lookup, and `problems()` says why (start-up prints them; is that fatal? the caller says).
    static Maps open(std::string_view parameter, std::string_view value, const OpenOptions& options = {});

    bool is_empty() const { return !chain_; }
    const std::vector<std::string>& problems() const;
    std::string title() const;  // the parameter's name

    // Exact key in every table in order. Trouble has been logged in Postfix's words when it comes back
    // (`warning: hash:/x lookup error for "key"`), with `log` if given, which must live across the await, else with the
    // options' logger: the caller adds its own line, not this one again. An empty value is trouble too.
    Task<Answer> find(std::string key, const Logger* log = nullptr) const;
    // As find() where nothing has to be awaited; nothing where something has: then find() it.
    std::optional<Answer> find_at_once(std::string_view key, const Logger* log = nullptr) const;
    // As find() where the caller may block (tools, the blocking pool).
    Answer find_now(std::string_view key, const Logger* log = nullptr) const;

    // Postfix's address search order for address-keyed tables (canonical, virtual, transport…):
    //   user+ext@domain, user@domain, user+ext, user (when the domain is $myorigin, or in $mydestination,
    //   $inet_interfaces or $proxy_interfaces, as `is_local_domain` says), @domain. Pattern tables see only the whole
    // address. `extension` gets the unmatched "+ext" to be put on the result; not with @domain, as Postfix has it.
    struct AddressAnswer {
        std::string value;
        std::string extension;
    };
    struct AddressOptions {
        std::string recipient_delimiter;
        bool is_local_domain = false;     // also try the bare local part
        bool with_domain_catch_all = true;  // @domain
    };
    Task<Result<std::optional<AddressAnswer>>> find_address(std::string address, const AddressOptions& options,
                                                                  const Logger* log = nullptr) const;

    // Keys for the search order above, most specific first; exact tables are asked for each, pattern tables only for
    // the first. Pure; for rooms with an order of their own (transport, access) that want the same parts.
    struct AddressKey {
        std::string key;
        std::string extension;
    };
    static std::vector<AddressKey> address_keys(std::string_view address, const AddressOptions& options);

    // Opens changed tables now instead of within a second.
    void refresh() const;

private:
    struct Chain;
    std::shared_ptr<const Chain> chain_;
};

// Where a user part ends and its extension begins ("user+ext": 4), or nothing. Names that mail systems use
// themselves are never split.
std::optional<std::size_t> find_extension(std::string_view local_part, std::string_view recipient_delimiter);

// The pool that waits for slow tables and reads changed ones; without one (tools, tests) the caller's thread does it.
// Set once at start, before the first lookup; the pool outlives the last one. It should have no other work: what a table
// keeps waiting must not be a delivery.
void use_blocking_pool(net::BlockingPool* pool);

}  // namespace ekiden::table
