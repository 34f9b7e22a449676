#include "receive/limits.hpp"

#include <algorithm>
#include <cstring>

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
    return connections == 0 && std::ranges::all_of(windows, [&](const Window& w) { return w.count == 0 || now - w.began_at >= unit; });
}

// A shard is swept whenever it has doubled since the last time: constant work per connection, and what stays is the
// clients of one time unit.
void ClientTable::Shard::sweep(SteadyTime now, std::chrono::seconds unit)
{
    if (entries.size() < sweep_at) return;
    std::erase_if(entries, [&](const auto& entry) { return entry.second.is_idle(now, unit); });
    sweep_at = std::max<std::size_t>(64, entries.size() * 2);
}

ClientTable::Counts ClientTable::connect(const Key& key, std::chrono::seconds unit)
{
    const auto now = base::steady_now();
    auto shard = shard_of(key);
    shard->sweep(now, unit);
    Entry& entry = shard->entries[key];
    const int open = ++entry.connections;
    return {open, entry.windows[static_cast<std::size_t>(Event::connection)].add(now, unit)};
}

void ClientTable::disconnect(const Key& key, std::chrono::seconds unit)
{
    auto shard = shard_of(key);
    const auto at = shard->entries.find(key);
    if (at == shard->entries.end()) return;
    --at->second.connections;
    if (at->second.is_idle(base::steady_now(), unit)) shard->entries.erase(at);
}

int ClientTable::count(const Key& key, Event event, std::chrono::seconds unit)
{
    auto shard = shard_of(key);
    return shard->entries[key].windows[static_cast<std::size_t>(event)].add(base::steady_now(), unit);
}

std::size_t ClientTable::size()
{
    std::size_t total = 0;
    for (auto& shard : shards_) total += shard.lock()->entries.size();
    return total;
}

}  // namespace ekiden::receive
