#include "mail/queue_id.hpp"

#include <algorithm>
#include <atomic>

namespace ekiden::mail {
namespace {

constexpr std::uint64_t per_second = 1'000'000;

// Digits and consonants: no vowel, so that no word can come about (what Postfix documents for long queue ids).
constexpr std::string_view digits52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
static_assert(digits52.size() == 52);
constexpr std::string_view digits16 = "0123456789ABCDEF";

// The field after 'z' is the inode number in Postfix, which makes the time unique. Here the time is unique already;
// parsers want the field to be there.
constexpr std::string_view long_ending = "z1";
constexpr std::size_t long_fraction_digits = 4, long_least_seconds = 6, short_fraction_digits = 5;

std::atomic<bool> is_long_wanted{false};
std::atomic<std::uint64_t> last_given{0};

std::string digits(std::uint64_t value, std::string_view alphabet, std::size_t least)
{
    std::string text;
    for (; value > 0 || text.size() < least; value /= alphabet.size()) text += alphabet[value % alphabet.size()];
    std::ranges::reverse(text);
    return text;
}

// The canonical number only: no more leading zeros than `least` asks for.
std::optional<std::uint64_t> number(std::string_view text, std::string_view alphabet, std::size_t least)
{
    if (text.size() < least || (text.size() > least && text.front() == alphabet.front())) return std::nullopt;
    std::uint64_t value = 0;
    for (char c : text) {
        std::size_t digit = alphabet.find(c);
        if (digit == alphabet.npos || value > (UINT64_MAX - digit) / alphabet.size()) return std::nullopt;
        value = value * alphabet.size() + digit;
    }
    return value;
}

std::optional<QueueId> join(std::optional<std::uint64_t> seconds, std::optional<std::uint64_t> fraction)
{
    if (!seconds || !fraction || *fraction >= per_second || *seconds > (UINT64_MAX - *fraction) / per_second)
        return std::nullopt;
    QueueId id{*seconds * per_second + *fraction};
    if (!id) return std::nullopt;
    return id;
}

}  // namespace

void use_long_queue_ids(bool is_long) { is_long_wanted = is_long; }

std::string format(QueueId id)
{
    std::uint64_t seconds = id.value / per_second, fraction = id.value % per_second;
    if (is_long_wanted.load(std::memory_order_relaxed))
        return digits(seconds, digits52, long_least_seconds) + digits(fraction, digits52, long_fraction_digits) +
               std::string(long_ending);
    return digits(fraction, digits16, short_fraction_digits) + digits(seconds, digits16, 1);
}

std::optional<QueueId> parse_queue_id(std::string_view text)
{
    if (text.ends_with(long_ending) && text.size() >= long_least_seconds + long_fraction_digits + long_ending.size()) {
        text.remove_suffix(long_ending.size());
        std::size_t seconds = text.size() - long_fraction_digits;
        return join(number(text.substr(0, seconds), digits52, long_least_seconds),
                    number(text.substr(seconds), digits52, long_fraction_digits));
    }
    if (text.size() <= short_fraction_digits) return std::nullopt;
    return join(number(text.substr(short_fraction_digits), digits16, 1),
                number(text.substr(0, short_fraction_digits), digits16, short_fraction_digits));
}

QueueId make_queue_id()
{
    auto now = static_cast<std::uint64_t>(base::wall_now().time_since_epoch().count());
    std::uint64_t last = last_given.load(std::memory_order_relaxed), next;
    do next = std::max(now, last + 1);
    while (!last_given.compare_exchange_weak(last, next, std::memory_order_relaxed));
    return {next};
}

void reserve_queue_ids(QueueId used)
{
    std::uint64_t last = last_given.load(std::memory_order_relaxed);
    while (last < used.value && !last_given.compare_exchange_weak(last, used.value, std::memory_order_relaxed)) {}
}

}  // namespace ekiden::mail
