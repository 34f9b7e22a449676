// Table types by name, and the sharing of open tables: several parameters often name the same file.
#include "table/open_and_hear.hpp"
#include "table/openers.hpp"
#include "table/types.hpp"

#include "base/fold.hpp"
#include "base/locked.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace ekiden::table {

namespace {

struct Type {
    std::string_view name;
    Result<TablePtr> (*open)(const OpenRequest&);
    bool is_shared;  // costs memory or file handles, so that one open table serves all who name it
};

// Sorted by name. `proxy` is not here: it stands for the type behind it, as every process may open every table.
constexpr std::array types{
    Type{"btree", open_indexed, true},    Type{"cdb", open_indexed, true},      Type{"cidr", open_cidr, true},
    Type{"debug", open_debug, false},     Type{"environ", open_environ, false}, Type{"fail", open_fail, false},
    Type{"hash", open_indexed, true},     Type{"inline", open_inline, false},   Type{"internal", open_internal, false},
    Type{"lmdb", open_indexed, true},     Type{"nis", open_nis, false},         Type{"pcre", open_patterns, true},
    Type{"pipemap", open_combined, false}, Type{"randmap", open_random, false}, Type{"regexp", open_patterns, true},
    Type{"socketmap", open_socketmap, true}, Type{"sqlite", open_sqlite, true}, Type{"static", open_static, false},
    Type{"tcp", open_tcp, true},          Type{"texthash", open_texthash, true}, Type{"unionmap", open_combined, false},
    Type{"unix", open_unix, true},
};

constexpr int max_depth = 16;  // unionmap:{unionmap:{…}}

const Type* find_type(std::string_view name)
{
    const auto at = std::ranges::lower_bound(types, name, {}, &Type::name);
    return at != types.end() && at->name == name ? &*at : nullptr;
}

using OpenTables = std::map<std::string, std::weak_ptr<const Table>>;
base::Locked<OpenTables>& open_tables()
{
    static base::Locked<OpenTables> tables;
    return tables;
}

std::string share_key(std::string_view spec, const OpenOptions& options)
{
    return std::string(options.fold_keys ? "f" : "-") + (options.forbids_substitution ? "n" : "-") + std::string(spec);
}

}  // namespace

// Of this thread: who opens tables to report on them.
static thread_local std::vector<std::string>* heard = nullptr;

Result<TablePtr> open_and_hear(std::string_view spec, std::vector<std::string>& warnings)
{
    struct Hearing {
        explicit Hearing(std::vector<std::string>* to) { heard = to; }
        ~Hearing() { heard = nullptr; }
    } hearing(&warnings);
    return open_table(spec);
}

Warn OpenRequest::warn() const
{
    if (heard) return [to = heard](const std::string& text) { to->push_back(text); };
    return [log = options.log ? *options.log : Logger("postfix")](const std::string& text) { log.warning("{}", text); };
}

std::string folded(std::string_view key, const OpenOptions& options)
{
    return options.fold_keys ? base::fold_case(key) : std::string(key);
}

Result<TablePtr> open_table(std::string_view spec, const OpenOptions& options)
{
    while (spec.starts_with("proxy:") && spec.find(':', 6) != spec.npos) spec.remove_prefix(6);
    const std::size_t colon = spec.find(':');
    if (colon == spec.npos || colon == 0 || colon + 1 == spec.size()) {
        return fail(ErrorCode::syntax,
                    "open dictionary: expecting \"type:name\" form instead of \"" + std::string(spec) + "\"");
    }
    const std::string_view type_name = spec.substr(0, colon);
    const Type* type = find_type(type_name);
    if (!type) return fail(ErrorCode::not_found, unsupported_type(type_name));

    const std::string key = type->is_shared ? share_key(spec, options) : std::string{};
    if (type->is_shared) {
        TablePtr known;
        {
            auto tables = open_tables().lock();
            if (auto at = tables->find(key); at != tables->end()) known = at->second.lock();
        }
        if (known && !known->is_stale()) return known;
    }
    thread_local int depth = 0;
    if (depth >= max_depth) return fail(ErrorCode::too_long, "table nesting is too deep: " + std::string(spec));
    struct Deeper {
        Deeper() { ++depth; }
        ~Deeper() { --depth; }
    } deeper;
    const OpenRequest request{std::string(spec), type->name, std::string(spec.substr(colon + 1)), options};
    auto table = type->open(request);
    if (table && type->is_shared) {
        auto tables = open_tables().lock();
        std::erase_if(*tables, [](const auto& entry) { return entry.second.expired(); });
        (*tables)[key] = *table;
    }
    return table;
}

std::string unsupported_type(std::string_view type)
{
    static constexpr std::array missing = std::to_array<std::string_view>(
        {"dbm", "hesiod", "ldap", "memcache", "mongodb", "mysql", "netinfo", "nisplus", "pgsql", "sdbm"});
    const bool is_missing = std::ranges::find(missing, type) != missing.end();
    return "unsupported dictionary type: " + std::string(type) + (is_missing ? " (not in this release)" : "");
}

bool is_known_type(std::string_view type) { return type == "proxy" || find_type(type) != nullptr; }

std::vector<std::string_view> known_types()
{
    std::vector<std::string_view> names{"proxy"};
    for (const Type& type : types) names.push_back(type.name);
    std::ranges::sort(names);
    return names;
}

}  // namespace ekiden::table
