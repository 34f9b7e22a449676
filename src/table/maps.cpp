#include "table/maps.hpp"

#include "base/clock.hpp"
#include "base/text.hpp"
#include "base/watcher.hpp"
#include "table/inquiries.hpp"
#include "table/openers.hpp"

#include <array>
#include <atomic>

namespace ekiden::table {

namespace {

std::atomic<net::BlockingPool*> blocking_pool{nullptr};

constexpr auto check_interval = std::chrono::seconds(1);

// Stands for a table that could not be opened: every lookup is trouble, and opening is tried again every second.
class UnavailableTable final : public Table {
public:
    UnavailableTable(std::string spec, std::string why) : Table(std::move(spec)), why_(std::move(why)) {}
    Answer lookup(std::string_view) const override
    {
        return fail(ErrorCode::unavailable, spec() + " is unavailable. " + why_);
    }
    bool is_stale() const override { return true; }

private:
    std::string why_;
};

struct Slot {
    explicit Slot(std::string s) : spec(std::move(s)) {}
    std::string spec;
    std::atomic<TablePtr> table;
    std::atomic<bool> has_warned = false;
    std::shared_ptr<Inquiries> inquiries;

    // Without waiting: from memory, or what was asked a moment ago.
    std::optional<Answer> answer_at_once(const TablePtr& from, std::string_view key) const
    {
        std::optional<Answer> answer = from->lookup_at_once(key);
        if (!answer) answer = inquiries->recall(key);
        return answer;
    }
};

// The one place where a lookup leaves the event loop.
Task<Answer> ask_slowly(Inquiries& inquiries, TablePtr table, std::string key)
{
    return inquiries.ask(std::move(table), std::move(key), blocking_pool.load(std::memory_order_acquire));
}

}  // namespace

void use_blocking_pool(net::BlockingPool* pool) { blocking_pool.store(pool, std::memory_order_release); }

struct Maps::Chain {
    std::string title;
    OpenOptions options;
    std::vector<std::unique_ptr<Slot>> slots;
    std::vector<std::string> problems;
    mutable std::atomic<SteadyTime::rep> next_check_at{0};

    // True for one caller a second: that one looks whether files have changed.
    bool claims_check() const
    {
        const auto now = base::steady_now().time_since_epoch().count();
        auto due = next_check_at.load(std::memory_order_relaxed);
        if (now < due) return false;
        return next_check_at.compare_exchange_strong(due, now + SteadyTime::duration(check_interval).count());
    }
    bool has_stale() const
    {
        for (const auto& slot : slots) {
            if (slot->table.load()->is_stale()) return true;
        }
        return false;
    }
    void reopen_stale() const
    {
        for (const auto& slot : slots) {
            if (!slot->table.load()->is_stale()) continue;
            auto fresh = open_table(slot->spec, options);
            if (fresh) {
                slot->table.store(*fresh);
                slot->has_warned = false;
            } else if (!slot->has_warned.exchange(true) &&
                       !dynamic_cast<const UnavailableTable*>(slot->table.load().get())) {
                log(nullptr).warning("{}: {}; using what was read before", slot->spec, fresh.error().text());
            }
        }
    }
    Logger log(const Logger* given) const { return given ? *given : options.log ? *options.log : Logger("postfix"); }

    void tell(base::Watcher& watcher, const Slot& slot, std::string_view key, const Answer& answer) const
    {
        if (!answer) watcher.note("trouble", title, key, answer.error().text(), slot.spec);
        else if (*answer) watcher.note("lookup", title, key, **answer, slot.spec);
    }

