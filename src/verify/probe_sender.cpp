#include "verify/probe_sender.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"

#include <algorithm>

namespace ekiden::verify {

namespace {

// Without vowels, so that no word comes out of it; one case, since not everybody keeps the case of an address.
constexpr std::string_view digits = "0123456789BCDFGHJKLMNPQRSTVWXYZ";

}  // namespace

ProbeSender ProbeSender::from(const config::Settings& settings, const rewrite::Resolver& resolver)
{
    ProbeSender result;
    const std::string given = settings.str("address_verify_sender");
    if (base::trim(given).empty() || base::trim(given) == "<>") return result;
    const std::string address = resolver.complete(mail::unquote_address(given), "local");
    const auto parts = mail::split_address(address);
    result.local_ = parts.local;
    result.domain_ = parts.domain;
    result.period_ = settings.time("address_verify_sender_ttl");
    return result;
}

std::string ProbeSender::named(std::int64_t period) const
{
    std::string stamp;
    for (std::int64_t rest = std::max<std::int64_t>(period, 0); rest > 0 || stamp.empty(); rest /= std::ssize(digits)) {
        stamp += digits[static_cast<std::size_t>(rest % std::ssize(digits))];
    }
    std::ranges::reverse(stamp);
    return local_ + stamp + "@" + domain_;
}

std::string ProbeSender::at(WallTime now) const
{
    if (local_.empty()) return {};
    return changes() ? named(base::to_seconds(now) / period_.count()) : local_ + "@" + domain_;
}

bool ProbeSender::is_ours(std::string_view address, WallTime now) const
{
    // Asked for every recipient: mostly the first letters tell.
    if (local_.empty() || !base::starts_with_ignoring_case(address, local_)) return false;
    if (!changes()) return base::equal_ignoring_case(address, at(now));
    for (const int offset : {0, -1, 1}) {
        if (base::equal_ignoring_case(address, at(now + offset * period_))) return true;
    }
    return false;
}

}  // namespace ekiden::verify
