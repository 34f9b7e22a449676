#include "tools/postcat_records.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mime/header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace ekiden::tools {

namespace {

struct TypeName {
    char type;
    const char* name;
};
constexpr TypeName type_names[] = {
    {'C', "message_size"}, {'T', "message_arrival_time"}, {'A', "named_attribute"}, {'F', "sender_fullname"}, {'S', "sender"},
    {'O', "original_recipient"}, {'R', "recipient"}, {'D', "done_recipient"}, {'f', "content_filter"}, {'>', "redirect_to"},
    {'V', "verp_delimiters"},
};
constexpr std::size_t size_record_bytes = 97;    // six numbers of 15 digits and the blanks between them
constexpr char content_begins = 'M', content_line = 'N', content_ends = 'X', file_ends = 'E';

// Type byte, length in groups of seven bits, text.
std::size_t encoded_size(std::size_t length)
{
    std::size_t size = 2 + length;
    for (; length > 127; length >>= 7) ++size;
    return size;
}

std::string date_of(WallTime time)
{
    const std::time_t seconds = base::to_seconds(time);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    char text[64];
    std::strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &local);
    return text;
}

class Records {
public:
    void add(char type, std::string text, std::size_t size)
    {
        const auto* row = std::ranges::find(type_names, type, &TypeName::type);
        records_.push_back({type, row->name, std::move(text), size});
    }
    void add(char type, std::string text)
    {
        const std::size_t size = encoded_size(text.size());
        add(type, std::move(text), size);
    }
    void attribute(std::string_view name, std::string_view value) { add('A', fmt::format("{}={}", name, value)); }
    void attribute_if(std::string_view name, std::string_view value)
    {
        if (!value.empty()) attribute(name, value);
    }
    // Two records whose stored text is not the one shown: seconds and microseconds, and "create_time=" with seconds.
    void times(WallTime arrived_at, bool has_creation)
    {
        const auto micros =
            std::chrono::duration_cast<std::chrono::microseconds>(arrived_at.time_since_epoch()).count();
        add('T', date_of(arrived_at),
            encoded_size(fmt::format("{} {}", micros / 1'000'000, micros % 1'000'000).size()));
        if (!has_creation) return;
        const std::size_t size = encoded_size(fmt::format("create_time={}", micros / 1'000'000).size());
        records_.push_back({'A', "create_time", date_of(arrived_at), size});
    }
    std::vector<QueueRecord> take() { return std::move(records_); }
    std::size_t size() const
    {
        std::size_t sum = 0;
        for (const QueueRecord& record : records_) sum += record.size;
        return sum;
    }
    void put_first(char type, std::string text, std::size_t size)
    {
        add(type, std::move(text), size);
        std::ranges::rotate(records_, records_.end() - 1);
    }

private:
    std::vector<QueueRecord> records_;
};

void add_dsn(Records& out, const std::string& envid, mail::DsnReturn wanted)
{
    out.attribute_if("envelope_id", envid);
    if (wanted != mail::DsnReturn::unspecified) out.attribute("ret_flags", wanted == mail::DsnReturn::full ? "1" : "2");
}

void add_encoding(Records& out, mail::BodyType body)
{
    if (body != mail::BodyType::unspecified)
        out.attribute("encoding", body == mail::BodyType::eight_bit ? "8bit" : "7bit");
}

void add_client(Records& out, const mail::Origin& origin)
{
    out.attribute("log_client_name", origin.client_name);
    out.attribute("log_client_address", origin.client_address);
    out.attribute_if("log_client_port", origin.client_port);
    out.attribute("log_message_origin", fmt::format("{}[{}]", origin.client_name, origin.client_address));
    out.attribute_if("log_helo_name", origin.helo_name);
    out.attribute("log_protocol_name", origin.protocol);
    out.attribute("client_name", origin.client_name);
    out.attribute("reverse_client_name", origin.reverse_name);
    out.attribute("client_address", origin.client_address);
    out.attribute_if("client_port", origin.client_port);
    out.attribute_if("server_address", origin.server_address);
    out.attribute_if("server_port", origin.server_port);
    out.attribute_if("helo_name", origin.helo_name);
    out.attribute("protocol_name", origin.protocol);
    // The numbers of AF_INET and AF_INET6.
    out.attribute("client_address_type", origin.client_address.find(':') == std::string::npos ? "2" : "10");
}

// What a notice would name where the sender gave no ORCPT: the address as it was given, made complete.
std::string default_dsn_original(const mail::Recipient& recipient)
{
    const bool is_complete = recipient.original.find('@') != std::string::npos;
    const std::string& address = is_complete ? recipient.original : recipient.address;
    return (base::is_ascii(address) ? "rfc822;" : "utf-8;") + mail::quote_address(address);
}

}  // namespace

