#include "check/relay_proof.hpp"

#include "base/text.hpp"
#include "check/access_actions.hpp"
#include "check/access_contents.hpp"
#include "check/policy.hpp"
#include "check/relay_networks.hpp"
#include "check/restriction.hpp"
#include "check/rules.hpp"
#include "config/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

namespace ekiden::check {

namespace {

using config::Location;
using Outcome = RelayProof::Verdict;     // of one list: closed refuses, open lets pass

// Something that may let the client pass although what follows would refuse.
struct Condition {
    std::string text;
    Location at;
    std::string advice;
};

// What a list, a class or one restriction says to the stranger.
struct Answer {
    enum class End { goes_on, refuses, permits } end = End::goes_on;
    std::string text;                      // what decided
    Location at;
    std::string advice;
    std::vector<Condition> conditions;
};

struct ListKind {
    std::string_view parameter;
    Subject subject;
};
constexpr std::array lists{
    ListKind{"smtpd_client_restrictions", Subject::client},
    ListKind{"smtpd_helo_restrictions", Subject::helo},
    ListKind{"smtpd_sender_restrictions", Subject::sender},
    ListKind{"smtpd_relay_restrictions", Subject::recipient},
    ListKind{"smtpd_recipient_restrictions", Subject::recipient},
    ListKind{"smtpd_data_restrictions", Subject::data},
    ListKind{"smtpd_end_of_data_restrictions", Subject::end_of_data},
};

// Addresses, names and mail addresses of strangers: public addresses of several providers' ranges, names that no site
// lists by mistake.
const std::vector<std::string> sample_addresses{
    "unknown",     "1.2.3.4", "8.8.8.8", "77.88.99.111", "133.5.6.7", "196.40.50.60", "2001:4860:4860::8888",
    "2a00:1450::1"};
const std::vector<std::string> sample_names{"unknown", "mail.stranger.example", "stranger.example"};
const std::vector<std::string> sample_mail{"somebody@stranger.example", "stranger.example", "somebody@"};
// Recipients that exist everywhere.
const std::vector<std::string> sample_recipients{"somebody@stranger.example", "stranger.example", "somebody@",
                                                 "postmaster@stranger.example", "abuse@stranger.example"};

std::string shown(const Location& at)
{
    return at.line > 0 ? fmt::format("{}, line {}", at.file, at.line) : std::string();
}

class Prover {
public:
    Prover(const config::Settings& own, config::Source& source)
        : own_(own), source_(source), networks_(read_relay_networks(own, source))
    {
        for (const std::string& name : own.list("smtpd_restriction_classes")) classes_.insert(name);
        delays_reject_ = own.boolean("smtpd_delay_reject");
    }

