#include "mail/maildrop.hpp"

#include "base/percent.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <optional>

namespace ekiden::mail {

namespace {

constexpr std::string_view version_line = "ekiden-maildrop 1";

struct NotifyName {
    std::string_view name;
    std::uint8_t bit;
};
constexpr NotifyName notify_names[] = {
    {"never", notify_never}, {"success", notify_success}, {"failure", notify_failure}, {"delay", notify_delay}};

std::string notify_text(std::uint8_t notify)
{
    std::string out;
    for (const auto& [name, bit] : notify_names) {
        if (notify & bit) out += (out.empty() ? "" : ",") + std::string(name);
    }
    return out.empty() ? "default" : out;
}

std::unexpected<Error> bad(std::string_view what)
{
    return fail(ErrorCode::syntax, "maildrop: bad " + std::string(what));
}

}  // namespace

std::string format(const Maildrop& header)
{
    std::string out(version_line);
    out += '\n';
    auto line = [&](std::string_view key, std::string_view value) {
        out += key;
        out += ' ';
        out += base::percent_encode(value, base::Blanks::stay);
        out += '\n';
    };
    line("sender", header.sender);
    if (!header.full_name.empty()) line("name", header.full_name);
    if (header.dsn_return != DsnReturn::unspecified)
        line("ret", header.dsn_return == DsnReturn::full ? "full" : "hdrs");
    if (!header.dsn_envid.empty()) line("envid", header.dsn_envid);
    if (header.body != BodyType::unspecified) line("body", header.body == BodyType::eight_bit ? "8bit" : "7bit");
    if (header.is_smtputf8) out += "smtputf8\n";
    if (header.is_gateway) out += "gateway\n";
    if (header.purpose != Maildrop::Purpose::deliver)
        line("task", header.purpose == Maildrop::Purpose::verify ? "verify" : "trace");
    if (!header.verp_delimiters.empty()) line("verp", header.verp_delimiters);
    if (!header.original_id.empty()) line("orig-id", header.original_id);
    std::uint8_t notify = notify_default;
    for (const auto& recipient : header.recipients) {
        if (recipient.notify != notify) line("notify", notify_text(notify = recipient.notify));
        line("rcpt", recipient.address);
    }
    return out + "content\n";
}

Result<bool> MaildropParser::feed(std::string_view& bytes)
{
    for (;;) {
        const auto line_feed = bytes.find('\n');
        const auto take = std::min(line_feed, bytes.size());
        total_ += take + 1;
        if (partial_.size() + take > max_maildrop_line) return fail(ErrorCode::too_long, "maildrop: line too long");
        if (total_ > max_maildrop_header) return fail(ErrorCode::too_long, "maildrop: header too long");
        partial_.append(bytes.substr(0, take));
        bytes.remove_prefix(std::min(take + 1, bytes.size()));
        if (line_feed == std::string_view::npos) return false;
        EKIDEN_TRY_VALUE(is_complete, read_line(partial_));
        partial_.clear();
        if (is_complete) return true;
    }
}

Result<bool> MaildropParser::read_line(std::string_view line)
{
    if (!has_version_) {
        has_version_ = line == version_line;
        if (has_version_) return false;
        return bad("version line");
    }
    const auto space = std::min(line.find(' '), line.size());
    const std::string_view key = line.substr(0, space);
    auto value = base::percent_decode(line.substr(std::min(space + 1, line.size())));
    if (!value) return bad("value of " + base::printable(key.substr(0, 40)));

    if (key == "sender" && !has_sender_) {
        header_.sender = std::move(*value);
        has_sender_ = true;
    } else if (key == "name") {
        header_.full_name = std::move(*value);
    } else if (key == "rcpt") {
        Recipient recipient;
        recipient.address = std::move(*value);
        recipient.notify = notify_;
        header_.recipients.push_back(std::move(recipient));
    } else if (key == "notify") {
        notify_ = notify_default;
        for (const auto word : base::split(*value, ',')) {
            if (word == "default") continue;
            const auto* row = std::ranges::find(notify_names, word, &NotifyName::name);
            if (row == std::end(notify_names)) return bad("notify");
            notify_ |= row->bit;
        }
    } else if (key == "ret" && (*value == "full" || *value == "hdrs")) {
        header_.dsn_return = *value == "full" ? DsnReturn::full : DsnReturn::headers;
    } else if (key == "envid") {
        header_.dsn_envid = std::move(*value);
    } else if (key == "body" && (*value == "8bit" || *value == "7bit")) {
        header_.body = *value == "8bit" ? BodyType::eight_bit : BodyType::seven_bit;
    } else if (key == "smtputf8") {
        header_.is_smtputf8 = true;
    } else if (key == "gateway" && space == line.size()) {
        header_.is_gateway = true;
    } else if (key == "task" && (*value == "verify" || *value == "trace")) {
        header_.purpose = *value == "verify" ? Maildrop::Purpose::verify : Maildrop::Purpose::trace;
    } else if (key == "verp" && value->size() == 2 &&
               std::ranges::all_of(*value, [](char c) { return base::is_print(c) && c != ' '; })) {
        header_.verp_delimiters = std::move(*value);
    } else if (key == "orig-id") {
        header_.original_id = std::move(*value);
    } else if (key == "content" && space == line.size()) {
        if (!has_sender_ || header_.recipients.empty()) return bad("envelope: no sender or no recipient");
        return true;
    } else {
        return bad("line: " + base::printable(key.substr(0, 40)));
    }
    return false;
}

}  // namespace ekiden::mail