    // What an answer means to the chain: a value ends it, trouble ends it, nothing goes on.
    Answer judge(const Slot& slot, std::string_view key, Answer answer, const Logger* given) const
    {
        if (base::Watcher* watcher = base::watcher()) tell(*watcher, slot, key, answer);
        if (answer && (!*answer || !(*answer)->empty())) return answer;
        if (answer) {
            log(given).warning("{} lookup of {} returns an empty string result", title, key);
            log(given).warning("{} should return NO RESULT in case of NOT FOUND", title);
        } else if (answer.error().text() != no_reason) {
            log(given).warning("{}", answer.error().text());
        }
        std::string text = slot.spec + " lookup error for \"" + std::string(key) + "\"";
        if (!answer) log(given).warning("{}", text);
        return fail(ErrorCode::unavailable, std::move(text));
    }
};

Maps Maps::open(std::string_view parameter, std::string_view value, const OpenOptions& options)
{
    auto chain = std::make_shared<Chain>();
    chain->title = parameter;
    chain->options = options;
    for (std::string_view item : base::split_quoted_braces(value)) {
        std::string_view spec = item;
        if (spec.size() > 2 && spec.starts_with('{') && spec.ends_with('}'))
            spec = base::trim(spec.substr(1, spec.size() - 2));
        auto slot = std::make_unique<Slot>(std::string(spec));
        auto table = open_table(spec, options);
        if (!table) {
            chain->problems.push_back(table.error().text());
            slot->table = std::make_shared<UnavailableTable>(std::string(spec), table.error().text());
        } else {
            slot->table = std::move(*table);
        }
        slot->inquiries = Inquiries::about(slot->spec, (options.fold_keys ? "f:" : "-:") + slot->spec);
        chain->slots.push_back(std::move(slot));
    }
    // Just read; look again in a second. What could not be opened is tried again by the first who asks.
    if (chain->problems.empty()) chain->claims_check();
    Maps maps;
    if (!chain->slots.empty()) maps.chain_ = std::move(chain);
    return maps;
}

const std::vector<std::string>& Maps::problems() const
{
    static const std::vector<std::string> none;
    return chain_ ? chain_->problems : none;
}

std::string Maps::title() const { return chain_ ? chain_->title : std::string{}; }

void Maps::refresh() const
{
    if (chain_) chain_->reopen_stale();
}

// Reads changed tables before the lookup that noticed, so that a mail sent after postmap sees the new table.
static Task<void> refresh_slowly(const Maps maps)
{
    net::BlockingPool* pool = blocking_pool.load(std::memory_order_acquire);
    if (pool) {
        co_await pool->run([maps] { maps.refresh(); });
    } else {
        maps.refresh();
    }
}

Task<Answer> Maps::find(std::string key, const Logger* log) const
{
    const auto chain = chain_;
    if (!chain) co_return std::nullopt;
    if (chain->claims_check() && chain->has_stale()) co_await refresh_slowly(*this);
    for (const auto& slot : chain->slots) {
        TablePtr table = slot->table.load();
        std::optional<Answer> answer = slot->answer_at_once(table, key);
        if (!answer) {
            auto slow = co_await ask_slowly(*slot->inquiries, std::move(table), key);
            answer = std::move(slow);
        }
        if (*answer && !**answer) continue;
        co_return chain->judge(*slot, key, std::move(*answer), log);
    }
    co_return std::nullopt;
}

std::optional<Answer> Maps::find_at_once(std::string_view key, const Logger* log) const
{
    if (!chain_) return Answer(std::nullopt);
    if (chain_->claims_check() && chain_->has_stale()) {
        chain_->next_check_at.store(0, std::memory_order_relaxed);   // find() shall see it, and read what has changed
        return std::nullopt;
    }
    for (const auto& slot : chain_->slots) {
        std::optional<Answer> answer = slot->answer_at_once(slot->table.load(), key);
        if (!answer) return std::nullopt;
        if (*answer && !**answer) continue;
        return chain_->judge(*slot, key, std::move(*answer), log);
    }
    return Answer(std::nullopt);
}

Answer Maps::find_now(std::string_view key, const Logger* log) const
{
    if (!chain_) return std::nullopt;
    if (chain_->claims_check()) chain_->reopen_stale();
    for (const auto& slot : chain_->slots) {
        auto answer = slot->table.load()->lookup(key);
        if (answer && !*answer) continue;
        return chain_->judge(*slot, key, std::move(answer), log);
    }
    return std::nullopt;
}

Task<Result<std::optional<Maps::AddressAnswer>>> Maps::find_address(std::string address, const AddressOptions& options,
                                                                    const Logger* log) const
{
    const auto chain = chain_;
    if (!chain) co_return std::nullopt;
    const std::vector<AddressKey> keys = address_keys(address, options);
    if (chain->claims_check() && chain->has_stale()) co_await refresh_slowly(*this);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        for (const auto& slot : chain->slots) {
            TablePtr table = slot->table.load();
            if (i > 0 && table->has_patterns()) continue;
            std::optional<Answer> answer = slot->answer_at_once(table, keys[i].key);
            if (!answer) {
                auto slow = co_await ask_slowly(*slot->inquiries, std::move(table), keys[i].key);
                answer = std::move(slow);
            }
            if (*answer && !**answer) continue;
            Answer judged = chain->judge(*slot, keys[i].key, std::move(*answer), log);
            if (!judged) co_return std::unexpected(std::move(judged).error());
            AddressAnswer found{std::move(**judged), keys[i].extension};
            co_return found;
        }
    }
    co_return std::nullopt;
}

std::vector<Maps::AddressKey> Maps::address_keys(std::string_view address, const AddressOptions& options)
{
    std::vector<AddressKey> keys;
    const std::size_t at = address.rfind('@');
    const std::string_view local = address.substr(0, at);
    const std::string_view domain = at == address.npos ? std::string_view{} : address.substr(at);  // "@example.com"
    const auto split = find_extension(local, options.recipient_delimiter);
    const std::string user(local.substr(0, split.value_or(local.size())));
    const std::string extension(split ? local.substr(*split) : std::string_view{});

    keys.push_back({std::string(address), {}});
    if (split) keys.push_back({user + std::string(domain), extension});
    if (!domain.empty()) {
        if (options.is_local_domain) {
            keys.push_back({std::string(local), {}});
            if (split) keys.push_back({user, extension});
        }
        if (options.with_domain_catch_all) keys.push_back({std::string(domain), {}});
    }
    return keys;
}

std::optional<std::size_t> find_extension(std::string_view local_part, std::string_view recipient_delimiter)
{
    if (recipient_delimiter.empty()) return std::nullopt;
    static constexpr std::array system_names{"mailer-daemon", "double-bounce", "postmaster"};
    for (std::string_view name : system_names) {
        if (base::equal_ignoring_case(local_part, name)) return std::nullopt;
    }
    // With "-" as delimiter, owner-list and list-request are addresses of the list, not extensions.
    if (recipient_delimiter.contains('-')) {
        const std::string lowered = base::lower(local_part);
        if (lowered.starts_with("owner-") || lowered.ends_with("-request")) return std::nullopt;
    }
    const std::size_t at = local_part.find_first_of(recipient_delimiter, 1);
    if (at == local_part.npos || local_part.empty()) return std::nullopt;
    return at;
}

}  // namespace ekiden::table
