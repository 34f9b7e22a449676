#include "table/inquiries.hpp"

#include <algorithm>

namespace ekiden::table {

namespace {

constexpr auto memory_time = std::chrono::seconds(1);
constexpr std::size_t max_remembered = 1000;
constexpr std::size_t max_remembered_bytes = std::size_t{1} << 20;

using ByKey = std::map<std::string, std::weak_ptr<Inquiries>>;
base::Locked<ByKey>& by_key()
{
    static base::Locked<ByKey> known;
    return known;
}

}  // namespace

std::shared_ptr<Inquiries> Inquiries::about(const std::string& spec, const std::string& key)
{
    auto known = by_key().lock();
    if (auto at = known->find(key); at != known->end())
        if (auto found = at->second.lock()) return found;
    std::erase_if(*known, [](const auto& entry) { return entry.second.expired(); });
    auto made = std::make_shared<Inquiries>(spec);
    (*known)[key] = made;
    return made;
}

std::optional<Answer> Inquiries::recall(std::string_view key)
{
    auto state = state_.lock();
    if (state->answers.empty()) return std::nullopt;
    const auto at = state->answers.find(std::string(key));
    if (at == state->answers.end() || base::steady_now() >= at->second.until) return std::nullopt;
    ++state->counts.remembered;
    return Answer(at->second.value);
}

Task<Answer> Inquiries::ask(TablePtr table, std::string key, net::BlockingPool* pool)
{
    const SteadyTime asked_at = base::steady_now();
    if (!pool) {
        Answer answer = table->lookup(key);
        keep(key, answer, asked_at);
        co_return answer;
    }
    Answer answer = co_await pool->run([table, key] { return table->lookup(key); }, lane_);
    keep(key, answer, asked_at);
    co_return answer;
}

void Inquiries::keep(const std::string& key, const Answer& answer, SteadyTime asked_at)
{
    const SteadyTime now = base::steady_now();
    auto state = state_.lock();
    Counts& counts = state->counts;
    ++(!answer ? counts.trouble : *answer ? counts.found : counts.absent);
    counts.longest = std::max(counts.longest, std::chrono::duration_cast<std::chrono::milliseconds>(now - asked_at));
    if (!answer) return;
    const std::size_t size = key.size() + (*answer ? (*answer)->size() : 0);
    if (state->answers.size() >= max_remembered || state->bytes + size > max_remembered_bytes) {
        state->answers.clear();
        state->bytes = 0;
    }
    if (size > max_remembered_bytes) return;
    state->bytes += size;   // of an answer that is replaced, both count: the bound is only reached earlier
    state->answers.insert_or_assign(key, Remembered{*answer, now + memory_time});
}

std::vector<std::pair<std::string, Inquiries::Counts>> Inquiries::all()
{
    std::vector<std::pair<std::string, Counts>> result;
    auto known = by_key().lock();
    for (const auto& [key, weak] : *known)
        if (auto inquiries = weak.lock()) result.emplace_back(inquiries->spec_, inquiries->counts());
    std::ranges::sort(result, {}, [](const auto& entry) { return entry.first; });
    return result;
}

}  // namespace ekiden::table
