#include "milter/connection.hpp"

#include "base/text.hpp"
#include "dns/connect_host.hpp"
#include "net/connect.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace ekiden::milter {

struct Connection::Event {
    Command command;
    std::string_view name;       // in log lines
    Stage stage;                 // whose macros go with it
    std::uint32_t without, mute; // step bits: not sent, not answered
    unsigned since;              // protocol version
    bool is_content;             // has the time limit of content
    bool is_session;             // what is said of it holds for all that follows
};

namespace {

// However often a milter says that it is still busy.
constexpr auto longest_event = std::chrono::hours(1);
// Packets of one event that bring it no further; a milter that says so without a pause would keep a core busy.
constexpr std::size_t most_idle_packets = 100'000;
constexpr std::size_t fields_at_a_time = 256; // told without an answer; then others on that core have their turn
constexpr std::size_t read_size = 8192;

constexpr std::string_view rejected_text = "550 5.7.1 Command rejected";
constexpr std::string_view tempfailed_text = "451 4.7.1 Service unavailable - try again later";
constexpr std::string_view unavailable_text = "550 5.5.0 Service unavailable";
constexpr std::string_view shutdown_text = "421 4.7.0 Server closing connection";
constexpr std::string_view confused_text = "451 4.3.5 Server configuration problem - try again later";

std::string_view name_of(char response)
{
    static constexpr std::pair<char, std::string_view> names[] = {
        {'O', "SMFIC_OPTNEG"},    {'c', "SMFIR_CONTINUE"},   {'a', "SMFIR_ACCEPT"},      {'r', "SMFIR_REJECT"},
        {'t', "SMFIR_TEMPFAIL"},  {'d', "SMFIR_DISCARD"},    {'y', "SMFIR_REPLYCODE"},   {'s', "SMFIR_SKIP"},
        {'p', "SMFIR_PROGRESS"},  {'q', "SMFIR_QUARANTINE"}, {'f', "SMFIR_CONN_FAIL"},   {'4', "SMFIR_SHUTDOWN"},
        {'h', "SMFIR_ADDHEADER"}, {'i', "SMFIR_INSHEADER"},  {'m', "SMFIR_CHGHEADER"},   {'b', "SMFIR_REPLBODY"},
        {'e', "SMFIR_CHGFROM"},   {'+', "SMFIR_ADDRCPT"},    {'2', "SMFIR_ADDRCPT_PAR"}, {'-', "SMFIR_DELRCPT"},
        {'l', "SMFIR_SETSYMLIST"}};
    const auto found = std::ranges::find(names, response, &std::pair<char, std::string_view>::first);
    if (found != std::end(names)) return found->second;
    return "(unknown filter reply)";
}

// "550 5.7.1 text": a code of 4 or 5 in front, and in front of each line. What may not stand in a reply becomes
// harmless where it is said.
bool is_refusal_text(std::string_view text)
{
    return text.size() >= 3 && (text[0] == '4' || text[0] == '5') && base::is_digit(text[1]) &&
           base::is_digit(text[2]) && (text.size() == 3 || text[3] == ' ' || text[3] == '-');
}

// libmilter has "%%" sent for a percent sign.
std::string without_escapes(std::string_view text)
{
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        result += text[i];
        if (text[i] == '%' && i + 1 < text.size() && text[i + 1] == '%') ++i;
    }
    return result;
}

} // namespace

