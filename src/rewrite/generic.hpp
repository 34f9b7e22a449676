// generic(5): addresses that mean something only here become others as mail leaves: smtp_generic_maps. One look-up an
// address, in the order of canonical(5), never repeated on the result. Immutable; any core.
#pragma once

#include "rewrite/resolve.hpp"
#include "table/maps.hpp"

#include <memory>
#include <string>

namespace ekiden::rewrite {

class Generic {
public:
    Generic() = default;   // changes nothing
    // `parameter`: smtp_generic_maps or lmtp_generic_maps.
    static Generic from(const config::SettingsPtr& settings, const std::string& parameter);

    bool is_empty() const { return maps_.is_empty(); }
    // Internal form in and out. Trouble of a table has been logged; its text is what the caller adds for its message.
    Task<Result<std::string>> map(std::string address, const Logger* log) const;
    // The addresses of a header field "Name: body\n", those of its kind of field only; the rest stays as it is.
    Task<Result<std::string>> map_field(std::string text, const Logger* log) const;

private:
    table::Maps maps_;
    std::shared_ptr<const Resolver> resolver_;
    std::string recipient_delimiter_, origin_;
    std::size_t token_limit_ = 10240;
    bool propagates_ = false;
};

}  // namespace ekiden::rewrite
