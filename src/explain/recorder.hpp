// What the rooms of the road tell while a question is played, kept as a tree in the order in which it happened.
// Passwords never enter it. Bounded. Thread: any while it is in force; taken out when nothing runs.
#pragma once

#include "base/watcher.hpp"

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::explain {

struct Event {
    std::string what;            // "list", "restriction", "class"; facts: "lookup", "match", "reject", "route", "host"…
    std::string name, detail;    // of a fact: name, key
    std::string value, where;
    std::string answer;          // of what has parts: "permit", "reject", "dunno"
    std::vector<Event> inside;
};

class Recorder final : public base::Watcher {
public:
    // `asks_policy`: policy services may be asked.
    explicit Recorder(bool asks_policy) : asks_policy_(asks_policy) {}

    void enter(std::string_view what, std::string_view name, std::string_view detail) override;
    void leave(std::string_view answer) override;
    void note(std::string_view what, std::string_view name, std::string_view key, std::string_view value,
              std::string_view where) override;
    bool permits(std::string_view act, std::string_view name) override;

    // Everything since the last call. Whatever was begun and not ended (it was cut off) ends here.
    std::vector<Event> take();

private:
    static constexpr std::size_t most_events = 20'000;
    void add(Event event, bool stays_open);

    const bool asks_policy_;
    std::mutex mutex_;
    std::vector<Event> open_;      // the innermost last; the first is the root
    std::size_t count_ = 0;
};

// Puts a recorder in force for as long as it lives.
class Recording {
public:
    explicit Recording(Recorder& recorder) { base::use_watcher(&recorder); }
    ~Recording() { base::use_watcher(nullptr); }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
};

// Calls `visit` for each event, parents first. `path` holds the parents, outermost first.
template <class F>
void walk(const std::vector<Event>& events, F&& visit, std::vector<const Event*>& path)
{
    for (const Event& event : events) {
        visit(event, path);
        path.push_back(&event);
        walk(event.inside, visit, path);
        path.pop_back();
    }
}

}  // namespace ekiden::explain