const Connection::Event& Connection::event_of(Command command)
{
    using namespace step;
    static constexpr Event events[] = {
        {Command::connect, "SMFIC_CONNECT", Stage::connect, no_connect, mute_connect, 2, false, true},
        {Command::helo, "SMFIC_HELO", Stage::helo, no_helo, mute_helo, 2, false, true},
        {Command::mail, "SMFIC_MAIL", Stage::mail, no_mail, mute_mail, 2, false, false},
        {Command::rcpt, "SMFIC_RCPT", Stage::rcpt, no_rcpt, mute_rcpt, 2, false, false},
        {Command::data, "SMFIC_DATA", Stage::data, no_data, mute_data, 4, false, false},
        {Command::unknown, "SMFIC_UNKNOWN", Stage::unknown, no_unknown, mute_unknown, 3, false, false},
        {Command::header, "SMFIC_HEADER", Stage::end_of_header, no_headers, mute_header, 2, true, false},
        {Command::end_of_header, "SMFIC_EOH", Stage::end_of_header, no_end_of_header, mute_end_of_header, 2, true,
         false},
        {Command::body, "SMFIC_BODY", Stage::end_of_message, no_body, mute_body, 2, true, false},
        {Command::end_of_message, "SMFIC_BODYEOB", Stage::end_of_message, 0, 0, 2, true, false},
    };
    return *std::ranges::find(events, command, &Event::command);
}

Connection::Connection(const Server& server, SetupPtr setup, dns::Resolver& resolver, const Logger& log)
    : server_(server), setup_(std::move(setup)), resolver_(resolver), log_(&log), names_(setup_->macros)
{
}

Connection::~Connection() = default;

void Connection::close()
{
    if (stream_) stream_->close();
    stream_.reset();
    received_.clear();
    understood_ = 0;
}

Answer Connection::answer_by_default() const
{
    switch (server_.default_action) {
    case DefaultAction::accept: return {};
    case DefaultAction::reject: return {Answer::Kind::refuse, std::string(unavailable_text)};
    case DefaultAction::tempfail: return {Answer::Kind::refuse, std::string(tempfailed_text)};
    case DefaultAction::quarantine: return {Answer::Kind::hold, "default_action"};
    case DefaultAction::shutdown: return {Answer::Kind::refuse, std::string(shutdown_text), true};
    }
    return {};
}

Answer Connection::stand_by(Answer answer)
{
    close();
    state_ = State::over;
    standing_ = std::move(answer);
    return standing_;
}

Answer Connection::fail_for_good(std::string_view what)
{
    if (is_cut_) return stand_by(Answer(Answer::Kind::refuse, std::string(shutdown_text), true));
    if (!what.empty()) log_->warning("milter {}: {}", server_.name, what);
    return stand_by(answer_by_default());
}

// ---- opening

Task<Result<net::StreamPtr>> Connection::connect_to_server()
{
    if (server_.is_local) co_return co_await net::connect_unix(server_.path, server_.connect_timeout);
    const auto port = net::find_port(server_.port, setup_->known_ports);
    if (!port) co_return fail(ErrorCode::not_found, "unknown port");
    auto stream = co_await dns::connect_host(resolver_, server_.host, *port, server_.connect_timeout);
    if (!stream && stream.error().is(ErrorCode::not_found))
        co_return fail(ErrorCode::not_found, "host or service not found");
    co_return stream;
}

Task<Result<void>> Connection::open()
{
    if (is_cut_) co_return fail(ErrorCode::cancelled, "stream is closed");
    auto stream = co_await connect_to_server();
    if (is_cut_) co_return fail(ErrorCode::cancelled, "stream is closed");
    if (!stream) {
        log_->warning("connect to Milter service {}: {}", server_.name, stream.error().text());
        co_return std::unexpected(std::move(stream).error());
    }
    stream_ = std::move(*stream);
    auto negotiated = co_await negotiate();
    if (!negotiated && !is_cut_) log_->warning("milter {}: {}", server_.name, negotiated.error().text());
    co_return negotiated;
}

namespace {

// What milters of a version know how to go without.
std::uint32_t steps_of(std::uint32_t version)
{
    if (version >= 6) return step::all;
    return version >= 4 ? 0x37f : version >= 3 ? 0x17f : 0x7f;
}

// Why nothing came, in the words that Postfix has for it.
std::string_view reason_of(const Error& trouble)
{
    if (trouble.is(ErrorCode::closed)) return "Application error";
    return trouble.is(ErrorCode::timeout) ? std::string_view("Connection timed out") : trouble.text();
}

// What was read is no packet; else the connection is at fault.
bool is_about_packet(const Error& trouble)
{
    return trouble.is(ErrorCode::protocol) || trouble.is(ErrorCode::too_long);
}

} // namespace

