#include "config/lint.hpp"

#include "base/text.hpp"
#include "config/expand.hpp"
#include "config/lint_parts.hpp"
#include "config/snapshot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace ekiden::config {

void add_once(std::vector<Problem>& problems, Problem problem)
{
    if (std::ranges::find(problems, problem.text, &Problem::text) == problems.end())
        problems.push_back(std::move(problem));
}

std::vector<Problem> lint(const Settings& settings)
{
    std::vector<Problem> problems;
    const auto add = [&](Problem problem) { add_once(problems, std::move(problem)); };
    for (const auto part : {lint_names, lint_restrictions, find_undefined, lint_overrides, lint_commented, lint_words,
                            lint_logins, lint_tls, lint_clients, lint_domains, lint_routes, lint_inbound})
        for (auto& problem : part(settings)) add(std::move(problem));
    for (auto& odd : lint_characters(settings.directory())) add(std::move(odd.problem));
    // In the order of the files, those that stop the start first.
    std::vector<std::tuple<bool, bool, int, std::size_t>> order;
    for (const auto& problem : problems)
        order.emplace_back(problem.level != Problem::Level::fatal, problem.at.file.ends_with("master.cf"),
                           problem.at.line, order.size());
    std::ranges::sort(order);
    std::vector<Problem> sorted;
    for (const auto& key : order) sorted.push_back(std::move(problems[std::get<3>(key)]));
    return sorted;
}

std::vector<Problem> find_undefined(const Settings& settings)
{
    std::vector<Problem> problems;
    std::set<std::string, std::less<>> known_undefined;
    for (const auto& name : settings.names_set()) {
        const auto* setting = settings.data().find(name);
        if (setting->at.line == 0 || (setting->parameter != nullptr && setting->parameter->kind == Kind::raw)) continue;
        for_each_name(setting->raw, [&](std::string_view used) {
            // $service_name and the like are only known while a service runs; service parameters have defaults.
            if (settings.data().find(used) != nullptr || find_parameter(used) != nullptr ||
                find_service_parameter(used) != nullptr)
                return;
            // ${name?text} asks whether it is defined: whoever asks knows that it may not be.
            if (setting->raw.contains(fmt::format("{{{}?", used)) || setting->raw.contains(fmt::format("{{{}:", used)))
                return;
            if (!known_undefined.emplace(used).second) return;
            problems.push_back({Problem::Level::warning, setting->at,
                                fmt::format("{}: undefined parameter: {}", setting->at.file, used)});
        });
    }
    return problems;
}

}  // namespace ekiden::config