    RelayProof run(const config::ServiceSpec& service)
    {
        proof_.service = service.name + " " + service.type;
        proof_.service_at = {service.file, service.line};
        std::vector<std::pair<std::string_view, Answer>> answers;
        for (const ListKind& kind : lists) {
            // Who sends no HELO is not asked about it, unless he must.
            if (kind.subject == Subject::helo && !own_.boolean("smtpd_helo_required")) continue;
            parameter_ = kind.parameter;
            const bool is_early =
                kind.subject == Subject::client || kind.subject == Subject::helo || kind.subject == Subject::sender;
            knows_recipient_ = kind.subject == Subject::recipient || (is_early && delays_reject_);
            answers.emplace_back(kind.parameter,
                                 judge_list(own_.str(kind.parameter), kind.subject, own_.location(kind.parameter), 0));
        }
        conclude(answers);
        look_at_trust();
        return std::move(proof_);
    }

private:
    void conclude(std::vector<std::pair<std::string_view, Answer>>& answers)
    {
        // One refusal is enough; those of the relay and recipient lists are the usual ones.
        const auto refusal = std::ranges::find_if(
            answers, [](const auto& a) { return a.second.end == Answer::End::refuses && a.second.conditions.empty(); });
        if (refusal != answers.end())
            return decide(Outcome::closed, refusal->first, refusal->second.text, refusal->second.at, {});
        // Every list that refuses in the end has something in front that may permit; each must, for mail to pass.
        std::string reason, advice;
        constexpr std::size_t most_said = 3;
        const Condition* first = nullptr;
        std::string_view first_list;
        std::size_t count = 0;
        for (const auto& [parameter, answer] : answers) {
            if (answer.end != Answer::End::refuses) continue;
            for (const Condition& condition : answer.conditions) {
                if (!first) first = &condition, first_list = parameter, advice = condition.advice;
                else if (reason.contains(condition.text)) continue;
                if (++count <= most_said) reason += (reason.empty() ? "" : "; ") + condition.text;
            }
        }
        if (count > most_said) reason += fmt::format("; and {} more", count - most_said);
        if (first) return decide(Outcome::depends, first_list, reason, first->at, advice);
        for (const auto& [parameter, answer] : answers)
            if (answer.end == Answer::End::permits &&
                (parameter == "smtpd_relay_restrictions" || parameter == "smtpd_recipient_restrictions"))
                return decide(Outcome::open, parameter, answer.text, answer.at, answer.advice);
        const std::string_view parameter = "smtpd_relay_restrictions";
        decide(Outcome::open, parameter, "nothing refuses other people's destinations", own_.location(parameter),
               "add reject_unauth_destination");
    }

    void decide(Outcome verdict, std::string_view parameter, std::string_view text, const Location& at,
                std::string_view advice)
    {
        proof_.verdict = verdict;
        proof_.parameter = parameter;
        proof_.at = at;
        proof_.advice = advice;
        proof_.reason = fmt::format("{}{}{}: {}", parameter, at.line > 0 ? ", " : "", shown(at), text);
    }

    // Who may say that he is somebody else, and is believed.
    void look_at_trust()
    {
        const auto depends = [&](std::string_view parameter, std::string_view text, std::string_view advice) {
            proof_.steps.push_back(fmt::format("{}: {}", parameter, text));
            if (proof_.verdict == Outcome::closed)
                decide(Outcome::depends, parameter, text, own_.location(parameter), advice);
        };
        if (!own_.str("smtpd_upstream_proxy_protocol").empty() && !proof_.service.starts_with("127.") &&
            !proof_.service.starts_with("localhost:"))
            depends("smtpd_upstream_proxy_protocol",
                    "whoever reaches this port directly, and not through the proxy, may claim any client address",
                    "give the service an address that only the proxy reaches");
        for (const std::string_view parameter : {"smtpd_authorized_xclient_hosts"}) {
            const auto wide = find_wide_network(own_, parameter);
            if (wide.empty()) continue;
            depends(parameter, fmt::format("clients in {} may claim any client address and login", wide),
                    "name the proxy's own address only");
        }
        if (own_.boolean("allow_untrusted_routing") && !networks_.relays_to_others.empty())
            depends("allow_untrusted_routing", "addresses such as user@elsewhere@ours are sent on to elsewhere",
                    "remove allow_untrusted_routing = yes");
        if (const auto wide = find_wide_destination(own_); !wide.first.empty() && proof_.verdict != Outcome::open)
            decide(Outcome::open, wide.first, fmt::format("{} makes every domain one of ours", wide.second),
                   own_.location(wide.first), "name the domains that are yours");
    }

    void step(std::string_view name, std::string_view text)
    {
        proof_.steps.push_back(fmt::format("{}: {}: {}", parameter_, name, text));
    }

    Answer refuses(std::string_view name, std::string_view text, const Location& at)
    {
        step(name, text);
        return {Answer::End::refuses, fmt::format("{} {}", name, text), at, {}, {}};
    }
    Answer permits(std::string_view name, std::string_view text, const Location& at, std::string_view advice)
    {
        step(name, text);
        return {Answer::End::permits, fmt::format("{}: {}", name, text), at, std::string(advice), {}};
    }
    Answer depends(std::string_view name, std::string_view text, const Location& at, std::string_view advice)
    {
        step(name, text);
        return {
            Answer::End::goes_on, {}, {}, {}, {Condition{fmt::format("{}: {}", name, text), at, std::string(advice)}}};
    }
    Answer passes_by(std::string_view name, std::string_view text)
    {
        step(name, text);
        return {};
    }