Task<Result<void>> Connection::negotiate()
{
    std::string packet;
    PacketWriter(packet, Command::negotiate)
        .number(server_.version)
        .number(action::all)
        .number(steps_of(server_.version));
    EKIDEN_CO_TRY(co_await write(std::move(packet), server_.command_timeout));
    const auto answer = co_await read(base::steady_now() + longest_event, server_.command_timeout);
    if (!answer) {
        const Error& trouble = answer.error();
        if (is_cut_) co_return std::unexpected(trouble);
        log_->warning("milter {}: {}", server_.name,
                      is_about_packet(trouble)
                          ? trouble.text()
                          : fmt::format("can't read SMFIC_OPTNEG reply packet header: {}", reason_of(trouble)));
        co_return fail(trouble.code(), "read error in initial handshake");
    }
    if (static_cast<Response>(answer->letter) != Response::negotiate)
        co_return fail(ErrorCode::protocol, fmt::format("unexpected reply \"{}\" in initial handshake",
                                                        base::printable(std::string_view(&answer->letter, 1))));
    FieldReader fields(answer->data);
    const auto version = fields.number(), actions = fields.number(), steps = fields.number();
    for (const auto* number : {&version, &actions, &steps}) {
        if (*number) continue;
        log_->warning("milter {}: {}", server_.name, number->error().text());
        co_return fail(ErrorCode::protocol, "read error in initial handshake");
    }
    if (*version > server_.version)
        co_return fail(ErrorCode::protocol, fmt::format("protocol version {} conflict with MTA protocol version {}",
                                                        *version, server_.version));
    if (*actions & ~action::all)
        co_return fail(ErrorCode::protocol,
                       fmt::format("request mask 0x{:x} conflict with MTA request mask 0x{:x}", *actions, action::all));
    if (*version < 2) log_->warning("milter {}: unexpected protocol version {}", server_.name, *version);
    version_ = *version < 2 ? server_.version : *version;
    steps_ = *steps & steps_of(server_.version);
    co_return read_symbols(fields.bytes());
}

// Behind the numbers: stage, names, stage, names.
Result<void> Connection::read_symbols(std::string_view data)
{
    FieldReader fields(data);
    while (!fields.is_at_end()) {
        EKIDEN_TRY_VALUE(stage, fields.number());
        EKIDEN_TRY_VALUE(list, fields.text());
        if (stage >= negotiable_stages)
            log_->warning("milter {}: ignoring unknown macro type {}", server_.name, stage);
        else if (auto names = MacroNames::parse(list); !names.empty())
            names_.of[stage] = std::move(names);
    }
    return {};
}

// ---- packets

Task<Result<void>> Connection::write(std::string bytes, std::chrono::seconds limit)
{
    stream_->set_time_limit(limit);
    co_return co_await stream_->write(std::string_view(bytes));
}

Task<Result<Packet>> Connection::read(SteadyTime end, std::chrono::seconds limit)
{
    for (;;) {
        std::string_view waiting = std::string_view(received_).substr(understood_);
        const std::size_t had = waiting.size();
        EKIDEN_CO_TRY_VALUE(packet, take_packet(waiting));
        understood_ += had - waiting.size();
        if (packet) co_return *packet;
        received_.erase(0, std::exchange(understood_, 0));
        const std::size_t filled = received_.size();
        received_.resize(filled + read_size);
        stream_->set_deadline(std::min<SteadyTime>(end, base::steady_now() + limit));
        const auto got = co_await stream_->read_some(std::span(received_).subspan(filled));
        received_.resize(filled + (got ? *got : 0));
        if (!got) co_return std::unexpected(got.error());
    }
}

// ---- events

Task<Answer> Connection::tell(Command command, std::string payload, const MacroValues& values)
{
    if (state_ == State::unused) {
        const auto opened = co_await open();
        if (!opened) co_return fail_for_good({}); // which has been told
        state_ = State::ready;
    }
    co_return co_await exchange(event_of(command), std::move(payload), values, nullptr);
}

