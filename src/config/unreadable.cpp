#include "config/unreadable.hpp"

#include "base/text.hpp"
#include "config/checks.hpp"
#include "config/main_cf.hpp"
#include "config/parameters.hpp"
#include "config/snapshot.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace ekiden::config {

namespace {

constexpr std::size_t most_problems = 100;

// What the text of a value says of the mistake, which is more than its kind does: a comment that became part of it, or
// entries. Otherwise the advice that there is.
std::string advice_of_text(std::string_view value, std::string advice)
{
    for (auto at = value.find('#'); at != value.npos; at = value.find('#', at + 1))
        if (at == 0 || base::is_space(value[at - 1])) return "a comment must have a line of its own";
    const auto words = base::split_any(value, " \t");
    for (std::size_t i = 1; i + 1 < words.size(); ++i)
        if (words[i + 1] == "=" && find_parameter(words[i]) != nullptr)
            return "\"" + std::string(words[i]) +
                   " = \u2026\" and what follows became part of it: move it to the start of a line";
    return advice;
}

// The words of "-o name = value" behind the name, up to the next argument that is an option; nothing without a `=`.
std::optional<std::string> value_behind(const std::vector<std::string_view>& words, std::size_t name)
{
    if (name + 1 >= words.size() || !words[name + 1].starts_with('=')) return std::nullopt;
    std::string value(words[name + 1].substr(1));
    for (std::size_t i = name + 2; i < words.size() && !words[i].starts_with('-'); ++i)
        (value += value.empty() ? "" : " ").append(words[i]);
    return value;
}

// What to write instead of a line of master.cf that blanks spoil: Postfix's words say what is missing only.
std::string advice_of_entry(const LogicalLine& line, std::string_view fault)
{
    const std::string_view text = line.text;
    if (text.starts_with("-o"))
        return "write a blank in front of -o, else it is a service of its own and no part of the one above";
    constexpr std::string_view missing = "missing '=' after attribute name: \"";
    const auto at = fault.find(missing);
    if (at == fault.npos) return {};
    const auto name = fault.substr(at + missing.size(), fault.size() - at - missing.size() - 1);
    const auto words = base::split_any(text, " \t\r\n\f\v");
    for (std::size_t i = 0; i < words.size(); ++i) {
        const bool is_it = (i > 0 && words[i - 1] == "-o" && words[i] == name) ||
                           (words[i].starts_with("-o") && words[i].substr(2) == name);
        if (!is_it) continue;
        const auto value = value_behind(words, i);
        const int where = line.line_at(static_cast<std::size_t>(words[i].data() - text.data()));
        const std::string place = where == line.line ? "" : fmt::format("in line {} ", where);
        if (!value) return fmt::format("{}write -o {}=VALUE, without blanks", place, name);
        if (value->empty()) return fmt::format("{}write -o {}=, without blanks", place, name);
        const std::string braces = fmt::format("-o {{ {} = {} }}", name, *value);
        if (value->contains(' ') || value->contains('{')) return fmt::format("{}write {}", place, braces);
        return fmt::format("{}write -o {}={} or {}", place, name, *value, braces);
    }
    return {};
}

class Collector {
public:
    explicit Collector(const LoadOptions& options) : options_(options)
    {
        options_.directory = find_config_directory(options.directory);
    }

    Unreadable run()
    {
        look_at_main_cf();
        look_at_master_cf();
        find_rest();
        if (found_.rest) look_at_services();
        return std::move(found_);
    }

private:
    void add(Problem problem)
    {
        if (found_.problems.size() < most_problems) found_.problems.push_back(std::move(problem));
    }

    void look_at_main_cf()
    {
        LoadOptions lenient = options_;
        lenient.checks = Checks::none;
        lenient.read_master_cf = false;
        auto settings = Settings::load(lenient); // throws where there is no main.cf at all
        if (const std::string level = settings->str("compatibility_level"); !parse_compatibility_level(level)) {
            // Many defaults ask for the level: without one they would all be named, and this would not.
            const std::string name = "compatibility_level";
            add({Problem::Level::fatal, settings->location(name),
                 "malformed compatibility level syntax: \"" + level + "\"", name,
                 advice_of_text(settings->raw(name), "write compatibility_level = 3.6")});
            options_.overrides.emplace_back(name, "3.6");
            lenient.overrides = options_.overrides;
            settings = Settings::load(lenient);
        }
        for (const auto& name : settings->names_set()) {
            const auto* parameter = find_parameter(name);
            if (parameter != nullptr && parameter->kind == Kind::raw) continue;
            try {
                (void)settings->expand(settings->raw(name));
            } catch (const ConfigError& error) {
                replaced_.push_back(name);
                add({Problem::Level::fatal, settings->location(name), "parameter " + name + ": " + error.what(), name});
            }
        }
        for (auto& problem : find_bad_values(*settings, options_.effective_checks())) {
            if (std::ranges::find(replaced_, problem.parameter) != replaced_.end()) continue;
            replaced_.push_back(problem.parameter);
            problem.advice = advice_of_text(settings->raw(problem.parameter), std::move(problem.advice));
            add(std::move(problem));
        }
        // As somebody reads the file who mends it.
        std::ranges::sort(found_.problems, {},
                          [](const Problem& problem) { return std::pair(problem.at.line, problem.parameter); });
    }

