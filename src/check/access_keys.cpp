#include "check/access_keys.hpp"

#include "check/reply_text.hpp"
#include "mail/address.hpp"

namespace ekiden::check {

void add_domain_keys(std::vector<std::string>& keys, std::string_view domain, bool matches_parents)
{
    keys.emplace_back(domain);
    if (domain.starts_with('[')) return;
    for (std::size_t dot = domain.find('.', 1); dot != std::string_view::npos; dot = domain.find('.', dot + 1))
        keys.emplace_back(domain.substr(matches_parents ? dot + 1 : dot));
}

void add_address_keys(std::vector<std::string>& keys, const net::Address& address)
{
    std::string text = net::format_address(address);
    const char separator = address.is_v4() ? '.' : ':';
    while (!text.empty()) {
        keys.push_back(text);
        const std::size_t last = text.rfind(separator);
        if (last == std::string::npos) break;
        text.resize(last);
    }
}

void add_mail_keys(std::vector<std::string>& keys, const std::string& address, const Options& options)
{
    const auto parts = mail::split_address(address);
    const auto [user, extension] = mail::split_extension(parts.local, options.recipient_delimiter);
    // As it is written, and without its quotes.
    if (std::string quoted = mail::quote_address(address); quoted != address) keys.push_back(std::move(quoted));
    keys.push_back(address);
    if (!extension.empty()) keys.push_back(fmt::format("{}@{}", user, parts.domain));
    add_domain_keys(keys, parts.domain, options.matches_parent_domains);
    keys.push_back(fmt::format("{}@", parts.local));
    if (!extension.empty()) keys.push_back(fmt::format("{}@", user));
}

Task<Result<std::optional<Hit>>> find_first(const Restriction& restriction, std::vector<std::string> keys,
                                            const Logger& logger)
{
    for (std::string& key : keys) {
        auto answer = co_await restriction.table.find(key, &logger);
        if (!answer) co_return std::unexpected(std::move(answer).error());
        if (*answer) co_return Hit{std::move(key), std::move(**answer)};
        if (restriction.has_patterns) break;
    }
    co_return std::nullopt;
}

Step refuse_broken_table(Evaluation& evaluation, Subject subject)
{
    return refuse(evaluation, rejected(evaluation, subject, 451, "4.3.5", "Server configuration error", Fault::data));
}

std::string_view short_reason(const Error& error)
{
    const std::string_view text = error.text();
    const std::size_t colon = text.rfind(": ");
    return colon == std::string_view::npos ? text : text.substr(colon + 2);
}

}  // namespace ekiden::check
