#include "check/milters.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mail/log_address.hpp"

#include <algorithm>

namespace ekiden::check {

namespace {

using Kind = milter::Answer::Kind;

std::vector<std::string> words_of(const smtp::Path& path)
{
    std::vector<std::string> words;
    for (const std::string_view word : path.parameters()) words.emplace_back(word);
    return words;
}

// As an envelope has it; case means nothing in a domain.
std::string shown_address(const std::string& address)
{
    const std::size_t at = address.rfind('@');
    if (at == address.npos) return mail::quote_address(address);
    return mail::quote_address(address.substr(0, at) + base::lower(std::string_view(address).substr(at)));
}

std::optional<std::string> unless_empty(const std::string& text)
{
    return text.empty() ? std::nullopt : std::optional(text);
}

} // namespace

smtp::Reply milter_reply(std::string_view text)
{
    smtp::ReplyParser parser;
    for (std::string_view line : base::split(text, '\n')) {
        if (line.ends_with('\r')) line.remove_suffix(1);
        const auto is_complete = parser.feed(line);
        if (!is_complete) break;
        if (*is_complete) return parser.take();
    }
    return {451, "4.3.5", "Server configuration problem - try again later"};
}

std::shared_ptr<const MilterService> MilterService::from(const config::Settings& settings,
                                                         const config::ServiceSpec& spec,
                                                         const table::OpenOptions& table_options)
{
    const std::string names = settings.str("smtpd_milters"), maps = settings.str("smtpd_milter_maps");
    if (names.empty() && maps.empty()) return nullptr;
    auto service = std::make_shared<MilterService>();
    service->setup = milter::Setup::from(settings, spec.is_chroot);
    auto servers = service->setup->parse(names);
    if (!servers)
        throw config::ConfigError("smtpd_milters: " + servers.error().text(), settings.location("smtpd_milters"));
    service->servers = std::make_shared<const milter::Servers>(std::move(*servers));
    service->maps = table::Maps::open("smtpd_milter_maps", maps, table_options);
    return service;
}

// A table that does not answer leaves the milters that are for all; what it says of no use leaves nobody unfiltered
// either.
Task<std::unique_ptr<Milters>> Milters::find(const MilterService& service, const Facts& facts,
                                             std::shared_ptr<const rewrite::Resolver> resolver, dns::Resolver& dns,
                                             const Logger& log)
{
    auto servers = service.servers;
    if (!service.maps.is_empty()) {
        const table::Answer answer = co_await service.maps.find(net::format_address(facts.client_address), &log);
        if (answer && *answer) {
            if (base::equal_ignoring_case(**answer, "DISABLE")) co_return nullptr;
            auto own = service.setup->parse(**answer);
            if (own)
                servers = std::make_shared<const milter::Servers>(std::move(*own));
            else
                log.warning("{}: {}", service.maps.title(), own.error().text());
        }
    }
    if (servers->empty()) co_return nullptr;
    co_return std::make_unique<Milters>(std::move(servers), service, facts, std::move(resolver), dns, log);
}

Milters::Milters(std::shared_ptr<const milter::Servers> servers, const MilterService& service, const Facts& facts,
                 std::shared_ptr<const rewrite::Resolver> resolver, dns::Resolver& dns, const Logger& log)
    : facts_(facts), resolver_(std::move(resolver)), log_(log), chain_(std::move(servers), service.setup, dns, log),
      values_(*service.setup, facts)
{
}

std::optional<std::string> Milters::Values::value(std::string_view name) const
{
    if (auto common = milter::common_value(setup_, name)) return common;
    const Facts& facts = facts_;
    if (name == "i") return unless_empty(facts.queue_id);
    if (name == "_") return fmt::format("{} [{}]", facts.client_name, net::format_address(facts.client_address));
    if (name == "client_addr") return net::format_address(facts.client_address);
    if (name == "client_name") return facts.client_name;
    if (name == "client_ptr") return facts.reverse_client_name;
    if (name == "client_port") return std::to_string(facts.client_port);
    if (name == "auth_type") return unless_empty(facts.sasl_method);
    if (name == "auth_authen") return unless_empty(facts.sasl_username);
    if (name == "auth_author") return unless_empty(facts.sasl_sender);
    if (name == "tls_version") return unless_empty(facts.tls_protocol);
    if (name == "cipher") return unless_empty(facts.tls_cipher);
    if (name == "cipher_bits" && !facts.tls_cipher.empty()) return std::to_string(facts.tls_cipher_bits);
    if (name == "cert_subject") return unless_empty(facts.ccert_subject);
    if (name == "cert_issuer") return unless_empty(facts.ccert_issuer);
    if (name == "daemon_addr") return net::format_address(facts.server_address);
    if (name == "daemon_port") return std::to_string(facts.server_port);
    if (is_content) return std::nullopt;
    if (name == "client_connections") return std::to_string(connection_count);
    if (name == "mail_addr") return mail_addr;
    if (name == "mail_host") return mail_host;
    if (name == "mail_mailer") return mail_mailer;
    if (name == "rcpt_addr") return rcpt_addr;
    if (name == "rcpt_host") return rcpt_host;
    if (name == "rcpt_mailer") return rcpt_mailer;
    return std::nullopt;
}

const milter::MacroValues& Milters::content_values()
{
    values_.is_content = true;
    return values_;
}

Verdict Milters::conclude(std::string_view where, milter::Answer answer) const
{
    Verdict verdict;
    std::string_view action;
    std::string text;
    switch (answer.kind) {
    case Kind::proceed: return verdict;
    case Kind::refuse:
        action = "reject";
        text = base::printable(std::string_view(answer.text).substr(0, milter::longest_logged_reply));
        verdict.action = Verdict::Action::reject;
        verdict.reply = milter_reply(answer.text);
        verdict.must_disconnect = answer.ends_session;
        break;
    case Kind::discard:
        action = "discard";
        text = "milter triggers DISCARD action";
        verdict.discards = true;
        break;
    case Kind::hold:
        action = "hold";
        text = "milter triggers HOLD action";
        verdict.holds = true;
        break;
    }
    std::string context;
    if (facts_.has_sender) context += " from=<" + mail::log_address(facts_.sender) + ">";
    const std::string* recipient = &facts_.recipient;
    if (recipient->empty() && !facts_.recipients.empty()) recipient = &facts_.recipients.front();
    if (!recipient->empty()) context += " to=<" + mail::log_address(*recipient) + ">";
    context += " proto=" + facts_.protocol;
    if (!facts_.helo_name.empty()) context += " helo=<" + facts_.helo_name + ">";
    log_.info("{}: milter-{}: {} from {}: {};{}",
              facts_.queue_id.empty() ? std::string_view("NOQUEUE") : std::string_view(facts_.queue_id), action, where,
              facts_.client_label(), text, context);
    return verdict;
}

Task<Verdict> Milters::connect(int connection_count)
{
    values_.connection_count = connection_count;
    milter::Client client;
    client.address = net::format_address(facts_.client_address);
    // Whoever has no name is called by its address, as milters know it.
    client.name = facts_.client_name == "unknown" ? "[" + client.address + "]" : facts_.client_name;
    client.family = facts_.client_address.is_v6() ? '6' : '4';
    if (client.family == '6') client.address.insert(0, "IPv6:");
    client.port = facts_.client_port;
    co_return conclude("CONNECT", co_await chain_.connect(std::move(client), values_));
}

Task<Verdict> Milters::helo(std::string_view verb)
{
    co_return conclude(verb, co_await chain_.helo(facts_.helo_name, values_));
}

// Where mail for that address would go. Without an answer the macros are not there.
Task<void> Milters::resolve(std::string address, std::optional<std::string>& host, std::optional<std::string>& mailer)
{
    host.reset();
    mailer.reset();
    if (address.empty()) address = "MAILER-DAEMON";
    const auto route = co_await resolver_->resolve(facts_.sender, resolver_->complete(address, "local"));
    if (!route) co_return;
    host = route->next_hop;
    mailer = route->transport;
}

Task<Verdict> Milters::mail(const smtp::Path& path)
{
    values_.is_content = false;
    is_in_transaction_ = true;
    values_.mail_addr = shown_address(facts_.sender);
    values_.rcpt_addr.reset();
    values_.rcpt_host.reset();
    values_.rcpt_mailer.reset();
    co_await resolve(facts_.sender, values_.mail_host, values_.mail_mailer);
    co_return conclude("MAIL", co_await chain_.mail(std::string(path.text), words_of(path), values_));
}

Task<Verdict> Milters::rcpt(const smtp::Path& path)
{
    values_.rcpt_addr = shown_address(facts_.recipient);
    co_await resolve(facts_.recipient, values_.rcpt_host, values_.rcpt_mailer);
    co_return conclude("RCPT", co_await chain_.rcpt(std::string(path.text), words_of(path), values_, false));
}

Task<void> Milters::rejected_rcpt(const smtp::Path& path, const smtp::Reply& reply)
{
    std::string_view text = reply.lines.empty() ? std::string_view() : std::string_view(reply.lines.front());
    if (const auto end = text.find(">: "); text.starts_with('<') && end != text.npos) text.remove_prefix(end + 3);
    values_.rcpt_mailer = "error";
    values_.rcpt_host = reply.enhanced;
    values_.rcpt_addr = std::string(text);
    (void)co_await chain_.rcpt(std::string(path.text), words_of(path), values_, true);
}

Task<Verdict> Milters::data()
{
    co_return conclude("DATA", co_await chain_.data(values_));
}

Task<Verdict> Milters::unknown(std::string_view verb)
{
    co_return conclude("UNKNOWN", co_await chain_.unknown(std::string(verb), values_));
}

Task<void> Milters::settle()
{
    for (; pending_aborts_ > 0; --pending_aborts_) co_await chain_.abort();
}

Task<void> Milters::end(bool has_greeted)
{
    note_reset();
    if (has_greeted) note_greeting();
    co_await settle();
    co_await chain_.quit();
}

std::optional<smtp::Reply> Milters::standing_refusal() const
{
    const milter::Answer* answer = chain_.standing_refusal();
    if (!answer) return std::nullopt;
    return milter_reply(answer->text);
}

namespace {

void look_at_milters(const config::Settings& own, const char* parameter, bool is_chrooted,
                     std::vector<config::Problem>& problems)
{
    const std::string list = own.str(parameter);
    if (list.empty()) return;
    const auto add = [&](const config::Location& at, const std::string& what, const char* about) {
        auto problem = config::make_problem(config::Problem::Level::fatal, at, what, about);
        if (std::ranges::find(problems, problem.text, &config::Problem::text) == problems.end())
            problems.push_back(std::move(problem));
    };
    try {
        const auto servers = milter::Setup::from(own, is_chrooted)->parse(list);
        if (!servers) add(own.location(parameter), fmt::format("{}: {}", parameter, servers.error().text()), parameter);
    } catch (const config::ConfigError& trouble) {
        add(trouble.location, trouble.what(), parameter);
    }
}

} // namespace

std::vector<config::Problem> find_milter_problems(const config::Settings& settings)
{
    std::vector<config::Problem> problems;
    for (const config::ServiceSpec& service : settings.services()) {
        if (service.command != "smtpd" && service.command != "cleanup") continue;
        const auto own = settings.for_service(service);
        look_at_milters(*own, service.command == "smtpd" ? "smtpd_milters" : "non_smtpd_milters", service.is_chroot,
                        problems);
    }
    return problems;
}

} // namespace ekiden::check