    Answer judge_list(const std::string& value, Subject subject, const Location& at, int depth)
    {
        Answer answer;
        if (depth > deepest_nesting) return answer;
        const auto words = base::split_quoted_braces(value);
        bool only_warns = false;
        for (std::size_t i = 0; i < words.size(); ++i) {
            std::string name(words[i]), argument;
            if (name.starts_with('{') && name.ends_with('}')) {
                const std::string inside(name.substr(1, name.size() - 2));
                const auto parts = base::split_quoted_braces(inside);
                if (parts.empty()) continue;
                name = parts.front();
                for (std::size_t k = 1; k < parts.size(); ++k) argument += (k == 1 ? "" : ",") + std::string(parts[k]);
            } else if (const Row* row = find_row(name);
                       row && row->argument != Argument::none && !classes_.contains(name) && i + 1 < words.size()) {
                argument = words[++i];
            }
            if (base::equal_ignoring_case(name, "warn_if_reject")) {
                only_warns = true;
                continue;
            }
            const Location place = source_.find(at, name);
            Answer one = classes_.contains(name)
                             ? judge_list(own_.expand("$" + name), subject, own_.location(name), depth + 1)
                             : judge(name, argument, subject, place);
            const bool was_warning = std::exchange(only_warns, false);
            for (Condition& condition : one.conditions) answer.conditions.push_back(std::move(condition));
            if (one.end == Answer::End::goes_on || (one.end == Answer::End::refuses && was_warning)) continue;
            answer.end = one.end;
            answer.text = std::move(one.text);
            answer.at = one.at;
            answer.advice = std::move(one.advice);
            return answer;
        }
        return answer;
    }

    Answer judge(const std::string& name, const std::string& argument, Subject subject, const Location& at)
    {
        const Row* row = find_row(name);
        if (!row && name.find(':') == std::string::npos)
            return refuses(name, "is no restriction, so every recipient gets 451", at);
        const std::string_view known = row ? row->name : std::string_view("table");
        if (known == "permit")
            return permits("permit", "lets everybody pass who came so far", at,
                           "move it behind reject_unauth_destination");
        if (known == "reject" || known == "defer" || known == "defer_if_permit")
            return refuses(known, "refuses everybody who came so far", at);
        if (known == "reject_unauth_destination" || known == "defer_unauth_destination" ||
            known == "check_relay_domains") {
            if (knows_recipient_) return refuses(known, "refuses destinations that are not ours", at);
            return passes_by(known, "the recipient is not known here, so it does nothing");
        }
        if (known == "permit_mynetworks") return judge_networks();
        if (known == "permit_naked_ip_address")
            return permits(known, "lets everybody pass who says HELO with an address", at, "use permit_mynetworks");
        if (known == "permit_tls_all_clientcerts") return judge_certificates(at);
        if (known == "permit_mx_backup") return judge_backup(at);
        if (known == "permit_dnswl_client" || known == "permit_rhswl_client")
            return depends(fmt::format("{} {}", known, argument), "whoever is in that DNS list passes", at,
                           "move it behind reject_unauth_destination");
        if (known == "check_policy_service")
            return depends(fmt::format("check_policy_service {}", argument), "whoever the policy server answers OK", at,
                           "move it behind reject_unauth_destination");
        if (!row || row->argument == Argument::table) return judge_table(row, row ? argument : name, subject, at);
        if (known.starts_with("permit_"))
            return passes_by(known, known == "permit_auth_destination" ? "only for our own destinations"
                                                                       : "not for strangers");
        return passes_by(argument.empty() ? name : name + " " + argument, "permits nobody");
    }