Task<Answer> Connection::exchange(const Event& event, std::string payload, const MacroValues& values, Edits* edits)
{
    if (state_ == State::over) co_return standing_;
    if (state_ == State::message_accepted || version_ < event.since || is_skipped(event.command)) co_return Answer();
    if (event.command == Command::mail) skipped_.clear();
    const bool is_without = (steps_ & event.without) != 0;
    if (is_without && event.is_content) co_return Answer();
    // Who does not want to hear a command may want to know what came with it.
    std::string packets;
    append_macros(packets, event.command, names_.at(event.stage), values, setup_->macro_defaults);
    if (!is_without) PacketWriter(packets, event.command).bytes(payload);
    const auto limit = event.is_content ? server_.content_timeout : server_.command_timeout;
    const auto written = co_await write(std::move(packets), limit);
    if (!written)
        co_return fail_for_good(fmt::format("can't send {} packet: {}", event.name, reason_of(written.error())));
    if (is_without || (steps_ & event.mute)) co_return Answer();
    co_return co_await hear(event, edits);
}

Task<Answer> Connection::hear(const Event& event, Edits* edits)
{
    const auto limit = event.is_content ? server_.content_timeout : server_.command_timeout;
    const SteadyTime end = base::steady_now() + longest_event;
    Answer final; // perhaps to hold the message
    std::size_t idle = 0;
    for (;;) {
        const auto packet = co_await read(end, limit);
        if (!packet) {
            const Error& trouble = packet.error();
            co_return fail_for_good(is_about_packet(trouble) ? trouble.text()
                                                             : fmt::format("can't read {} reply packet header: {}",
                                                                           event.name, reason_of(trouble)));
        }
        const auto response = static_cast<Response>(packet->letter);
        const bool is_idle = response == Response::progress || response == Response::quarantine ||
                             (response == Response::replace_body && packet->data.empty());
        if (is_idle && ++idle > most_idle_packets)
            co_return fail_for_good(
                fmt::format("too many {} replies after event {}", name_of(packet->letter), event.name));
        switch (response) {
        case Response::progress: break;
        case Response::proceed: co_return final;
        case Response::skip: skipped_ += static_cast<char>(event.command); co_return final;
        case Response::quarantine: final = Answer(Answer::Kind::hold, {}); break;
        case Response::accept:
            if (event.is_session) co_return stand_by(std::move(final));
            if (event.command != Command::unknown) state_ = State::message_accepted;
            co_return final;
        case Response::reject: co_return refuse(event, rejected_text);
        case Response::tempfail: co_return refuse(event, tempfailed_text);
        case Response::shutdown: co_return stand_by(Answer(Answer::Kind::refuse, std::string(shutdown_text), true));
        case Response::discard:
            if (event.is_session) {
                log_->warning("milter {}: DISCARD action is not allowed for connect or helo", server_.name);
                co_return final;
            }
            if (event.command != Command::unknown) state_ = State::message_accepted;
            co_return Answer(Answer::Kind::discard, {});
        case Response::reply_code: {
            const std::string_view text = packet->data.substr(0, packet->data.find('\0'));
            if (is_refusal_text(text)) co_return refuse(event, without_escapes(text));
            log_->warning("milter {}: malformed reply: {}", server_.name, base::printable(text.substr(0, 100)));
            co_return stand_by(Answer(Answer::Kind::refuse, std::string(confused_text)));
        }
        default: {
            if (!edits || !is_edit(packet->letter))
                co_return fail_for_good(
                    fmt::format("unexpected filter response {} after event {}", name_of(packet->letter), event.name));
            const auto taken = take_edit(*edits, *packet, body_limit_);
            if (!taken) co_return fail_for_good(taken.error().text());
        }
        }
    }
}

// Of a session, a refusal holds for all that follows; of a message, the milter has said what it had to say.
Answer Connection::refuse(const Event& event, std::string_view text)
{
    Answer answer(Answer::Kind::refuse, std::string(text), text.starts_with("421"));
    return event.is_session ? stand_by(std::move(answer)) : answer;
}

// ---- content

