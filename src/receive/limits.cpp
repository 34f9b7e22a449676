#include "receive/limits.hpp"

#include <fmt/chrono.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace ekiden::receive {

namespace {

template <class Bytes>
void copy_prefix(const Bytes& from, unsigned bits, unsigned char* to)
{
    for (std::size_t i = 0; i < from.size() && bits > 0; ++i) {
        const unsigned take = std::min(bits, 8u);
        to[i] = static_cast<unsigned char>(from[i] & (0xFF00u >> take));
        bits -= take;
    }
}

}  // namespace

ClientTable::Key ClientTable::key_of(const net::Address& client, unsigned ipv4_prefix, unsigned ipv6_prefix)
{
    Key key;
    if (client.is_v4()) {
        key.bytes[10] = key.bytes[11] = 0xFF;
        copy_prefix(client.to_v4().to_bytes(), ipv4_prefix, key.bytes.data() + 12);
    } else {
        copy_prefix(client.to_v6().to_bytes(), ipv6_prefix, key.bytes.data());
    }
    return key;
}

std::size_t ClientTable::Hash::operator()(const Key& key) const
{
    std::uint64_t a, b;
    std::memcpy(&a, key.bytes.data(), 8);
    std::memcpy(&b, key.bytes.data() + 8, 8);
    std::uint64_t mixed = (a ^ (b * 0x9e3779b97f4a7c15ull)) * 0xff51afd7ed558ccdull;
    return mixed ^ mixed >> 32;
}

int ClientTable::Window::add(SteadyTime now, std::chrono::seconds unit)
{
    if (count == 0 || now - began_at >= unit) {
        began_at = now;
        count = 0;
    }
    return ++count;
}

bool ClientTable::Entry::is_idle(SteadyTime now, std::chrono::seconds unit) const
{
    return connections == 0 &&
           std::ranges::all_of(windows, [&](const Window& w) { return w.count == 0 || now - w.began_at >= unit; });
}

// A shard is swept whenever it has doubled since the last time: constant work per connection, and what stays is the
// clients of one time unit.
void ClientTable::Shard::sweep(SteadyTime now, std::chrono::seconds unit, std::atomic<int>& clients)
{
    if (entries.size() < sweep_at) return;
    clients.fetch_sub(
        static_cast<int>(std::erase_if(entries, [&](const auto& entry) { return entry.second.is_idle(now, unit); })));
    sweep_at = std::max<std::size_t>(64, entries.size() * 2);
}

void ClientTable::Shard::note(Maximum& maximum, int number, const Key& key)
{
    if (number > maximum.number) maximum = {number, key, base::wall_now()};
}

ClientTable::Entry& ClientTable::entry_of(Shard& shard, const Key& key)
{
    auto [at, is_new] = shard.entries.try_emplace(key);
    if (is_new) Shard::note(shard.highest.clients, clients_.fetch_add(1) + 1, key);
    return at->second;
}

ClientTable::Counts ClientTable::connect(const Key& key, std::chrono::seconds unit)
{
    const auto now = base::steady_now();
    auto shard = shard_of(key);
    shard->sweep(now, unit, clients_);
    Entry& entry = entry_of(*shard, key);
    constexpr auto row = static_cast<std::size_t>(Event::connection);
    const Counts counts{++entry.connections, entry.windows[row].add(now, unit)};
    Shard::note(shard->highest.connections, counts.now, key);
    Shard::note(shard->highest.rates[row], counts.rate, key);
    return counts;
}

void ClientTable::disconnect(const Key& key, std::chrono::seconds unit)
{
    auto shard = shard_of(key);
    const auto at = shard->entries.find(key);
    if (at == shard->entries.end()) return;
    --at->second.connections;
    if (!at->second.is_idle(base::steady_now(), unit)) return;
    shard->entries.erase(at);
    clients_.fetch_sub(1);
}

int ClientTable::count(const Key& key, Event event, std::chrono::seconds unit)
{
    const auto row = static_cast<std::size_t>(event);
    auto shard = shard_of(key);
    const int number = entry_of(*shard, key).windows[row].add(base::steady_now(), unit);
    Shard::note(shard->highest.rates[row], number, key);
    return number;
}

int ClientTable::count_so_far(const Key& key, Event event, std::chrono::seconds unit)
{
    auto shard = shard_of(key);
    const auto at = shard->entries.find(key);
    if (at == shard->entries.end()) return 0;
    const Window& window = at->second.windows[static_cast<std::size_t>(event)];
    return base::steady_now() - window.began_at >= unit ? 0 : window.count;
}

std::size_t ClientTable::size()
{
    std::size_t total = 0;
    for (auto& shard : shards_) total += shard.lock()->entries.size();
    return total;
}

std::string ClientTable::text_of(const Key& key)
{
    const boost::asio::ip::address_v6 address(key.bytes);
    if (address.is_v4_mapped()) return make_address_v4(boost::asio::ip::v4_mapped, address).to_string();
    return address.to_string();
}

ClientTable::Statistics ClientTable::take_statistics()
{
    Statistics total;
    auto take = [](Maximum& to, const Maximum& from) {
        if (from.number > to.number) to = from;
    };
    for (auto& shard : shards_) {
        const Statistics part = std::exchange(shard.lock()->highest, {});
        for (std::size_t i = 0; i < event_count; ++i) take(total.rates[i], part.rates[i]);
        take(total.connections, part.connections);
        take(total.clients, part.clients);
    }
    return total;
}

std::vector<std::string> ClientTable::Statistics::lines(std::string_view service, std::chrono::seconds unit) const
{
    std::vector<std::string> result;
    auto when = [](const Maximum& m) {
        return fmt::format("{:%b %e %H:%M:%S}", fmt::localtime(base::to_seconds(m.at)));
    };
    auto add = [&](const Maximum& m, std::string_view what, std::string_view per) {
        if (m.number > 0)
            result.push_back(fmt::format("statistics: max {} {}{} for ({}:{}) at {}", what, m.number, per, service,
                                         text_of(m.who), when(m)));
    };
    const std::string per = fmt::format("/{}s", unit.count());
    add(rates[0], "connection rate", per);
    add(connections, "connection count", "");
    static constexpr std::array<std::string_view, event_count> names{"", "message rate", "recipient rate",
                                                                     "newtls rate", "auth rate"};
    for (std::size_t i = 1; i < event_count; ++i) add(rates[i], names[i], per);
    if (clients.number > 0)
        result.push_back(fmt::format("statistics: max cache size {} at {}", clients.number, when(clients)));
    return result;
}

}  // namespace ekiden::receive