    Answer judge_networks()
    {
        if (!networks_.everybody.empty())
            return permits("permit_mynetworks",
                           fmt::format("{} = {} is everybody", networks_.parameter, networks_.everybody),
                           networks_.everybody_at, "name your own networks only");
        Answer answer = passes_by("permit_mynetworks", fmt::format("only for {}", networks_.shown));
        if (!networks_.wide.empty()) {
            answer.conditions.push_back({fmt::format("{} has {}, which is larger than a site's own network",
                                                     networks_.parameter, networks_.wide),
                                         networks_.wide_at, "name your own networks only"});
        }
        if (!networks_.unknown_table.empty())
            answer.conditions.push_back({fmt::format("mynetworks: the networks in {}", networks_.unknown_table),
                                         own_.location("mynetworks"), "name the networks themselves"});
        return answer;
    }

    Answer judge_certificates(const Location& at)
    {
        if (!own_.boolean("smtpd_tls_ask_ccert") && !own_.boolean("smtpd_tls_req_ccert"))
            return passes_by("permit_tls_all_clientcerts", "clients are not asked for certificates");
        if (own_.str("smtpd_tls_CAfile").empty() && own_.str("smtpd_tls_CApath").empty() &&
            !own_.boolean("tls_append_default_CA"))
            return passes_by("permit_tls_all_clientcerts", "no authority is trusted");
        return depends("permit_tls_all_clientcerts",
                       "whoever has a certificate of a trusted authority, and public ones give it to everybody", at,
                       "use permit_tls_clientcerts");
    }

    Answer judge_backup(const Location& at)
    {
        if (!own_.str("permit_mx_backup_networks").empty())
            return passes_by("permit_mx_backup", "only where the best mail exchanger is in permit_mx_backup_networks");
        return depends("permit_mx_backup",
                       "whoever names this host as a mail exchanger of his domain gets its mail relayed", at,
                       "set permit_mx_backup_networks, or list the domains in relay_domains");
    }

    // What strangers may choose: their names, not their addresses.
    Answer judge_table(const Row* row, const std::string& table, Subject subject, const Location& at)
    {
        const std::string title = row ? fmt::format("{} {}", row->name, table) : table;
        const int detail = row ? row->detail & 15 : 0;
        const bool is_of_hosts = row && (row->detail & (hosts_mx | hosts_a | hosts_ns)) != 0;
        const bool asks_client = row ? detail == access_client || is_of_hosts : subject == Subject::client;
        const bool asks_recipient = row ? detail == access_recipient && !is_of_hosts : subject == Subject::recipient;
        if (row && (detail == access_sasl || detail == access_etrn))
            return passes_by(title, "not asked about strangers");
        const auto& samples = asks_client                       ? sample_addresses
                              : asks_recipient                  ? sample_recipients
                              : !row || detail == access_sender ? sample_mail
                                                                : sample_names;
        const AccessContents contents = read_access_contents(
            table, samples, [&](std::string_view answer) { return lets_pass(answer, subject, at); });
        if (asks_recipient && !contents.for_everybody.empty() &&
            !contents.for_everybody.front().key.starts_with("somebody") &&
            contents.for_everybody.front().key.contains('@'))
            return depends(title,
                           fmt::format("mail to {} of every domain is relayed",
                                       contents.for_everybody.front().key.substr(
                                           0, contents.for_everybody.front().key.find('@') + 1)),
                           at, "move the table behind reject_unauth_destination");
        if (!contents.for_everybody.empty())
            return permits(title,
                           fmt::format("answers {} for {}, so for everybody", contents.for_everybody.front().value,
                                       contents.for_everybody.front().key),
                           at, "move it behind reject_unauth_destination");
        if (contents.is_unknown && contents.permitting.empty())
            return depends(title, "whoever the table answers OK", at, "move it behind reject_unauth_destination");
        if (contents.permitting.empty()) return passes_by(title, "permits nobody");
        const PermittingEntry& entry = contents.permitting.front();
        const std::string place = entry.at.line > 0 ? fmt::format(" ({})", shown(entry.at)) : "";
        if (asks_client) {
            for (const PermittingEntry& each : contents.permitting)
                if (is_wide_network(each.key))
                    return depends(
                        title, fmt::format("{} {}, which is larger than a site's own network", each.key, each.value),
                        each.at.line > 0 ? each.at : at, "name your own networks only");
            return passes_by(title, fmt::format("permits the {} clients it names, such as {}{}",
                                                contents.permitting_count, entry.key, place));
        }
        if (asks_recipient) {
            for (const PermittingEntry& each : contents.permitting)
                if (each.key.ends_with('@'))
                    return depends(title, fmt::format("mail to {} of every domain is relayed", each.key),
                                   each.at.line > 0 ? each.at : at, "move the table behind reject_unauth_destination");
            return passes_by(title, fmt::format("permits the {} recipients it names, such as {}{}",
                                                contents.permitting_count, entry.key, place));
        }
        return permits(title,
                       fmt::format("answers {} for {}{}, and whoever knows that can call himself so", entry.value,
                                   entry.key, place),
                       at, "move it behind reject_unauth_destination");
    }

