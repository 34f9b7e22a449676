#include "sasl/crypt_hash.hpp"

#include "base/text.hpp"

#include <crypt.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>

namespace ekiden::sasl {

namespace {

constexpr std::uint64_t max_memory = 128 << 20;    // of scrypt and yescrypt, in bytes; passes count as memory
constexpr unsigned max_rounds = 1'000'000;         // of SHA-512 and SHA-256: about half a second
constexpr unsigned max_bcrypt_cost = 14;           // about a second
constexpr std::string_view digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::optional<std::uint64_t> number(std::string_view text)
{
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto digit = digits.find(text[i]);
        if (digit == digits.npos) return std::nullopt;
        value |= static_cast<std::uint64_t>(digit) << (6 * i);
    }
    return value;
}

bool is_cheap(std::uint64_t log2_n, std::uint64_t r, std::uint64_t p)
{
    constexpr std::uint64_t small = 1 << 20;
    if (log2_n < 1 || log2_n > 30 || r < 1 || r > small || p < 1 || p > small) return false;
    return r * p <= (max_memory >> 7 >> log2_n);
}

// "rounds=5000$salt$…" or "salt$…"
bool has_bounded_rounds(std::string_view rest)
{
    constexpr std::string_view word = "rounds=";
    if (!rest.starts_with(word)) return true;
    const auto rounds = base::parse_number<unsigned>(rest.substr(word.size(), rest.find('$') - word.size()));
    return rounds && *rounds <= max_rounds;
}

// "10$…"
bool has_bounded_cost(std::string_view rest)
{
    if (rest.size() < 3 || rest[2] != '$') return false;
    const auto cost = base::parse_number<unsigned>(rest.substr(0, 2));
    return cost && *cost <= max_bcrypt_cost;
}

// crypt(5): one digit for log2 N, five for r, five for p.
bool has_bounded_scrypt(std::string_view rest)
{
    if (rest.size() < 11) return false;
    const auto n = number(rest.substr(0, 1));
    const auto r = number(rest.substr(1, 5));
    const auto p = number(rest.substr(6, 5));
    return n && r && p && is_cheap(*n, *r, *p);
}

// "j9T$…": the only flavour that the library makes, then one digit each for log2 N and r, both counted from 1. Digits
// from 'k' on begin longer numbers, which stand for more than is allowed anyway.
bool has_bounded_yescrypt(std::string_view rest)
{
    if (rest.size() < 4 || rest[0] != 'j' || rest[3] != '$' || rest[1] > 'j' || rest[2] > 'j') return false;
    const auto n = number(rest.substr(1, 1));
    const auto r = number(rest.substr(2, 1));
    return n && r && is_cheap(*n + 1, *r + 1, 1);
}

struct Kind {
    std::string_view prefix;
    bool (*is_bounded)(std::string_view rest);
    std::size_t end;    // what follows the last '$': of a hash that was cut off it is shorter
};
constexpr Kind kinds[] = {
    {"$y$", has_bounded_yescrypt, 43}, {"$7$", has_bounded_scrypt, 43},  {"$2b$", has_bounded_cost, 53},  {"$2y$", has_bounded_cost, 53},
    {"$2a$", has_bounded_cost, 53},    {"$6$", has_bounded_rounds, 86}, {"$5$", has_bounded_rounds, 43},
};

struct WipedData {
    crypt_data data{};
    ~WipedData() { wipe(reinterpret_cast<char*>(&data), sizeof data); }
};

bool is_possible_password(const Secret& password)
{
    return password.size() < CRYPT_MAX_PASSPHRASE_SIZE && password.view().find('\0') == std::string_view::npos;
}

// Nothing when the library cannot.
std::optional<std::string> hash_of(const Secret& password, const std::string& setting)
{
    const auto work = std::make_unique<WipedData>();
    // What one passes to C has to end in a NUL; a Secret's buffer does, as every std::string.
    const char* made = ::crypt_r(password.view().data(), setting.c_str(), &work->data);
    if (!made || made[0] != '$') return std::nullopt;
    return std::string(made);
}

}  // namespace

Result<void> check_crypt_hash(std::string_view hash)
{
    const auto kind = std::ranges::find_if(kinds, [&](const Kind& known) { return hash.starts_with(known.prefix); });
    if (kind == std::end(kinds))
        return fail(ErrorCode::refused,
                    "the hash is of no kind that is supported and still safe ($y$, $7$, $2b$, $6$, $5$)");
    if (hash.size() >= CRYPT_OUTPUT_SIZE) return fail(ErrorCode::too_long, "the hash is too long");
    if (!kind->is_bounded(hash.substr(kind->prefix.size())))
        return fail(ErrorCode::refused, "the hash is malformed, or computing it costs too much");
    if (hash.size() - hash.rfind('$') - 1 != kind->end) return fail(ErrorCode::syntax, "the hash is not complete");
    const std::string text(hash);
    const int verdict = ::crypt_checksalt(text.c_str());
    if (verdict == CRYPT_SALT_INVALID || verdict == CRYPT_SALT_METHOD_DISABLED)
        return fail(ErrorCode::syntax, "the hash is malformed");
    return {};
}

Result<bool> compare_with_crypt_hash(std::string_view hash, const Secret& password)
{
    if (!is_possible_password(password)) return false;
    const std::string text(hash);
    const auto made = hash_of(password, text);
    if (!made) return fail(ErrorCode::unavailable, "the hash cannot be computed");
    return equal_in_constant_time(*made, text);
}

Result<std::string> make_crypt_hash(const Secret& password)
{
    if (!is_possible_password(password))
        return fail(ErrorCode::refused, "the password is too long for crypt(3), or contains a NUL");
    std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
    if (!::crypt_gensalt_rn(nullptr, 0, nullptr, 0, setting.data(), static_cast<int>(setting.size()))) {
        return std::unexpected(Error::from_errno("make a salt"));
    }
    auto made = hash_of(password, setting.data());
    if (!made) return fail(ErrorCode::unavailable, "the hash cannot be computed");
    return std::move(*made);
}

}  // namespace ekiden::sasl
