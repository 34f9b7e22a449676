#include "check/table_transports.hpp"

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "check/list_words.hpp"
#include "check/written_values.hpp"
#include "config/source.hpp"
#include "table/written_entries.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace ekiden::check {

namespace {

constexpr std::array<std::string_view, 6> transport_tables{"transport_maps",
                                                           "mailbox_transport_maps",
                                                           "fallback_transport_maps",
                                                           "sender_dependent_default_transport_maps",
                                                           "address_verify_transport_maps",
                                                           "address_verify_sender_dependent_default_transport_maps"};

class Finder {
public:
    explicit Finder(const config::Settings& settings) : settings_(settings), lists_(settings) {}

    std::vector<config::Problem> run()
    {
        if (settings_.services().empty()) return {};
        for (const WrittenValue& written : written_values(settings_))
            look_at(written.parameter, written.value, written.at);
        return std::move(problems_);
    }

private:
    void look_at(const std::string& parameter, std::string_view value, const config::Location& at, int depth = 0)
    {
        constexpr int deepest = 8;    // "{ check_client_access hash:/x }"
        names_transport_ = std::ranges::find(transport_tables, parameter) != transport_tables.end();
        if (!names_transport_ && !lists_.may_hold_tables(parameter)) return;
        for (const std::string_view word : base::split_quoted_braces(value)) {
            if (word.starts_with('#')) return;
            if (word.starts_with('{') && word.ends_with('}') && word.size() > 1) {
                if (depth < deepest) look_at(parameter, word.substr(1, word.size() - 2), at, depth + 1);
            } else if (word.find(':') != word.npos && seen_.emplace(parameter, word).second) {
                read_table(parameter, word, at);
            }
        }
    }

    void read_table(const std::string& parameter, std::string_view word, const config::Location& at)
    {
        const config::Location in_main_cf = source_.find(at, word);
        table::for_each_written_entry(word, [&](const table::WrittenEntry& entry) {
            look_at_value(parameter, entry.value,
                          entry.path.empty() ? in_main_cf : config::Location{std::string(entry.path), entry.line});
        });
    }

    // "transport:nexthop", or behind FILTER in other tables. "DUNNO" and ":nexthop" name no transport, "$1:" one that
    // nobody knows before.
    void look_at_value(const std::string& parameter, std::string_view value, const config::Location& at)
    {
        constexpr std::string_view filter = "FILTER";
        if (!names_transport_) {
            if (value.size() <= filter.size() || !base::is_space(value[filter.size()]) ||
                !base::equal_ignoring_case(value.substr(0, filter.size()), filter))
                return;
            value = base::trim(value.substr(filter.size()));
        } else if (base::equal_ignoring_case(value, "DUNNO")) {
            return;
        }
        const auto name = value.substr(0, value.find(':'));
        if (name.empty() || name.find_first_of(" \t$") != name.npos) return;
        base::Nearest nearest(name, 1);    // names are short: two edits make smtp of lmtp
        for (const auto& service : settings_.services()) {
            if (service.type == "inet") continue;
            if (service.name == name) return;
            nearest.look_at(service.name);
        }
        if (!missing_.emplace(at.file, name).second) return;
        const std::string_view best = nearest.best();
        problems_.push_back(config::make_problem(
            config::Problem::Level::warning, at,
            fmt::format("{} names the transport \"{}\", which master.cf does not have, so this mail waits", parameter,
                        base::printable(name)),
            parameter, best.empty() ? "add a line for it to master.cf" : fmt::format("is {} meant?", best)));
    }

    const config::Settings& settings_;
    ListWords lists_;
    config::Source source_;
    bool names_transport_ = false;
    std::set<std::pair<std::string, std::string>, std::less<>> seen_, missing_;
    std::vector<config::Problem> problems_;
};

} // namespace

std::vector<config::Problem> find_table_transports(const config::Settings& settings)
{
    return Finder(settings).run();
}

} // namespace ekiden::check