    // Does this answer of a table let a stranger pass? It may name restrictions and classes, which are judged like a list.
    bool lets_pass(std::string_view text, Subject subject, const Location& at)
    {
        const ParsedAction parsed = parse_access_action(text);
        switch (parsed.kind) {
        case ParsedAction::Kind::action:
            return base::equal_ignoring_case(parsed.word, "OK") || base::equal_ignoring_case(parsed.word, "RELAY");
        case ParsedAction::Kind::number: return true;
        case ParsedAction::Kind::reply:
        case ParsedAction::Kind::table: return false;
        case ParsedAction::Kind::restrictions: break;
        }
        // Tables whose classes ask tables again must end.
        constexpr int deepest_table = 4;
        if (table_depth_ >= deepest_table) return false;
        ++table_depth_;
        const std::size_t step_count = proof_.steps.size();
        const Answer answer = judge_list(std::string(text), subject, at, 0);
        proof_.steps.resize(step_count);
        --table_depth_;
        return answer.end == Answer::End::permits || !answer.conditions.empty();
    }

    const config::Settings& own_;
    config::Source& source_;
    RelayNetworks networks_;
    std::set<std::string, std::less<>> classes_;
    RelayProof proof_;
    std::string_view parameter_;
    bool delays_reject_ = true, knows_recipient_ = true;
    int table_depth_ = 0;
};

}  // namespace

std::string_view word_of(RelayProof::Verdict verdict)
{
    constexpr std::array<std::string_view, 3> words{"closed", "depends", "open"};
    return words[static_cast<std::size_t>(verdict)];
}

std::vector<RelayProof> prove_relay_control(const config::Settings& settings)
{
    std::vector<RelayProof> proofs;
    config::Source source;
    for (const config::ServiceSpec& service : settings.services()) {
        if (service.command != "smtpd") continue;
        try {
            const auto own = settings.for_service(service);
            // The start is refused, and says why.
            if (is_open_relay(*own)) continue;
            proofs.push_back(Prover(*own, source).run(service));
        } catch (const config::ConfigError&) {
            // A value of that line is of no use, which another message says.
        }
    }
    return proofs;
}

std::vector<config::Problem> find_relay_problems(const std::vector<RelayProof>& proofs)
{
    std::vector<config::Problem> problems;
    for (const RelayProof& proof : proofs) {
        if (proof.verdict == RelayProof::Verdict::closed) continue;
        const bool is_open = proof.verdict == RelayProof::Verdict::open;
        problems.push_back(config::make_problem(
            config::Problem::Level::warning, proof.service_at,
            is_open ? fmt::format("service {} is an OPEN RELAY through {}", proof.service, proof.reason)
                    : fmt::format("whether service {} relays for strangers depends on {}", proof.service, proof.reason),
            proof.parameter, proof.advice));
        problems.back().harms_others = is_open;
    }
    return problems;
}

}  // namespace ekiden::check
