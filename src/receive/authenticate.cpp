#include "receive/authenticate.hpp"

#include "base/text.hpp"
#include "receive/session.hpp"
#include "sasl/builtin.hpp"

namespace ekiden::receive {

namespace {

using sasl::Answer;
using sasl::Secret;

constexpr int most_steps = 50;    // of one AUTH; no mechanism needs ten
// A mechanism has twenty letters (RFC 4422 3.1); whoever forgot to name it may have sent his password there.
constexpr std::size_t longest_mechanism = 20;

std::string shown_mechanism(std::string_view mechanism)
{
    return mechanism.size() > longest_mechanism ? "..." : base::printable(mechanism);
}

// A telnet client that is fed CRLF sends a NUL in each line; what stands behind it was never meant.
std::string_view before_nul(std::string_view text) { return text.substr(0, text.find('\0')); }

bool is_auth(std::string_view line) { return base::equal_ignoring_case(smtp::parse_command(line).verb, "AUTH"); }

}  // namespace

std::string_view without_response(std::string_view line)
{
    if (!is_auth(line)) return line;
    const smtp::Command command = smtp::parse_command(line);
    std::string_view rest = command.arguments;
    const std::string_view mechanism = smtp::next_word(rest);
    const std::string_view shown = mechanism.empty() || mechanism.size() > longest_mechanism ? command.verb : mechanism;
    return line.substr(0, static_cast<std::size_t>(shown.data() + shown.size() - line.data()));
}

std::string without_responses(std::string_view lines)
{
    for (std::size_t begin = 0; begin < lines.size();) {
        const std::size_t end = std::min(lines.find('\n', begin), lines.size());
        const std::string_view line = lines.substr(begin, end - begin);
        if (is_auth(line)) {
            const std::string_view shown = without_response(line);
            return std::string(lines.substr(0, begin + shown.size())) + " ...";
        }
        begin = end + 1;
    }
    return std::string(lines);
}

// Is there somebody to ask, and may the password travel?
bool Session::may_log_in() const { return service_->logins && (facts_.is_encrypted || !options_.tls.auth_needs_tls); }

// smtpd_sasl_mechanism_filter
Task<bool> Session::is_wanted_mechanism(std::string_view name) const
{
    const table::MatchList& filter = options_.logins.mechanism_filter;
    if (filter.is_empty()) co_return true;
    const auto at_once = filter.matches_name_at_once(name);
    const auto is_wanted = at_once ? *at_once : co_await filter.matches_name(std::string(name));
    if (!is_wanted) log_.warning("{}", is_wanted.error().text());
    co_return is_wanted.value_or(false);
}

Task<sasl::Peer> Session::login_peer() const
{
    const LoginOptions& options = options_.logins;
    sasl::Peer peer;
    peer.client = {facts_.client_address, facts_.client_port};
    peer.server = {facts_.server_address, facts_.server_port};
    peer.service = options.service;
    peer.realm = options.realm;
    peer.is_encrypted = facts_.is_encrypted;
    peer.security = facts_.is_encrypted ? options.tls_security : options.security;
    peer.has_client_certificate = facts_.is_ccert_verified;
    // Where mechanisms that bind to the channel are filtered out, a client that could do it must not be taken for one
    // that was lied to about them.
    if (tls_ && co_await is_wanted_mechanism("SCRAM-SHA-256-PLUS")) {
        peer.tls_server_end_point = tls_->server_end_point();
        peer.tls_exporter = tls_->exporter();
    }
    co_return peer;
}

// Those of `known` that this client is told of, in their order.
Task<std::string> Session::name_mechanisms(const std::vector<sasl::Mechanism>& known, const sasl::Peer& peer) const
{
    std::string names;
    for (const sasl::Mechanism& mechanism : known) {
        if (mechanism.is_private || !sasl::is_allowed(mechanism, peer.security) || !sasl::is_possible(mechanism, peer))
            continue;
        if (!co_await is_wanted_mechanism(mechanism.name)) continue;
        if (!names.empty()) names += ' ';
        names += mechanism.name;
    }
    co_return names;
}

Task<std::optional<std::string>> Session::offer_logins()
{
    const LoginOptions& options = options_.logins;
    if (!may_log_in()) co_return "";
    if (!options.hidden_from.is_empty()) {
        const auto is_hidden = co_await options.hidden_from.matches(facts_.client_name, facts_.client_address);
        if (!is_hidden) {
            log_.warning("{}", is_hidden.error().text());
            log_.warning("don't know if EHLO feature AUTH should be announced to {}", label_);
            const smtp::Reply reply(421, "4.3.0", options_.hostname + " Server local data error");
            log_reject(where_, reply);
            say(reply);
            co_return std::nullopt;
        }
        if (*is_hidden) co_return "";
    }
    const auto known = co_await service_->logins->mechanisms();
    if (!known) {
        // Postfix ends here. A client that only hands in mail for this site needs no login.
        log_.warning("{}", known.error().text());
        co_return "";
    }
    const sasl::Peer peer = co_await login_peer();
    std::string names = co_await name_mechanisms(**known, peer);
    if (names.empty()) log_.warning("no SASL authentication mechanisms");
    co_return names;
}

// The next line of the login, as it came; false: the session is over (problem_), or was refused.
Task<bool> Session::read_login_response(Secret& response)
{
    if (!co_await flush()) co_return false;
    deadline_ = base::steady_now() + options_.timeout;
    stream_->set_deadline(deadline_);
    is_waiting_ = true;
    auto line = co_await reader_.read_line(options_.logins.response_limit);
    is_waiting_ = false;
    if (!line) {
        problem_ = std::move(line).error();
        co_return false;
    }
    response = Secret(before_nul(line->text));
    const bool has_bare_lf = line->had_bare_lf;
    const bool is_too_long = line->is_cut || line->text.size() >= options_.logins.response_limit;
    reader_.wipe_consumed();
    note_heard("...");
    if (has_bare_lf && bare_newline_ != smtp::BareNewline::accept && bare_newline_ != smtp::BareNewline::normalize &&
        refuse_bare_newline())
        co_return false;
    if (is_too_long) {
        log_.warning("{}: request longer than {}", label_, options_.logins.response_limit);
        co_return refuse(500, "5.5.6", "SASL response limit exceeded");
    }
    co_return true;
}

bool Session::end_login(std::string_view mechanism, Answer answer)
{
    if (answer.kind == Answer::Kind::success) {
        may_hear_secret_ = false;
        facts_.sasl_method = mechanism;
        facts_.sasl_username = std::move(answer.user);
        say(235, "2.7.0", "Authentication successful");
        return true;
    }
    log_.warning("{}: SASL {} authentication failed: {}, sasl_username={}", label_, shown_mechanism(mechanism),
                 answer.text, answer.user.empty() ? std::string_view("(unavailable)") : std::string_view(answer.user));
    // Words of a library; a reply is one line of printable text.
    const std::string why = base::printable(std::string_view(answer.text).substr(0, 400));
    if (answer.kind == Answer::Kind::try_later) return refuse(454, "4.7.0", "Temporary authentication failure: " + why);
    return refuse(535, "5.7.8", "Error: authentication failed: " + why);
}

Task<bool> Session::on_auth(smtp::Command command)
{
    if (options_.requires_helo && facts_.helo_name.empty())
        co_return refuse(503, "5.5.1", "Error: send HELO/EHLO first");
    if (!may_log_in()) co_return refuse(503, "5.5.1", "Error: authentication not enabled");
    if (refuse_for_milters()) co_return false;
    if (refuse_excess_auth()) co_return false;
    if (facts_.has_sender) co_return refuse(503, "5.5.1", "Error: MAIL transaction in progress");
    if (!facts_.sasl_username.empty()) co_return refuse(503, "5.5.1", "Error: already authenticated");
    std::string_view rest = base::trim(before_nul(command.arguments));
    const std::size_t words = smtp::count_words(rest, 3);
    if (words < 1 || words > 2) co_return refuse(501, "5.5.4", "Syntax: AUTH mechanism");

    const std::string mechanism(smtp::next_word(rest));
    std::optional<Secret> response;
    if (words == 2) response.emplace(smtp::next_word(rest));
    reader_.wipe_consumed();

    sasl::Peer self = co_await login_peer();
    auto exchange = service_->logins->begin(mechanism, std::move(self));
    for (int step = 0; step < most_steps; ++step) {
        Answer answer = co_await exchange->step(std::move(response));
        // The library repeats what it took for a mechanism.
        if (mechanism.size() > longest_mechanism) answer.log.clear();
        for (const std::string& line : answer.log) {
            if (line.starts_with("warning: ")) log_.warning("{}", line.substr(9));
            else log_.info("{}", line.starts_with("info: ") ? line.substr(6) : line);
        }
        if (answer.kind != Answer::Kind::challenge) co_return end_login(mechanism, std::move(answer));
        say(334, "", answer.text);
        response.emplace();
        if (!co_await read_login_response(*response)) co_return false;
        if (response->view() == "*") {
            log_.warning("{}: SASL {} authentication aborted", label_, shown_mechanism(mechanism));
            co_return refuse(501, "5.7.0", "Authentication aborted");
        }
    }
    Answer endless{.kind = Answer::Kind::failure, .text = "too many steps"};
    co_return end_login(mechanism, std::move(endless));
}

}  // namespace ekiden::receive
