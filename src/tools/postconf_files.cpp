#include "tools/postconf.hpp"

#include "base/text.hpp"
#include "config/expand.hpp"
#include "config/main_cf.hpp"
#include "config/parameters.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <unistd.h>

namespace ekiden::tools::postconf {

namespace {

// Parameters that a table may have in main.cf as `<source>_<suffix>`, by table type.
struct TableParameters {
    std::string_view type;
    std::vector<std::string_view> suffixes;
};

const std::vector<TableParameters>& table_parameters()
{
    static const std::vector<TableParameters> rows{
        {"ldap",
         {"bind",
          "bind_dn",
          "bind_pw",
          "cache",
          "cache_expiry",
          "cache_size",
          "chase_referrals",
          "debuglevel",
          "dereference",
          "domain",
          "expansion_limit",
          "leaf_result_attribute",
          "query_filter",
          "recursion_limit",
          "result_attribute",
          "result_filter",
          "result_format",
          "scope",
          "search_base",
          "server_host",
          "server_port",
          "size_limit",
          "special_result_attribute",
          "start_tls",
          "terminal_result_attribute",
          "timeout",
          "tls_ca_cert_dir",
          "tls_ca_cert_file",
          "tls_cert",
          "tls_cipher_suite",
          "tls_key",
          "tls_random_file",
          "tls_require_cert",
          "version",
          "sasl_mechs",
          "sasl_realm",
          "sasl_authz_id",
          "sasl_minssf"}},
        {"mysql",
         {"additional_conditions",
          "charset",
          "dbname",
          "domain",
          "expansion_limit",
          "hosts",
          "idle_interval",
          "option_file",
          "option_group",
          "password",
          "query",
          "require_result_set",
          "result_format",
          "retry_interval",
          "select_field",
          "select_function",
          "table",
          "tls_CAfile",
          "tls_CApath",
          "tls_cert_file",
          "tls_ciphers",
          "tls_key_file",
          "tls_verify_cert",
          "user",
          "where_field"}},
        {"pgsql",
         {"additional_conditions", "dbname", "domain", "encoding", "expansion_limit", "hosts", "idle_interval",
          "password", "query", "result_format", "retry_interval", "select_field", "select_function", "table", "user",
          "where_field"}},
        {"sqlite",
         {"additional_conditions", "dbpath", "domain", "expansion_limit", "query", "result_format", "select_field",
          "table", "where_field"}},
        {"memcache",
         {"backup", "data_size_limit", "domain", "flags", "key_format", "line_size_limit", "max_try", "memcache",
          "retry_pause", "timeout", "ttl"}},
        {"mongodb",
         {"collection", "dbname", "domain", "expansion_limit", "filter", "projection", "result_attribute",
          "result_format", "uri"}},
    };
    return rows;
}

constexpr std::array<std::string_view, 7> delivery_agents{"error", "discard", "lmtp",   "local",
                                                          "pipe",  "smtp",    "virtual"};

bool is_delivery_agent(const config::ServiceSpec& service)
{
    const auto& command = service.command;
    return std::ranges::find(delivery_agents, command) != delivery_agents.end() && command != "discard";
}

// Looks for names in use: `$name` of every value, restriction classes, table sources.
class Usage {
public:
    Usage(const Options& options, Files& files) : options_(options), files_(files) {}

    void run()
    {
        const auto main_cf = files_.settings->directory() + "/main.cf";
        const auto master_cf = files_.settings->directory() + "/master.cf";
        find_undefined(main_cf);
        if (options_.mode == 'p') find_unused(main_cf);
        for (const auto& service : files_.services) master(service, master_cf);
    }

    // Names that main.cf defines and some value mentions.
    void find_user_names()
    {
        const auto& settings = *files_.settings;
        const auto use = [this](std::string_view name) {
            if (config::find_parameter(name) == nullptr && files_.settings->is_set(name))
                files_.user_names.emplace(name);
        };
        for (const auto& name : settings.names_set()) config::for_each_name(settings.raw(name), use);
        for (const auto& service : files_.services)
            for (const auto& [name, value] : service.overrides) {
                config::for_each_name(value, use);
                if (name == "smtpd_restriction_classes")
                    for (const auto word : base::split_any(value)) use(word);
            }
        for (const auto& word : settings.list("smtpd_restriction_classes")) use(word);
        for (const auto& name : settings.names_set())
            if (files_.knows(name)) find_tables(expanded(settings, name), use);
        for (const auto& service : files_.services)
            for (const auto& [name, value] : service.overrides) find_tables(expanded_text(settings, value), use);
    }

private:
    static std::string expanded_text(const config::Settings& settings, const std::string& text)
    {
        try {
            return settings.expand(text);
        } catch (const config::ConfigError&) {
            return text;
        }
    }
    static std::string expanded(const config::Settings& settings, const std::string& name)
    {
        return expanded_text(settings, settings.raw(name));
    }