    void look_at_master_cf()
    {
        if (!options_.read_master_cf) return;
        const auto path = options_.directory + "/master.cf";
        try {
            const auto text = read_config_file(path);
            const auto physical = base::split(text, '\n');
            for (const auto& line : split_logical_lines(text, path)) {
                if (line.starts_blank) continue;
                // Alone, and where it stands.
                std::string entry(static_cast<std::size_t>(line.line - 1), '\n');
                for (int i = line.line; i <= line.last_line; ++i)
                    entry.append(physical[static_cast<std::size_t>(i - 1)]).push_back('\n');
                try {
                    std::ranges::move(parse_master_cf(entry, path), std::back_inserter(services_));
                } catch (const ConfigError& error) {
                    std::string fault = error.what();
                    std::string advice = advice_of_entry(line, fault);
                    if (!advice.empty()) fault += ": " + advice;
                    add({Problem::Level::fatal, {path, line.line}, std::move(fault), {}, std::move(advice)});
                    is_master_bad_ = true;
                }
            }
        } catch (const ConfigError& error) {
            add({Problem::Level::fatal, error.location, error.what()});
            is_master_bad_ = true;
        }
    }

    void find_rest()
    {
        LoadOptions mended = options_;
        for (const auto& name : replaced_) {
            const auto* row = find_parameter(name);
            const auto* of_service = find_service_parameter(name);
            mended.overrides.emplace_back(name, row != nullptr          ? row->default_value
                                                : of_service != nullptr ? of_service->default_value
                                                                        : std::string_view());
        }
        mended.read_master_cf = options_.read_master_cf && !is_master_bad_;
        try {
            found_.rest = Settings::load(mended);
            // The lines that can be read are looked at all the same.
            if (is_master_bad_ && !services_.empty()) use_services(std::move(services_));
        } catch (const ConfigError& error) {
            if (found_.problems.empty()) add({Problem::Level::fatal, error.location, error.what()});
        }
    }

    void use_services(std::vector<ServiceSpec> services)
    {
        auto data = std::make_shared<Settings::Data>(found_.rest->data());
        data->services = std::move(services);
        found_.rest = std::make_shared<const Settings>(std::move(data));
    }

    // One -o after the other, so that each of a line's is named; the rest goes without them.
    void look_at_services()
    {
        const SettingsPtr settings = found_.rest;
        std::vector<ServiceSpec> good = settings->services();
        for (auto& service : good) {
            const auto entries = std::exchange(service.overrides, {});
            const auto lines = std::exchange(service.override_lines, {});
            for (std::size_t i = 0; i < entries.size(); ++i) {
                const int line = i < lines.size() ? lines[i] : service.line;
                const Location at{service.file, line};
                try {
                    (void)settings->with({entries[i]}, at);
                    service.overrides.push_back(entries[i]);
                    service.override_lines.push_back(line);
                } catch (const ConfigError& error) {
                    add_override(*settings, entries[i], at, error.what());
                }
            }
        }
        use_services(std::move(good));
    }

    void add_override(const Settings& settings, const std::pair<std::string, std::string>& entry, const Location& at,
                      std::string text)
    {
        std::string advice = wanted_value(entry.first);
        try {
            (void)settings.expand(entry.second);
        } catch (const ConfigError&) {
            advice.clear();    // it is not the kind of value that is wrong
        }
        if (!advice.empty()) text += ": " + advice;
        add({Problem::Level::fatal, at, std::move(text), entry.first, std::move(advice)});
    }

    LoadOptions options_;
    std::vector<std::string> replaced_;
    bool is_master_bad_ = false;
    std::vector<ServiceSpec> services_;    // those that can be read
    Unreadable found_;
};

} // namespace

Unreadable find_unreadable(const LoadOptions& options)
{
    return Collector(options).run();
}

} // namespace ekiden::config
