#include "explain/recorder.hpp"

#include "base/text.hpp"

namespace ekiden::explain {

namespace {

constexpr std::size_t longest_text = 2000;    // of one value; an alias may be a long list

// Bytes of a table or a peer, as they may stand on a terminal.
std::string shown(std::string_view text)
{
    std::string out = base::printable(text.substr(0, longest_text));
    if (text.size() > longest_text) out += "…";
    return out;
}

// The name of a table, where the entries themselves may stand in it.
std::string without_entries(std::string table)
{
    for (const std::string_view type : {"inline:", "static:"}) {
        const auto at = table.find(type);
        if (at != table.npos) table.replace(at + type.size(), table.npos, "…");
    }
    return table;
}

// Restrictions that only the running server can ask, or that only cost time.
bool is_never_asked(std::string_view restriction)
{
    return restriction.starts_with("reject_unverified_") || restriction == "sleep";
}

}  // namespace

void Recorder::enter(std::string_view what, std::string_view name, std::string_view detail)
{
    add({.what = std::string(what),
         .name = shown(name),
         .detail = shown(detail),
         .value = {},
         .where = {},
         .answer = {},
         .inside = {}},
        true);
}

void Recorder::leave(std::string_view answer)
{
    const std::lock_guard lock(mutex_);
    if (open_.size() < 2) return;
    Event done = std::move(open_.back());
    open_.pop_back();
    done.answer = answer;
    open_.back().inside.push_back(std::move(done));
}

void Recorder::note(std::string_view what, std::string_view name, std::string_view key, std::string_view value,
                    std::string_view where)
{
    // "user:password": who logs in is told by a note of its own.
    const bool has_secrets = name.ends_with("sasl_password_maps");
    add({.what = std::string(what),
         .name = shown(name),
         .detail = shown(key),
         .value = has_secrets && what != "login" ? std::string() : shown(value),
         .where = has_secrets ? without_entries(shown(where)) : shown(where),
         .answer = {},
         .inside = {}},
        false);
}

bool Recorder::permits(std::string_view act, std::string_view name)
{
    if (act == "restriction") return name == "check_policy_service" ? asks_policy_ : !is_never_asked(name);
    return false;    // no server is spoken to
}

void Recorder::add(Event event, bool stays_open)
{
    const std::lock_guard lock(mutex_);
    if (open_.empty()) open_.emplace_back();
    if (stays_open) open_.push_back(std::move(event));
    else if (count_++ < most_events) open_.back().inside.push_back(std::move(event));
}

std::vector<Event> Recorder::take()
{
    const std::lock_guard lock(mutex_);
    while (open_.size() > 1) {
        Event done = std::move(open_.back());
        open_.pop_back();
        open_.back().inside.push_back(std::move(done));
    }
    std::vector<Event> all;
    if (!open_.empty()) all = std::move(open_.back().inside);
    open_.clear();
    return all;
}

}  // namespace ekiden::explain