std::vector<QueueRecord> envelope_records(const queue::Loaded& message)
{
    const mail::Envelope& envelope = *message.envelope;
    const mail::Origin& origin = envelope.origin;
    const bool has_client = !origin.client_address.empty();
    // Notices are made inside and have neither a client nor a submitter.
    const bool is_internal = !has_client && envelope.full_name.empty() &&
                             (envelope.sender.empty() || envelope.sender.starts_with("double-bounce@"));
    Records out;
    out.times(envelope.arrived_at, true);
    if (has_client) out.attribute("log_ident", origin.log_ident.empty() ? mail::format(envelope.id) : origin.log_ident);
    else out.attribute_if("log_ident", origin.log_ident);
    if (is_internal) {
        out.attribute("log_message_origin", "local");
        out.attribute("trace_flags", envelope.purpose == mail::Purpose::probe ? "256" : "0");
    }
    if (has_client) out.attribute("rewrite_context", origin.rewrite_context);
    out.attribute_if("sasl_method", origin.sasl_method);
    out.attribute_if("sasl_username", origin.sasl_username);
    out.attribute_if("sasl_sender", origin.sasl_sender);
    add_dsn(out, envelope.dsn_envid, envelope.dsn_return);
    if (!has_client && !is_internal) out.attribute("rewrite_context", origin.rewrite_context);
    if (!envelope.full_name.empty()) out.add('F', envelope.full_name);
    if (!envelope.filter.empty()) out.add('f', envelope.filter);
    if (!envelope.redirect.empty()) out.add('>', envelope.redirect);
    out.add('S', mail::quote_address(envelope.sender));
    if (!envelope.verp_delimiters.empty()) out.add('V', envelope.verp_delimiters);
    add_encoding(out, envelope.body);
    if (has_client) add_client(out, origin);

    std::vector<bool> is_pending(envelope.recipients.size());
    for (const queue::Pending& pending : message.pending) {
        if (pending.index < is_pending.size()) is_pending[pending.index] = true;
    }
    for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
        const mail::Recipient& recipient = envelope.recipients[i];
        const std::string address = mail::quote_address(recipient.address);
        if (recipient.notify != mail::notify_default) out.attribute("notify_flags", std::to_string(recipient.notify));
        out.attribute("dsn_orig_rcpt",
                      recipient.dsn_original.empty() ? default_dsn_original(recipient) : recipient.dsn_original);
        out.add('O', recipient.original.empty() ? address : mail::quote_address(recipient.original));
        out.add(is_pending[i] ? 'R' : 'D', address);
    }
    // Where content begins: behind everything above, this record and the mark.
    const std::size_t content_at = out.size() + size_record_bytes + encoded_size(0);
    const int flags = (envelope.recipients.size() > 1 ? 4 : 0) | (message.state == queue::State::held ? 2 : 0);
    out.put_first('C',
                  fmt::format("{:>15} {:>15} {:>15} {:>15} {:>15} {:>15}", envelope.size, content_at,
                              envelope.recipients.size(), flags, envelope.size, envelope.is_smtputf8 ? 1 : 0),
                  size_record_bytes);
    return out.take();
}

std::vector<QueueRecord> envelope_records(const mail::Maildrop& header, WallTime written_at)
{
    Records out;
    out.times(written_at, false);
    add_dsn(out, header.dsn_envid, header.dsn_return);
    out.attribute("rewrite_context", header.is_gateway ? "remote" : "local");
    if (!header.full_name.empty()) out.add('F', header.full_name);
    out.add('S', mail::quote_address(header.sender));
    if (!header.verp_delimiters.empty()) out.add('V', header.verp_delimiters);
    add_encoding(out, header.body);
    for (const mail::Recipient& recipient : header.recipients) {
        if (recipient.notify != mail::notify_default) out.attribute("notify_flags", std::to_string(recipient.notify));
        out.add('R', mail::quote_address(recipient.address));
    }
    return out.take();
}

std::vector<QueueRecord> extracted_records(const queue::Loaded& message)
{
    Records out;
    add_encoding(out, message.envelope->body);
    return out.take();
}

void RecordPrinter::record(const QueueRecord& record)
{
    if (offset_ < options_.skip) return;
    std::string text;
    if (options_.shows_offsets) text += fmt::format("{:>9} ", offset_);
    if (options_.shows_types) text += fmt::format("{:>3} ", static_cast<int>(record.type));
    if (!record.name.empty()) text += record.name + ": ";
    out_(text);
    out_(record.text);
    out_("\n");
}

void RecordPrinter::marker(std::string_view what, char type)
{
    if (options_.shows_envelope) record({type, "", fmt::format("*** {} {} ***", what, name_), 0});
    offset_ += encoded_size(0);
}

void RecordPrinter::envelope(const std::vector<QueueRecord>& records)
{
    if (options_.shows_envelope && options_.skip == 0) out_(fmt::format("*** ENVELOPE RECORDS {} ***\n", name_));
    show(records);
    marker("MESSAGE CONTENTS", content_begins);
}

void RecordPrinter::show(const std::vector<QueueRecord>& records)
{
    for (const QueueRecord& each : records) {
        if (options_.shows_envelope) record(each);
        offset_ += each.size;
    }
}

void RecordPrinter::content(std::string_view bytes)
{
    while (!bytes.empty()) {
        const auto line_feed = bytes.find('\n');
        line_.append(bytes.substr(0, line_feed));
        if (line_feed == std::string_view::npos) return;
        bytes.remove_prefix(line_feed + 1);
        line(line_);
        line_.clear();
    }
}

void RecordPrinter::line(std::string_view text)
{
    if (part_ == Part::header) {
        const bool continues = !is_first_line_ && !text.empty() && (text[0] == ' ' || text[0] == '\t');
        if (!continues && mime::field_start(text).name_length == 0) part_ = Part::body;
    }
    is_first_line_ = false;
    if (part_ == Part::header ? options_.shows_header : options_.shows_body)
        record({content_line, options_.is_verbose ? "regular_text" : "", std::string(text), 0});
    offset_ += encoded_size(text.size());
}

void RecordPrinter::finish(const std::vector<QueueRecord>& extracted)
{
    if (!line_.empty()) line(std::exchange(line_, {}));
    marker("HEADER EXTRACTED", content_ends);
    show(extracted);
    marker("MESSAGE FILE END", file_ends);
}

}  // namespace ekiden::tools
