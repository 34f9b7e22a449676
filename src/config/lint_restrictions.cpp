// Restriction lists: words that nobody knows, and restrictions that are never asked.
#include "base/text.hpp"
#include "config/lint_services.hpp"
#include "config/restriction_names.hpp"
#include "config/snapshot.hpp"
#include "config/source.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace ekiden::config {

namespace {

// "check_client_access" and "hash:/x" of a list are one restriction.
struct Item {
    std::string written, word, argument;
    // Part of the word is a character that only looks like a blank: the message about that says it all.
    bool is_odd = false;
};

std::vector<Item> read_items(const std::vector<std::string>& words)
{
    std::vector<Item> items;
    for (std::size_t i = 0; i < words.size(); ++i) {
        Item item{words[i], words[i], {}};
        if (has_odd_character(item.word)) {
            const std::string plain(without_odd_ends(item.word));
            item.is_odd = plain.empty() || find_restriction(plain) != nullptr;
            if (item.is_odd) item.word = plain;
        }
        const auto inside = inside_braces(words[i]);
        if (inside) {
            const auto inner = split_list(*inside);
            if (inner.empty()) continue;
            item.word = inner.front();
            for (std::size_t k = 1; k < inner.size(); ++k) item.argument += (k == 1 ? "" : ", ") + inner[k];
        } else if (const auto* known = find_restriction(item.word);
                   known != nullptr && known->has_argument && i + 1 < words.size()) {
            item.argument = words[++i];
        }
        items.push_back(std::move(item));
    }
    return items;
}

bool is_restriction_list(std::string_view name)
{
    return name.starts_with("smtpd_") && name.ends_with("_restrictions");
}

class ListLinter {
public:
    explicit ListLinter(const Settings& settings) : settings_(settings)
    {
        for (const auto& name : settings.list("smtpd_restriction_classes")) classes_.insert(name);
    }

    std::vector<Problem> run()
    {
        for (const auto& name : settings_.names_set()) {
            const auto* setting = settings_.data().find(name);
            if (setting->at.line > 0 && is_restriction_list(name)) check(name, setting->expanded, setting->at);
        }
        for (const auto& name : classes_)
            if (const auto* setting = settings_.data().find(name)) check(name, setting->expanded, setting->at);
        for (const auto& service : settings_.services())
            for (std::size_t i = 0; i < service.overrides.size(); ++i)
                if (service.command == "smtpd" && is_restriction_list(service.overrides[i].first))
                    check_own(service, i);
        return std::move(problems_);
    }

private:
    void add(const Location& at, std::string_view parameter, std::string_view text, std::string_view advice = {})
    {
        add_once(problems_, make_problem(Problem::Level::warning, at, text, parameter, advice));
    }

    void check_own(const ServiceSpec& service, std::size_t index)
    {
        const std::string& name = service.overrides[index].first;
        try {
            check(name, settings_.for_service(service)->str(name), {service.file, service.line_of(index)});
        } catch (const ConfigError&) {
            // Another value of that line is of no use: lint_logins() says so.
        }
    }

    // Does the list end here for everybody?
    bool is_end(std::string_view word) const
    {
        return !classes_.contains(word) && (is_one_of(word, {"permit", "reject", "defer", "check_relay_domains"}));
    }

    void check(const std::string& name, const std::string& value, const Location& at)
    {
        const auto items = read_items(split_list(value));
        std::set<std::string> seen;
        std::map<std::string, int> counts;
        bool only_warns = false, takes_argument = false;
        for (std::size_t i = 0; i < items.size(); ++i) {
            const Item& item = items[i];
            if (item.word.starts_with('#')) return;    // that comment is another message's
            if (item.is_odd) {
                if (!item.word.empty()) check_name(name, item.word, source_.find(at, item.written));
                continue;
            }
            const auto place = source_.find(at, item.word, counts[item.word]++);
            // What stands behind a name that nobody knows may be its argument.
            if (takes_argument && item.word.contains('.')) {
                takes_argument = false;
                continue;
            }
            takes_argument = check_word(name, item, place);
            const bool was_warning = std::exchange(only_warns, base::equal_ignoring_case(item.word, "warn_if_reject"));
            if (only_warns) continue;
            const std::string whole = base::lower(item.word) + " " + item.argument;
            if (!was_warning && item.word != "sleep") {
                if (!seen.insert(whole).second)
                    add(place, name,
                        fmt::format("{} stands twice in {}", base::trim(item.word + " " + item.argument), name),
                        "the second one can go: it never decides anything");
            }
            // warn_if_reject makes a refusal harmless, and a permit stays one.
            if (!is_end(item.word) || (was_warning && item.word != "permit")) continue;
            if (i + 1 < items.size() && !items[i + 1].word.starts_with('#')) {
                const auto next = source_.find(at, items[i + 1].word, counts[items[i + 1].word]);
                add(next, name,
                    fmt::format("{} is never reached: \"{}\" in front of it ends {} for every client",
                                items[i + 1].word, item.word, name),
                    fmt::format("move it in front of \"{}\", or remove it", item.word));
            }
            return;
        }
    }

    // Old names.
    void check_name(const std::string& name, const std::string& word, const Location& at)
    {
        if (const auto* known = find_restriction(word); known != nullptr && !known->advice.empty())
            add(at, name, fmt::format("restriction \"{}\" {}", word, known->advice));
    }

    // True: nobody knows the word, and the one that is probably meant has an argument.
    bool check_word(const std::string& name, const Item& item, const Location& at)
    {
        if (classes_.contains(item.word) || item.word.find(':') != std::string::npos) return false;
        if (const auto* known = find_restriction(item.word)) {
            check_name(name, item.word, at);
            if (known->has_argument && item.argument.empty())
                add(at, name, fmt::format("restriction \"{}\" needs an argument", item.word));
            return false;
        }
        const auto nearest = nearest_restriction(item.word);
        const auto* meant = find_restriction(nearest);
        const bool is_prose = nearest.empty() && std::ranges::any_of(item.word, [](char c) {
            return static_cast<unsigned char>(c) >= 0x80;
        });
        add(at, name, fmt::format("unknown smtpd restriction: \"{}\"", item.word),
            is_prose ? "a remark needs a line of its own that begins with #" : is_meant(nearest));
        return meant != nullptr && meant->has_argument;
    }

    const Settings& settings_;
    Source source_;
    std::vector<Problem> problems_;
    std::set<std::string, std::less<>> classes_;
};

}  // namespace

std::vector<Problem> lint_restrictions(const Settings& settings) { return ListLinter(settings).run(); }

}  // namespace ekiden::config
