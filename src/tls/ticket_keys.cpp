#include "tls/ticket_keys.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

namespace ekiden::tls {

namespace {
// Services may have lifetimes of their own; more keys than this only exist while somebody changes settings at speed.
constexpr std::size_t most_keys = 16;
}  // namespace

TicketKey::~TicketKey()
{
    OPENSSL_cleanse(cipher.data(), cipher.size());
    OPENSSL_cleanse(digest.data(), digest.size());
}

TicketKeys& TicketKeys::of_process()
{
    static TicketKeys keys;
    return keys;
}

void TicketKeys::Keys::forget_old(SteadyTime now)
{
    std::erase_if(list, [&](const TicketKey& key) { return now - key.made_at >= 2 * longest; });
    while (list.size() > most_keys) list.erase(list.begin());
}

std::optional<TicketKey> TicketKeys::current(SteadyTime now, std::chrono::seconds lifetime)
{
    auto keys = keys_.lock();
    keys->longest = std::max(keys->longest, lifetime);
    if (!keys->list.empty() && now - keys->list.back().made_at < lifetime) return keys->list.back();
    TicketKey key;
    key.made_at = now;
    if (RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) != 1 ||
        RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) != 1 ||
        RAND_priv_bytes(key.digest.data(), static_cast<int>(key.digest.size())) != 1) {
        return std::nullopt;
    }
    keys->list.push_back(key);
    keys->forget_old(now);
    return key;
}

std::optional<TicketKeys::Found> TicketKeys::find(const unsigned char* name, SteadyTime now,
                                                  std::chrono::seconds lifetime)
{
    auto keys = keys_.lock();
    for (auto key = keys->list.rbegin(); key != keys->list.rend(); ++key) {
        if (std::memcmp(key->name.data(), name, key->name.size()) != 0) continue;
        const auto age = now - key->made_at;
        if (age >= 2 * lifetime) return std::nullopt;
        return Found{*key, age < lifetime};
    }
    return std::nullopt;
}

std::size_t TicketKeys::size() { return keys_.lock()->list.size(); }

}  // namespace ekiden::tls
