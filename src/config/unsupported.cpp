#include "config/lint.hpp"

#include "base/text.hpp"
#include "config/snapshot.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace ekiden::config {

namespace {

// What a parameter that is supported in part does with a value.
enum class Verdict { works, without_effect, refused };

Verdict judge(const Parameter& row, std::string_view value)
{
    const auto yes = parse_boolean(value);
    switch (row.support) {
    case Support::supported: return Verdict::works;
    // Where a distribution keeps its files: each of their main.cf sets some, and nothing is lost.
    case Support::without_effect: return row.area == "paths" ? Verdict::works : Verdict::without_effect;
    case Support::refused:
        if (row.kind == Kind::boolean) return yes.value_or(true) ? Verdict::refused : Verdict::works;
        return value.empty() ? Verdict::works : Verdict::refused;
    case Support::partly:
        return yes.value_or(true) ? Verdict::without_effect : Verdict::works;
    }
    return Verdict::works;
}

class Finder {
public:
    explicit Finder(const Settings& settings) : settings_(settings) {}

    std::vector<Problem> run()
    {
        for (const auto& name : settings_.names_set()) {
            const auto* setting = settings_.data().find(name);
            // No release of Postfix reads it: lint() explains it.
            if (setting->parameter == nullptr || setting->parameter->is_obsolete() ||
                setting->raw == setting->parameter->default_value)
                continue;
            // The directory is set by -c; a value like the default's says nothing new.
            if (setting->expanded == settings_.expand(setting->parameter->default_value)) continue;
            add(*setting->parameter, setting->expanded, setting->at);
        }
        for (const auto& service : settings_.services()) {
            for (std::size_t i = 0; i < service.overrides.size(); ++i) {
                const auto& [name, value] = service.overrides[i];
                const auto* row = find_parameter(name);
                if (row == nullptr || row->is_obsolete() || value == settings_.raw(name)) continue;
                add(*row, settings_.expand(value), {service.file, service.line_of(i)});
            }
        }
        for (const auto& [key, group] : without_effect_) {
            const auto text = fmt::format("{}: {}, so this has no effect: {}", key.file, key.reason, list(group));
            problems_.push_back({Problem::Level::warning, group.front().at, text});
        }
        return std::move(problems_);
    }

private:
    struct Entry {
        std::string_view name;
        Location at;
    };

    void add(const Parameter& row, const std::string& value, const Location& at)
    {
        switch (judge(row, value)) {
        case Verdict::works: return;
        case Verdict::without_effect: without_effect_[{at.file, row.reason}].push_back({row.name, at}); return;
        case Verdict::refused:
            problems_.push_back(make_problem(Problem::Level::fatal, at,
                                             fmt::format("{} = {}: {}", row.name, value, row.reason), row.name));
        }
    }

    static std::string list(const std::vector<Entry>& group)
    {
        std::string text;
        for (const auto& entry : group)
            text += fmt::format("{}{} (line {})", text.empty() ? "" : ", ", entry.name, entry.at.line);
        return text;
    }

    struct Key {
        std::string file;
        std::string_view reason;
        auto operator<=>(const Key&) const = default;
    };

    const Settings& settings_;
    std::vector<Problem> problems_;
    std::map<Key, std::vector<Entry>> without_effect_;
};

}  // namespace

std::vector<Problem> find_unsupported(const Settings& settings) { return Finder(settings).run(); }

}  // namespace ekiden::config