    void find_tables(const std::string& value, const std::function<void(std::string_view)>& use)
    {
        for (auto word : base::split_any(value, ", \t\r\n{}")) {
            if (word.starts_with("proxy:")) word.remove_prefix(6);
            const auto colon = word.find(':');
            if (colon == std::string_view::npos) continue;
            const auto& rows = table_parameters();
            const auto row = std::ranges::find(rows, word.substr(0, colon), &TableParameters::type);
            if (row == rows.end()) continue;
            const std::string source(word.substr(colon + 1));
            if (source.starts_with('/') || source.starts_with('.')) {
                if (access(source.c_str(), R_OK) != 0 && opened_.insert(source).second)
                    files_.undefined.push_back(
                        Error::from_errno(fmt::format("open \"{}\" configuration \"{}\"", row->type, source)).text());
                continue;
            }
            for (const auto suffix : row->suffixes) use(fmt::format("{}_{}", source, suffix));
        }
    }

    void find_undefined(const std::string& path)
    {
        const auto& settings = *files_.settings;
        for (const auto& name : settings.names_set())
            if (const auto* row = config::find_parameter(name); row == nullptr || row->kind != config::Kind::raw)
                config::for_each_name(settings.raw(name), [&](std::string_view used) {
                    if (!files_.knows(used) && !settings.is_set(used) && mentioned_.insert(std::string(used)).second)
                        files_.undefined.push_back(fmt::format("{}: undefined parameter: {}", path, used));
                });
    }

    void find_unused(const std::string& path)
    {
        const auto& settings = *files_.settings;
        for (const auto& name : settings.names_set())
            if (!files_.knows(name))
                files_.unused.push_back(fmt::format("{}: unused parameter: {}={}", path, name, settings.raw(name)));
    }

    void master(const config::ServiceSpec& service, const std::string& path)
    {
        const auto& own = service.overrides;
        const auto is_own = [&](std::string_view name) {
            return std::ranges::any_of(own, [&](const auto& pair) { return pair.first == name; });
        };
        std::set<std::string, std::less<>> used;
        for (const auto& [name, value] : own) {
            const auto* row = config::find_parameter(name);
            if (row != nullptr && row->kind == config::Kind::raw) continue;
            config::for_each_name(value, [&](std::string_view mention) {
                used.emplace(mention);
                if (!files_.knows(mention) && !files_.settings->is_set(mention) && !is_own(mention))
                    files_.undefined.push_back(fmt::format("{}: undefined parameter: {}", path, mention));
            });
            if (name == "smtpd_restriction_classes")
                for (const auto word : base::split_any(value)) used.emplace(word);
        }
        for (const auto& name : files_.settings->names_set())
            config::for_each_name(files_.settings->raw(name), [&](std::string_view mention) { used.emplace(mention); });
        for (const auto& word : files_.settings->list("smtpd_restriction_classes")) used.insert(word);
        for (const auto& [name, value] : own)
            if (!files_.knows(name) && !used.contains(name))
                files_.unused.push_back(fmt::format("{}: unused parameter: {}={}", path, name, value));
    }

    const Options& options_;
    Files& files_;
    std::set<std::string, std::less<>> opened_, mentioned_;
};

}  // namespace

bool Files::knows(std::string_view name) const
{
    if (const auto* row = config::find_parameter(name)) return !row->is_obsolete();
    return service_names.contains(name) || user_names.contains(name);
}

std::string Files::service_value(const Options& options, const config::ServiceSpec& service,
                                 std::string_view value) const
{
    if (!options.expands) return std::string(value);
    return settings->for_service(service)->expand(value);
}

Files read_files(const Options& options)
{
    Files files;
    config::LoadOptions load;
    load.directory = options.directory;
    load.overrides = options.overrides;
    load.read_master_cf = false;
    load.checks = config::Checks::none;
    load.read_main_cf = !options.shows_defaults;
    files.settings = config::Settings::load(load);
    files.services = read_services(options);
    for (const auto& service : files.services)
        for (const auto& row : config::service_parameters())
            if (row.is_for_commands ? service.command == "pipe" || service.command == "spawn"
                                    : is_delivery_agent(service))
                files.service_names.insert(service.name + std::string(row.suffix));
    if (options.shows_defaults) return files;
    Usage usage(options, files);
    usage.find_user_names();
    usage.run();
    return files;
}

}  // namespace ekiden::tools::postconf
