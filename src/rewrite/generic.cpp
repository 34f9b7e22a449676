#include "rewrite/generic.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mime/addresses.hpp"
#include "mime/header.hpp"

#include <algorithm>

namespace ekiden::rewrite {

Generic Generic::from(const config::SettingsPtr& settings, const std::string& parameter)
{
    Generic generic;
    generic.maps_ = table::Maps::open(parameter, settings->str(parameter));
    if (generic.maps_.is_empty()) return generic;
    const auto propagates = settings->list("propagate_unmatched_extensions");
    generic.resolver_ = Resolver::make(settings);
    generic.recipient_delimiter_ = settings->str("recipient_delimiter");
    generic.origin_ = settings->str("myorigin");
    generic.token_limit_ = static_cast<std::size_t>(settings->integer("header_address_token_limit"));
    generic.propagates_ = std::ranges::find(propagates, "generic") != propagates.end();
    return generic;
}

Task<Result<std::string>> Generic::map(std::string address, const Logger* log) const
{
    if (address.empty()) co_return address;
    const auto trouble = [&] {
        return fail(ErrorCode::unavailable, maps_.title() + " map lookup problem for " + address);
    };
    const auto [local, domain, has_domain] = mail::split_address(address);
    table::Maps::AddressOptions options{.recipient_delimiter = recipient_delimiter_};
    options.is_local_domain = base::equal_ignoring_case(domain, origin_);
    if (!options.is_local_domain) {
        auto is_local = resolver_->is_local_domain_at_once(domain);
        if (!is_local) is_local = co_await resolver_->is_local_domain(std::string(domain));
        if (!*is_local) co_return trouble();
        options.is_local_domain = **is_local;
    }
    Result<std::optional<table::Maps::AddressAnswer>> answer = co_await maps_.find_address(address, options, log);
    if (!answer) co_return trouble();
    if (!*answer) co_return address;
    auto found = mime::parse_address_list((*answer)->value);
    if (found.empty() || found.front().empty()) co_return address;
    std::string result = std::move(found.front());
    const bool keeps_local = result.starts_with('@');
    if (keeps_local) result.insert(0, local);
    result = resolver_->complete(result, "local");
    if (propagates_ && !keeps_local) result.insert(mail::split_address(result).local.size(), (*answer)->extension);
    co_return result;
}

Task<Result<std::string>> Generic::map_field(std::string text, const Logger* log) const
{
    const mime::Field field = mime::make_field(text);
    if (mime::address_role(field.known) == mime::AddressRole::none) co_return text;
    const auto list = mime::find_addresses(field.after_colon(), token_limit_);
    std::vector<std::string> replacements;
    bool has_changed = false;
    for (const auto& span : list.addresses) {
        Result<std::string> mapped = co_await map(span.address, log);
        if (!mapped) co_return fail(std::move(mapped).error());
        has_changed = has_changed || *mapped != span.address;
        replacements.push_back(std::move(*mapped));
    }
    if (!has_changed) co_return text;
    std::string result(field.raw.substr(0, field.body_at));
    (result += mime::replace_addresses(field.after_colon(), list, replacements, field.body_at)) += '\n';
    co_return result;
}

}  // namespace ekiden::rewrite
