// The table of main.cf parameters: every name once, with type, default, bounds and what this release does with it.
//
// The rows live in parameters/*.def, by area. From them come the defaults of postconf -d, the checks of values at
// start, the page postconf(5) and docs/compatibility.md. A new setting is one row. Thread: constant data.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ekiden::config {

enum class Kind : std::uint8_t {
    text,
    boolean,
    integer,      // 32 bits
    big_integer,  // 64 bits
    time,         // with s, m, h, d, w; without one the unit of the default holds
    raw,          // text whose `$` is expanded where it is used ($recipient, $rbl_domain …), not by the configuration
};

enum class Support : std::uint8_t {
    supported,
    partly,          // some values are refused at start or have no effect: the reason says which
    without_effect,  // accepted, because ignoring it weakens nothing
    refused,  // a value other than the default stops the server, because ignoring it would weaken what was written
};

struct Parameter {
    std::string_view name;
    Kind kind = Kind::text;
    std::string_view default_value;  // unexpanded
    std::int64_t min = 0;            // numbers: lowest value, text: shortest length; 0: no bound
    std::int64_t max = 0;            // 0: no bound
    std::string_view since;          // first Postfix release; "3.7": that or before; "legacy", "obsolete": below
    std::string_view area;
    std::string_view readers;        // Postfix's programs that read it, "all": every one
    Support support = Support::supported;
    std::string_view reason;         // why not supported
    std::string_view summary;

    // An old name that still stands for a newer one: known, but listed only where main.cf sets it.
    bool is_legacy() const { return since == "legacy"; }
    // No release of Postfix that we know reads it any more: unknown to postconf, explained by lint.
    bool is_obsolete() const { return since == "obsolete"; }
    // Read and checked by every program, so that a bad value stops commands too.
    bool is_global() const { return readers.starts_with("all"); }
};

// Sorted by name (bytes). Obsolete names included.
std::span<const Parameter> all_parameters();
// The row of `name`, or null.
const Parameter* find_parameter(std::string_view name);

// What every service of master.cf that is a delivery agent may set as `<service>_<suffix>`, with the default.
struct ServiceParameter {
    std::string_view suffix;
    std::string_view default_value;
    Kind kind;
    bool is_for_commands;  // _time_limit of pipe and spawn services; the others belong to the queue manager
    std::string_view summary;
};
std::span<const ServiceParameter> service_parameters();
// The row for a name such as "relay_destination_concurrency_limit"; `service` receives what stands before it.
const ServiceParameter* find_service_parameter(std::string_view name, std::string_view* service = nullptr);

// Pure checks of one expanded value against a row: nothing, or Postfix's text ("bad boolean configuration: …").
std::optional<std::string> check_value(const Parameter& parameter, std::string_view value);

}  // namespace ekiden::config
