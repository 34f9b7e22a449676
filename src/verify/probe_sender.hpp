// Who sends probes: address_verify_sender, with a part that changes every address_verify_sender_ttl, so that an address
// that spammers have gathered is worth nothing for long. Immutable; any core.
#pragma once

#include "config/settings.hpp"
#include "rewrite/resolve.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace ekiden::verify {

class ProbeSender {
public:
    ProbeSender() = default;   // the null sender
    static ProbeSender from(const config::Settings& settings, const rewrite::Resolver& resolver);

    std::string at(WallTime now) const;
    // The address of now, or of one period before or after: clocks differ, and servers that greylist come back late.
    bool is_ours(std::string_view address, WallTime now) const;
    bool changes() const { return period_.count() > 0 && !local_.empty(); }

private:
    std::string named(std::int64_t period) const;

    std::string local_, domain_;
    std::chrono::seconds period_{0};
};

}  // namespace ekiden::verify
