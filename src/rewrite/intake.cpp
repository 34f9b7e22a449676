#include "rewrite/intake.hpp"

#include "base/fold.hpp"
#include "base/text.hpp"
#include "mail/address.hpp"
#include "mail/log_address.hpp"
#include "mail/queue_id.hpp"
#include "rewrite/draft_parts.hpp"

#include <algorithm>
#include <unordered_set>

namespace ekiden::rewrite {

// ---- Intake

Intake::Data::Data(config::SettingsPtr settings_in, std::shared_ptr<const Resolver> resolver_in, queue::Store& store_in,
                   dns::Resolver* dns_in)
    : settings(std::move(settings_in)), resolver(std::move(resolver_in)), store(store_in),
      log(settings->str("syslog_name") + "/cleanup"), options(IntakeOptions::from(*settings)),
      rules(AddressRules::from(*settings, resolver, &log)), content_rules(ContentRules::from(*settings)),
      sender_bcc_maps(table::Maps::open("sender_bcc_maps", settings->str("sender_bcc_maps"))),
      recipient_bcc_maps(table::Maps::open("recipient_bcc_maps", settings->str("recipient_bcc_maps"))),
      milter_rules(ContentRules::for_milters(*settings)), dns(dns_in)
{
    const std::string names = settings->str("non_smtpd_milters");
    if (names.empty()) return;
    milter_setup = milter::Setup::from(*settings, milter::is_chrooted(*settings, "cleanup"));
    auto servers = milter_setup->parse(names);
    if (!servers)
        throw config::ConfigError("non_smtpd_milters: " + servers.error().text(),
                                  settings->location("non_smtpd_milters"));
    if (!servers->empty()) local_milters = std::make_shared<const milter::Servers>(std::move(*servers));
}

std::shared_ptr<const Intake> Intake::make(config::SettingsPtr settings, std::shared_ptr<const Resolver> resolver,
                                           queue::Store& store, dns::Resolver* dns)
{
    return std::make_shared<const Intake>(
        std::make_shared<const Data>(std::move(settings), std::move(resolver), store, dns));
}

Draft Intake::open(DraftOptions options) const
{
    return Draft(std::make_unique<Draft::State>(data_, std::move(options)));
}
const config::SettingsPtr& Intake::settings() const { return data_->settings; }
const Resolver& Intake::resolver() const { return *data_->resolver; }
const std::shared_ptr<const Resolver>& Intake::resolver_pointer() const { return data_->resolver; }
queue::Store& Intake::store() const { return data_->store; }

// ---- Draft

Draft::Draft(std::unique_ptr<State> state) : state_(std::move(state)) {}
Draft::Draft(Draft&&) noexcept = default;
Draft& Draft::operator=(Draft&&) noexcept = default;
Draft::~Draft() = default;

mail::QueueId Draft::id() const { return state_->envelope.id; }
void Draft::set_sender(std::string_view address) { state_->envelope.sender = address; }
mail::Envelope& Draft::envelope() { return state_->envelope; }
void Draft::add_recipient(mail::Recipient recipient) { state_->envelope.recipients.push_back(std::move(recipient)); }
std::size_t Draft::recipient_count() const { return state_->envelope.recipients.size(); }
void Draft::prepend_field(std::string_view field) { state_->prepended_.append(field) += '\n'; }
void Draft::use_milters(milter::Chain& milters, const milter::MacroValues& values)
{
    state_->milters_ = &milters;
    state_->milter_values_ = &values;
}
void Draft::write(std::string_view content) { state_->write(content); }
bool Draft::needs_flush() const { return state_->needs_flush(); }
Task<Result<void>> Draft::flush() { return state_->flush(); }
Task<std::expected<queue::EnvelopePtr, Refusal>> Draft::submit() { return state_->submit(); }

Draft::State::State(std::shared_ptr<const Intake::Data> data_in, DraftOptions options_in)
    : data(std::move(data_in)), options(std::move(options_in)), opened_at(base::wall_now()),
      writer_(data->store.write_content()), header_(data->options.header_size_limit)
{
    envelope.id = mail::make_queue_id();
    envelope.arrived_at = options.arrived_at == WallTime{} ? opened_at : options.arrived_at;
    envelope.origin = std::move(options.origin);
    if (!options.log_ident.empty()) envelope.origin.log_ident = options.log_ident;
    id_text = mail::format(envelope.id);
}

Draft::State::~State() = default;

void Draft::State::refuse(int smtp_code, std::string enhanced, std::string text)
{
    if (refusal) return;
    refusal = Refusal{smtp_code, {std::move(enhanced), std::move(text)}};
    // What was taken so far is of no use: give the memory back while the sender goes on talking.
    writer_ = {};
    held_body_ = {};
}

void Draft::State::refuse(const AddressRules::Fault& fault)
{
    data->log.warning("{}: {}", id_text, fault.text);
    if (fault.is_expansion) refuse(451, "4.6.0", "Alias expansion error");
    else refuse(451, "4.3.0", "Error: queue file write error");
}

// The road through the waist. Content comes first, because a check may still refuse the message or change where it
// goes, and milters may change anything;
// recipients are expanded before bcc copies and redirection, so that these see final addresses; duplicates are dropped
// when nothing is added any more; and nothing that could fail stands behind the commit.
Task<std::expected<queue::EnvelopePtr, Refusal>> Draft::State::submit()
{
    co_await finish_content();
    if (!refusal && !is_discarded) {
        if (milters_) co_await ask_milters();
        else if (has_local_milters()) co_await ask_local_milters();
    }
    if (!refusal) co_await rewrite_sender();
    if (!refusal && !is_discarded) co_await rewrite_recipients();
    if (refusal) co_return std::unexpected(*std::move(refusal));
    if (is_discarded) co_return std::make_shared<const mail::Envelope>(std::move(envelope));
    redirect_recipients();
    drop_duplicates();
    if (envelope.purpose == mail::Purpose::probe && envelope.recipients.size() > 1) {
        // There is mail for it, whatever becomes of each copy.
        data->log.info(
            "{}: to=<{}>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=deliverable (aliased to multiple recipients)",
            id_text, mail::log_address(envelope.recipients.front().original));
        co_return std::make_shared<const mail::Envelope>(std::move(envelope));
    }
    if (detects_utf8 && !envelope.is_smtputf8) {
        envelope.is_smtputf8 =
            !base::is_ascii(envelope.sender) || std::ranges::any_of(envelope.recipients, [](const auto& recipient) {
                return !base::is_ascii(recipient.address);
            });
    }

    Result<queue::EnvelopePtr> committed = co_await data->store.commit(std::move(envelope), std::move(writer_));
    if (!committed) {
        data->log.warning("{}: queue file write error: {}", id_text, committed.error().text());
        if (committed.error().is(ErrorCode::no_space)) refuse(452, "4.3.1", "Insufficient system storage");
        else refuse(451, "4.3.0", "Error: queue file write error");
        co_return std::unexpected(*std::move(refusal));
    }
    co_return std::move(*committed);
}

// Envelope addresses are always completed as local ones, whoever the client is.
Task<void> Draft::State::rewrite_sender()
{
    if (has_rewritten_sender_) co_return;
    has_rewritten_sender_ = true;
    envelope.sender = data->resolver->complete(envelope.sender, "local");
    if (!options.expands_aliases) co_return;
    AddressRules::Outcome<std::string> mapped =
        co_await data->rules.rewrite(envelope.sender, Place::envelope_sender, id_text);
    if (mapped) envelope.sender = std::move(*mapped);
    else refuse(mapped.error());
}

Task<void> Draft::State::rewrite_recipients()
{
    std::vector<mail::Recipient> given = std::move(envelope.recipients);
    envelope.recipients.clear();
    if (given.empty()) {
        refuse(550, "5.1.0", "Error: no recipients specified");
        co_return;
    }
    for (auto& address : more_recipients_)
        given.push_back({.address = std::move(address), .notify = mail::notify_never});
    const bool is_new_mail = options.source == Source::smtpd || options.source == Source::pickup;
    if (is_new_mail && options.expands_aliases && !envelope.only_asks()) co_await add_bcc(given);
    if (refusal) co_return;

    envelope.recipients.reserve(given.size());
    for (mail::Recipient& recipient : given) {
        co_await take_recipient(std::move(recipient), envelope.recipients);
        if (refusal) co_return;
    }
}

Task<void> Draft::State::take_recipient(mail::Recipient recipient, std::vector<mail::Recipient>& out)
{
    const std::string given = recipient.address;
    std::string address = given;
    // The null address and "@domain" are nobody's; the mailer daemon answers for them.
    if (address.empty() || address.front() == '@') address.insert(0, data->options.empty_recipient);
    address = data->resolver->complete(address, "local");

    std::vector<std::string> targets;
    if (options.expands_aliases) {
        AddressRules::Outcome<std::string> mapped =
            co_await data->rules.rewrite(std::move(address), Place::envelope_recipient, id_text);
        if (!mapped) {
            refuse(mapped.error());
            co_return;
        }
        if (data->rules.has_aliases()) {
            AddressRules::Outcome<std::vector<std::string>> expanded = co_await data->rules.expand(std::move(*mapped));
            if (!expanded) {
                refuse(expanded.error());
                co_return;
            }
            targets = std::move(*expanded);
        } else {
            targets.push_back(std::move(*mapped));
        }
    } else {
        targets.push_back(std::move(address));
    }
    for (std::string& target : targets) {
        mail::Recipient& added = out.emplace_back(recipient);
        if (added.original.empty() && target != given) added.original = given;
        added.address = std::move(target);
    }
}

static AddressRules::Fault copy_problem(const table::Maps& maps)
{
    return {false, maps.title() + " map lookup problem -- message not accepted, try again later"};
}

// always_bcc, sender_bcc_maps, recipient_bcc_maps: copies nobody is told about.
Task<void> Draft::State::add_bcc(std::vector<mail::Recipient>& given)
{
    const std::size_t count = given.size();
    std::vector<std::string> copies;
    if (!data->options.always_bcc.empty())
        copies.push_back(data->resolver->complete(mail::unquote_address(data->options.always_bcc), "local"));

    const struct {
        const table::Maps* maps;
        bool is_sender;
    } rows[] = {{&data->sender_bcc_maps, true}, {&data->recipient_bcc_maps, false}};
    for (const auto& row : rows) {
        if (row.maps->is_empty()) continue;
        for (std::size_t i = 0; i < (row.is_sender ? 1 : count); ++i) {
            std::string key = row.is_sender ? envelope.sender : data->resolver->complete(given[i].address, "local");
            if (key.empty()) continue;
            const Result<bool> is_local =
                co_await data->resolver->is_local_domain(std::string(mail::split_address(key).domain));
            if (!is_local) {
                refuse(copy_problem(*row.maps));
                co_return;
            }
            table::Maps::AddressOptions look{.recipient_delimiter = data->options.recipient_delimiter,
                                             .is_local_domain = *is_local};
            Result<std::optional<table::Maps::AddressAnswer>> answer =
                co_await row.maps->find_address(key, look, &data->log);
            if (!answer) {
                refuse(copy_problem(*row.maps));
                co_return;
            }
            if (*answer)
                if (auto copy = data->rules.result_address((*answer)->value, key, {}); !copy.empty())
                    copies.push_back(std::move(copy));
        }
    }
    for (auto& copy : copies) given.push_back({.address = std::move(copy), .notify = mail::notify_never});
}

void Draft::State::redirect_recipients()
{
    if (envelope.redirect.empty()) return;
    const std::string target = data->resolver->complete(envelope.redirect, "local");
    for (mail::Recipient& recipient : envelope.recipients) {
        if (recipient.original.empty() && recipient.address != target)
            recipient.original = recipient.address;
        recipient.address = target;
    }
    // One copy is enough, whoever it was for.
    envelope.recipients.resize(1);
}

// The same address for the same original recipient is delivered to once; case does not matter.
void Draft::State::drop_duplicates()
{
    auto& recipients = envelope.recipients;
    if (recipients.size() < 2) return;
    const std::size_t limit = data->options.duplicate_filter_limit;
    std::unordered_set<std::string> seen;
    std::erase_if(recipients, [&](const mail::Recipient& recipient) {
        std::string key = base::fold_case(recipient.address);
        if (data->options.keeps_original_recipient) (key += '\0') += base::fold_case(recipient.original);
        if (seen.contains(key)) return true;
        if (limit == 0 || seen.size() < limit) seen.insert(std::move(key));
        return false;
    });
}

}  // namespace ekiden::rewrite
