#include "check/reject_footer.hpp"

#include "base/clock.hpp"
#include "base/text.hpp"
#include "check/reply_text.hpp"

#include <algorithm>

namespace ekiden::check {
namespace {

constexpr std::size_t longest_footer = 4096;     // bytes, of a table's answer
constexpr std::size_t most_lines = 20;

std::string local_time(std::time_t now)
{
    std::tm parts{};
    ::localtime_r(&now, &parts);
    char text[32];
    const std::size_t length = std::strftime(text, sizeof text, "%b %d %H:%M:%S", &parts);
    return std::string(text, length);
}

}  // namespace

RejectFooter RejectFooter::make(const config::Settings& settings, Logger logger)
{
    RejectFooter footer;
    footer.text_ = settings.raw("smtpd_reject_footer");
    footer.server_name_ = settings.str("myhostname");
    footer.filter_ = Options::from(settings).expansion_filter;
    footer.logger_ = std::move(logger);
    table::OpenOptions options;
    options.log = footer.logger_;
    footer.maps_ = table::Maps::open("smtpd_reject_footer_maps", settings.str("smtpd_reject_footer_maps"), options);
    footer.filter_maps_ =
        table::Maps::open("smtpd_reject_filter_maps", settings.str("smtpd_reject_filter_maps"), options);
    for (const auto* maps : {&footer.maps_, &footer.filter_maps_})
        for (const std::string& problem : maps->problems()) footer.logger_.error("{}", problem);
    footer.is_empty_ = footer.text_.empty() && footer.maps_.is_empty() && footer.filter_maps_.is_empty();
    return footer;
}

Task<void> RejectFooter::add(smtp::Reply& reply, const Facts& facts) const
{
    if (!filter_maps_.is_empty()) co_await replace(reply);
    std::string text = text_;
    if (!maps_.is_empty()) {
        std::string key = smtp::one_line(reply);
        auto own = co_await maps_.find(std::move(key), &logger_);
        if (!own) co_return;
        if (*own) text = std::move(**own);
    }
    if (!text.empty()) add_text(reply, text, facts, static_cast<std::time_t>(base::to_seconds(base::wall_now())));
}

Task<void> RejectFooter::replace(smtp::Reply& reply) const
{
    std::string key = smtp::one_line(reply);
    const table::Answer answer = co_await filter_maps_.find(key, &logger_);
    if (!answer || !*answer) co_return;
    smtp::ReplyParser parser;
    const auto is_complete = parser.feed(**answer);
    smtp::Reply other = is_complete && *is_complete ? parser.take() : smtp::Reply();
    other.wire.clear();
    // A refusal stays one: nothing was done of what was asked for.
    if (other.code < 400 || other.code > 599)
        logger_.warning("smtpd_reject_filter_maps: bad reply \"{}\" for \"{}\"", **answer, key);
    else reply = std::move(other);
}

void RejectFooter::add_text(smtp::Reply& reply, std::string_view text, const Facts& facts, std::time_t now) const
{
    text = text.substr(0, longest_footer);
    auto find = [&](std::string_view name) -> std::string {
        if (name == "localtime") return local_time(now);
        if (name == "server_name") return server_name_;
        if (auto value = session_attribute(facts, name)) return std::move(*value);
        logger_.warning("unknown macro name \"{}\" in expansion request", name);
        return {};
    };
    auto censored = [&](std::string_view name) {
        std::string value = find(name);
        std::ranges::replace_if(value, [&](char c) { return !filter_.contains(c); }, '_');
        return value;
    };
    bool goes_on = text.starts_with("\\c");
    if (goes_on) text.remove_prefix(2);
    if (reply.lines.empty()) reply.lines.emplace_back();
    for (std::size_t count = 0; count < most_lines; ++count) {
        const std::size_t end = text.find("\\n");
        std::string line = expand_text(text.substr(0, end), censored);
        if (std::exchange(goes_on, false)) reply.lines.back() += line;
        else reply.lines.push_back(std::move(line));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 2);
    }
}

}  // namespace ekiden::check
