#include "base/text.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"
#include "mail/address.hpp"
#include "mail/status.hpp"

#include <algorithm>

namespace ekiden::check {
namespace {

using rewrite::AddressClass;

Refusal relay_refusal(const Evaluation& evaluation, int code, std::string_view enhanced)
{
    std::string fitted(enhanced);
    fitted[0] = static_cast<char>('0' + code / 100);
    return {Fault::policy, code, std::move(fitted),
            fmt::format("<{}>: Relay access denied", evaluation.facts.recipient)};
}

}  // namespace

Task<Authority> find_authority(Evaluation& evaluation)
{
    const auto* route = co_await recipient_route(evaluation);
    if (!*route) {
        warn_of_trouble(evaluation, route->error());
        co_return Authority::unknown;
    }
    if ((*route)->address_class == AddressClass::other) co_return Authority::foreign;
    // user%elsewhere@here and the like ask us to relay in disguise.
    if ((*route)->has_sender_routing && !evaluation.options().allows_untrusted_routing) co_return Authority::foreign;
    co_return Authority::authorised;
}

Task<Step> permit_auth_destination(Evaluation& evaluation, const Restriction&)
{
    if (evaluation.facts.recipient.empty()) co_return Step::dunno;
    switch (co_await find_authority(evaluation)) {
        case Authority::authorised: co_return Step::permit;
        case Authority::foreign: co_return Step::dunno;
        case Authority::unknown: break;
    }
    co_return refuse(evaluation, lookup_failure(evaluation, Subject::recipient));
}

namespace {

Task<Step> refuse_foreign(Evaluation& evaluation, int code, std::string_view enhanced)
{
    if (evaluation.facts.recipient.empty()) co_return Step::dunno;
    switch (co_await find_authority(evaluation)) {
        case Authority::authorised: co_return Step::dunno;
        case Authority::foreign: co_return refuse(evaluation, relay_refusal(evaluation, code, enhanced));
        case Authority::unknown: break;
    }
    co_return refuse(evaluation, lookup_failure(evaluation, Subject::recipient));
}

}  // namespace

Task<Step> reject_unauth_destination(Evaluation& evaluation, const Restriction&)
{
    return refuse_foreign(evaluation, evaluation.options().relay_code, "5.7.1");
}

Task<Step> defer_unauth_destination(Evaluation& evaluation, const Restriction&)
{
    const int code = evaluation.options().relay_code;
    return refuse_foreign(evaluation, code >= 500 ? code - 100 : code, "4.7.1");
}

// As reject_unauth_destination, but it permits what it does not refuse, and words it differently.
Task<Step> check_relay_domains(Evaluation& evaluation, const Restriction&)
{
    if (evaluation.facts.recipient.empty()) co_return Step::dunno;
    switch (co_await find_authority(evaluation)) {
        case Authority::authorised: co_return Step::permit;
        case Authority::foreign:
            co_return refuse(evaluation, rejected(evaluation, Subject::recipient, evaluation.options().relay_code,
                                                  "5.7.1", "Relay access denied"));
        case Authority::unknown: break;
    }
    co_return refuse(evaluation, lookup_failure(evaluation, Subject::recipient));
}

// We are one of the domain's mail exchangers but not the best one (that would be a domain we forgot to name, and a loop),
// and where permit_mx_backup_networks is set, the best one is there.
Task<Step> permit_mx_backup(Evaluation& evaluation, const Restriction&)
{
    if (evaluation.facts.recipient.empty()) co_return Step::dunno;
    switch (co_await find_authority(evaluation)) {
        case Authority::authorised: co_return Step::permit;
        case Authority::unknown: co_return refuse(evaluation, lookup_failure(evaluation, Subject::recipient));
        case Authority::foreign: break;
    }
    const Policy::Data& data = evaluation.data;
    const auto parts = mail::split_address((*evaluation.recipient_route)->recipient);
    if ((*evaluation.recipient_route)->has_sender_routing || parts.domain.starts_with('[')) co_return Step::dunno;
    const std::string domain = base::lower(parts.domain);
    const auto exchangers = co_await data.dns->query_dns(domain, dns::Type::mx);
    // Only the last words of a DNS error are for the client: "Host not found, try again".
    auto unsure = [&](const std::string& why) {
        const std::size_t colon = why.rfind(": ");
        return refuse(evaluation, rejected(evaluation, Subject::recipient, 450, "4.4.4",
                                           "Unable to look up mail exchanger information: " +
                                               (colon == std::string::npos ? why : why.substr(colon + 2))));
    };
    if (!exchangers) co_return unsure(exchangers.error().text());

    std::uint16_t best = 65535;
    for (const auto& record : exchangers->records) best = std::min(best, record.preference);
    bool is_backup = false;
    bool has_best_in_networks = data.mx_backup_networks.is_empty();
    for (const auto& record : exchangers->records) {
        if (record.name.empty()) continue;
        for (const dns::Type type : {dns::Type::a, dns::Type::aaaa}) {
            const auto addresses = co_await data.dns->query_dns(record.name, type);
            if (!addresses) co_return unsure(addresses.error().text());
            for (const auto& address : addresses->records) {
                const bool is_own = std::ranges::find(data.own_addresses, address.address) != data.own_addresses.end();
                if (is_own && record.preference == best) co_return Step::dunno;
                is_backup = is_backup || is_own;
                if (record.preference != best || has_best_in_networks) continue;
                const auto matched = co_await data.mx_backup_networks.matches_address(address.address);
                if (!matched) co_return unsure(matched.error().text());
                has_best_in_networks = *matched;
            }
        }
    }
    co_return is_backup && has_best_in_networks ? Step::permit : Step::dunno;
}

Step reject_multi_recipient_bounce(Evaluation& evaluation, const Restriction&)
{
    const Facts& facts = evaluation.facts;
    if (!facts.has_sender || !facts.sender.empty()) return Step::dunno;
    // At RCPT the one being judged is not counted yet.
    const bool has_several = evaluation.stage == Stage::rcpt ? facts.recipient_count >= 1 : facts.recipient_count > 1;
    if (!has_several) return Step::dunno;
    return refuse(evaluation, rejected(evaluation, evaluation.subject, evaluation.options().multi_recipient_bounce_code,
                                       "5.5.3", "Multi-recipient bounce"));
}

namespace {

// Which table knows the users of a class, and how a miss is said.
struct UserTable {
    const table::Maps* maps;     // null: every address of the class that is not an alias is unknown
    int code;
    std::string_view name;
};

std::optional<UserTable> user_table(const Policy::Data& data, AddressClass kind)
{
    const Options& options = data.options;
    switch (kind) {
    case AddressClass::local:
        return UserTable{&data.local_recipient_maps, options.unknown_local_code, "local recipient"};
    case AddressClass::virtual_alias: return UserTable{nullptr, options.unknown_virtual_alias_code, "virtual alias"};
    case AddressClass::virtual_mailbox:
        return UserTable{&data.virtual_mailbox_maps, options.unknown_virtual_mailbox_code, "virtual mailbox"};
    case AddressClass::relay:
        return UserTable{&data.relay_recipient_maps, options.unknown_relay_code, "relay recipient"};
    case AddressClass::other: break;
    }
    return std::nullopt;
}

Task<Result<bool>> is_in(const table::Maps& maps, std::string address, table::Maps::AddressOptions options,
                         const Logger& logger)
{
    if (maps.is_empty()) co_return false;
    auto found = co_await maps.find_address(std::move(address), options, &logger);
    if (!found) co_return std::unexpected(std::move(found).error());
    co_return found->has_value();
}

}  // namespace

Task<Step> check_unlisted(Evaluation& evaluation, Subject subject)
{
    const Policy::Data& data = evaluation.data;
    const bool is_sender = subject == Subject::sender;
    (is_sender ? evaluation.has_checked_sender : evaluation.has_checked_recipient) = true;
    const std::string& given = is_sender ? evaluation.facts.sender : evaluation.facts.recipient;
    if (given.empty() || data.options.ignores_unlisted) co_return Step::dunno;
    // Other servers ask us about the sender of our probes.
    if (!is_sender && data.probe_sender.is_ours(given, base::wall_now())) co_return Step::dunno;

    const auto* found_route = is_sender ? co_await sender_route(evaluation) : co_await recipient_route(evaluation);
    auto give_up = [&](const Error& error) {
        warn_of_trouble(evaluation, error);
        return refuse(evaluation, lookup_failure(evaluation, subject));
    };
    if (!*found_route) co_return give_up(found_route->error());
    const rewrite::Route& route = **found_route;

    const std::string address = base::lower(route.recipient);
    table::Maps::AddressOptions search;
    search.recipient_delimiter = data.options.recipient_delimiter;
    search.is_local_domain = route.address_class == AddressClass::local;

    // An address that will be rewritten to another one is as good as known.
    for (const table::Maps* maps : {is_sender ? &data.sender_canonical_maps : &data.recipient_canonical_maps,
                                    &data.canonical_maps, &data.virtual_alias_maps}) {
        auto is_known = co_await is_in(*maps, address, search, data.logger);
        if (!is_known) co_return give_up(is_known.error());
        if (*is_known) co_return Step::dunno;
    }
    // Mail to the error and retry transports is refused here, before it is taken.
    if (route.address_class != AddressClass::virtual_alias &&
        (route.transport == "error" || route.transport == "retry")) {
        const bool is_error = route.transport == "error";
        auto [enhanced, text] = split_enhanced(route.next_hop, is_error ? "5.1.1" : "4.1.1");
        const int code = is_error ? 550 : 450;
        co_return refuse(evaluation, rejected(evaluation, subject, code, enhanced, text, Fault::bounce));
    }
    const auto table = user_table(data, route.address_class);
    // Somebody must always be there to write to (RFC 5321 4.5.1), and bounces must not bounce at the door.
    const std::string local(mail::split_address(address).local);
    if (route.address_class == AddressClass::local && (local == "postmaster" || local == "mailer-daemon"))
        co_return Step::dunno;
    if (!table || (table->maps && table->maps->is_empty())) co_return Step::dunno;
    if (table->maps) {
        auto is_known = co_await is_in(*table->maps, address, search, data.logger);
        if (!is_known) co_return give_up(is_known.error());
        if (*is_known) co_return Step::dunno;
    }
    const std::string text =
        data.options.shows_table_name ? fmt::format("User unknown in {} table", table->name) : "User unknown";
    co_return refuse(evaluation,
                     rejected(evaluation, subject, table->code, is_sender ? "5.1.0" : "5.1.1", text, Fault::bounce));
}

Task<Step> reject_unlisted(Evaluation& evaluation, const Restriction& restriction)
{
    return check_unlisted(evaluation, static_cast<Subject>(restriction.row->detail));
}

}  // namespace ekiden::check
