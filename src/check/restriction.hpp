// What every restriction is made of: its row in the catalogue, its compiled form, and the Evaluation it runs in.
// Internal to this folder; others see policy.hpp. Compiled restrictions are immutable and shared; an Evaluation belongs
// to one call of Policy::evaluate on the session's core.
#pragma once

#include "check/policy.hpp"
#include "dns/blocklist.hpp"
#include "table/maps.hpp"
#include "table/match_list.hpp"
#include "verify/probe_sender.hpp"

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ekiden::check {

using Fault = Verdict::Fault;

// What one restriction says. permit ends its list well, reject ends everything, dunno asks the next one.
enum class Step : std::uint8_t { dunno, permit, reject };

// Whom a refusal names: "<name>: Client host rejected: …".
enum class Subject : std::uint8_t {
    client,
    reverse_client,
    helo,
    sender,
    recipient,
    sasl_login,
    client_certificate,
    data,
    end_of_data,
    etrn
};

struct Refusal {
    Fault fault = Fault::policy;
    int code = 0;
    std::string enhanced;
    std::string text;   // complete, "<x@y>: Relay access denied"
};

struct Evaluation;
struct Restriction;
using List = std::vector<Restriction>;

enum class Argument : std::uint8_t { none, table, certificate_table, domain, service, number };

enum class Support : std::uint8_t { full, obsolete };     // obsolete: an old name, with a modern one

// One row of the catalogue. Exactly one of the two makers is set: most restrictions answer at once, without a coroutine.
struct Row {
    std::string_view name;
    Argument argument = Argument::none;
    Step (*at_once)(Evaluation&, const Restriction&) = nullptr;
    Task<Step> (*awaiting)(Evaluation&, const Restriction&) = nullptr;
    Support support = Support::full;
    std::string_view modern_name = {};
    int detail = 0;      // which of several similar checks (a Subject, mostly)
};
const Row* find_row(std::string_view name);
std::span<const Row> rows();

// d.d.d.d of "zone=d.d.d.d": each d a number or [n;m..k].
struct ReplyPattern {
    std::array<std::vector<std::pair<unsigned, unsigned>>, 4> octets;
    bool is_any = true;
    bool matches(const net::Address& address) const;
};
Result<ReplyPattern> parse_reply_pattern(std::string_view text);

// How a policy service is reached and what happens when it does not answer.
struct PolicyServer {
    std::string name;              // the whole argument as written, for log lines
    std::string endpoint;          // "inet:host:port", "unix:path" as written
    std::chrono::seconds timeout{100}, retry_delay{1};
    std::chrono::seconds max_idle{300}, max_ttl{1000};   // of a kept connection
    int try_limit = 2;
    int request_limit = 0;         // per connection; 0 = any number
    std::string default_action, policy_context;
};

struct Restriction {
    const Row* row = nullptr;           // null with a list: a restriction class; null without: an unknown name
    std::string name;                   // as written
    std::string argument;
    std::string flaw;                   // why it cannot run: answered "451 4.3.5 Server configuration error"
    table::Maps table;
    bool has_patterns = false;          // the table wants whole keys only
    ReplyPattern pattern;
    std::vector<std::string Facts::*> fingerprints;   // check_ccert_access: keys in the order of look-up
    const List* members = nullptr;      // of a restriction class
    std::shared_ptr<const PolicyServer> server;
};

// How reject_unverified_sender or _recipient says no.
struct VerifyRule {
    int reject_code = 450, defer_code = 450;   // 2xx: let it pass
    std::string reason;                        // instead of the details
    bool defers = false;                       // unverified_*_tempfail_action = defer
};

// The numbers and words of main.cf that restrictions use, read once.
struct Options {
    bool delays_reject = true, is_soft_bounce = false, relays_first = true, shows_table_name = true;
    bool checks_recipients = true, checks_senders = false, has_sasl = false, asks_for_certificates = false;
    bool allows_untrusted_routing = false, matches_parent_domains = false;
    // Mail that a filter gives back: who is listed was asked when it first came, and an answer now would be a bounce.
    bool ignores_unlisted = false;
    int reject_code = 554, defer_code = 450, access_map_reject_code = 554, access_map_defer_code = 450;
    int invalid_hostname_code = 501, non_fqdn_code = 504, unknown_hostname_code = 450, unknown_client_code = 450;
    int unknown_address_code = 450, relay_code = 554, rbl_code = 554, multi_recipient_bounce_code = 550;
    int plaintext_code = 450, unknown_local_code = 550, unknown_relay_code = 550, unknown_virtual_alias_code = 550;
    int unknown_virtual_mailbox_code = 550;
    bool defers_unknown_address = false,
         defers_unknown_helo = false;  // tempfail_action: defer instead of defer_if_permit
    std::string recipient_delimiter, default_rbl_reply, null_access_key;
    std::string stress, compatibility_level, mail_version;   // told to policy servers
    VerifyRule verify_sender, verify_recipient;
    int verify_poll_count = 3;
    std::chrono::seconds verify_poll_delay{3};
    std::set<char> expansion_filter;
    std::vector<std::string> old_rbl_domains;    // maps_rbl_domains
    PolicyServer policy_defaults;

    static Options from(const config::Settings& settings);
};

struct Policy::Data {
    config::SettingsPtr settings;
    std::shared_ptr<const rewrite::Resolver> resolver;
    std::unique_ptr<dns::Resolver> filtered_dns;    // smtpd_dns_reply_filter; null: there is none
    dns::Resolver* dns = nullptr;
    Logger logger;
    Logger resolver_logger;     // trouble met while an address is resolved is told in trivial-rewrite's name
    Options options;
    RejectFooter reject_footer;

    List client, helo, sender, relay, recipient, data, end_of_data, etrn;
    std::map<std::string, List, std::less<>> classes;

    table::MatchList mynetworks, mx_backup_networks, logged_permits;
    std::vector<net::Address> own_addresses;
    table::Maps canonical_maps, recipient_canonical_maps, sender_canonical_maps, virtual_alias_maps;
    table::Maps local_recipient_maps, relay_recipient_maps, virtual_mailbox_maps, sender_login_maps, rbl_reply_maps,
        relay_clientcerts;

    std::vector<config::Problem> problems;

    std::shared_ptr<verify::Verifier> verifier;    // null: nobody to ask
    verify::ProbeSender probe_sender;

    // Old names are complained about once per process life of the snapshot.
    mutable std::mutex warned_lock;
    mutable std::set<std::string, std::less<>> warned;
    void warn_once(std::string_view key, const std::string& text) const;
};

struct Evaluation {
    Evaluation(const Policy::Data& d, const Facts& f, Stage s) : data(d), facts(f), stage(s) {}
    dns::Blocklists& blocklists();

    const Policy::Data& data;
    const Facts& facts;
    Stage stage;
    Subject subject = Subject::client;      // of the list being run
    Verdict verdict;
    bool only_warns = false;                // warn_if_reject stands in front
    std::optional<Refusal> defer_if_permit, defer_if_reject;
    bool has_checked_recipient = false, has_checked_sender = false;
    int depth = 0;                          // classes and table results that name restrictions
    std::span<const Restriction> ahead;     // the one being asked and those behind it in its list
    std::optional<dns::Blocklists> asked_lists;
    std::optional<Result<rewrite::Route>> recipient_route, sender_route;

    const Options& options() const { return data.options; }
};

// --- evaluate.cpp
inline constexpr int deepest_nesting = 100;    // classes and table results within each other
Task<Step> run_list(Evaluation& evaluation, const List& list, Subject subject);
// Words of a list, or of a table's answer, compiled. Tables are only opened where `may_open_tables`.
List compile(Policy::Data& data, const std::vector<std::string>& words, bool may_open_tables);
List compile_result(const Policy::Data& data, std::string_view text);

// --- Routes of the two addresses, looked up once per evaluation.
Task<const Result<rewrite::Route>*> recipient_route(Evaluation& evaluation);
Task<const Result<rewrite::Route>*> sender_route(Evaluation& evaluation);

}  // namespace ekiden::check