// To hold the message is no reason to end; everything else is. True: go on.
bool Connection::goes_on(Answer& answer)
{
    if (answer.kind == Answer::Kind::hold)
        is_held_ = true;
    else if (!answer.proceeds())
        return false;
    return state_ == State::ready;
}

Task<Answer> Connection::inspect(Message& message, const MacroValues& values, Edits& edits, const Logger& log)
{
    if (state_ == State::over) co_return standing_;
    if (state_ == State::message_accepted) co_return Answer();
    body_limit_ = message.body_limit();
    edits.keeps_blanks = (steps_ & step::leading_space) != 0;
    is_held_ = false;
    const Logger* const own_log = std::exchange(log_, &log);
    Answer answer = co_await tell_content(message, values, edits);
    log_ = own_log;
    // What it has not come to an end with is not done by halves.
    if (state_ == State::over) edits = {};
    if (answer.proceeds() && is_held_) answer.kind = Answer::Kind::hold;
    co_return answer;
}

Task<Answer> Connection::tell_content(Message& message, const MacroValues& values, Edits& edits)
{
    Answer answer;
    const bool wants_fields = (steps_ & step::no_headers) == 0;
    for (std::size_t i = 0; wants_fields && i < message.field_count(); ++i) {
        if ((i + 1) % fields_at_a_time == 0) co_await asio::post(co_await net::this_executor(), use_task);
        const Message::Field field = message.field(i);
        std::string_view value = field.value;
        if (!(steps_ & step::leading_space) && value.starts_with(' ')) value.remove_prefix(1);
        std::string payload(field.name);
        ((payload += '\0') += value) += '\0';
        answer = co_await exchange(event_of(Command::header), std::move(payload), values, nullptr);
        if (!goes_on(answer)) co_return answer;
    }
    answer = co_await exchange(event_of(Command::end_of_header), {}, values, nullptr);
    if (!goes_on(answer)) co_return answer;
    answer = co_await tell_body(message, values);
    if (!goes_on(answer)) co_return answer;
    co_return co_await exchange(event_of(Command::end_of_message), {}, values, &edits);
}

namespace {

// LF → CRLF.
void append_wire(std::string& out, std::string_view text)
{
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        if (end == text.npos) {
            out += text.substr(at);
            return;
        }
        out.append(text.substr(at, end - at)) += "\r\n";
        at = end + 1;
    }
}

} // namespace

Task<Answer> Connection::tell_body(Message& message, const MacroValues& values)
{
    if (steps_ & step::no_body) co_return Answer();
    // What cannot be read is our fault, not the milter's.
    const Answer unreadable(Answer::Kind::refuse, "451 4.3.0 Error: queue file write error");
    if (!co_await message.open_body()) co_return unreadable;
    std::string chunk;
    for (bool is_over = false; !is_over && !is_skipped(Command::body);) {
        const auto piece = co_await message.next_body();
        if (!piece) co_return unreadable;
        is_over = piece->empty();
        append_wire(chunk, *piece);
        std::size_t told = 0;
        while (told < chunk.size() && (is_over || chunk.size() - told >= max_body_chunk)) {
            std::string payload = chunk.substr(told, max_body_chunk);
            told += payload.size();
            Answer answer = co_await exchange(event_of(Command::body), std::move(payload), values, nullptr);
            if (!goes_on(answer)) co_return answer;
        }
        chunk.erase(0, told);
    }
    co_return Answer();
}

Task<void> Connection::abort()
{
    if (state_ == State::message_accepted) state_ = State::ready;
    skipped_.clear();
    if (!is_open()) co_return;
    std::string packet;
    PacketWriter(packet, Command::abort);
    const auto written = co_await write(std::move(packet), server_.command_timeout);
    if (!written) (void)fail_for_good(fmt::format("can't send SMFIC_ABORT packet: {}", written.error().text()));
}

Task<void> Connection::quit()
{
    if (!is_open()) co_return;
    std::string packet;
    PacketWriter(packet, Command::quit);
    (void)co_await write(std::move(packet), server_.command_timeout);
    close();
}

} // namespace ekiden::milter
