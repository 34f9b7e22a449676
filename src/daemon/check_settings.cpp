#include "daemon/check_settings.hpp"

#include "base/clock.hpp"
#include "check/relay_proof.hpp"
#include "check/settings_problems.hpp"
#include "check/table_actions.hpp"
#include "check/table_problems.hpp"
#include "check/table_transports.hpp"
#include "config/lint.hpp"
#include "config/lint_parts.hpp"
#include "daemon/log_setup.hpp"
#include "daemon/sasl_service.hpp"
#include "daemon/services.hpp"
#include "receive/authenticate.hpp"
#include "tls/file_problems.hpp"
#include "tls/problems.hpp"
#include "tls/server_hints.hpp"

#include <algorithm>
#include <set>

namespace ekiden::daemon {

using config::Problem;

std::vector<Problem> check_settings(const config::Settings& settings, Hints hints)
{
    std::vector<Problem> problems = settings.problems();
    std::vector<Problem> tls_hints;
    auto add = [&](const std::vector<Problem>& more) { problems.insert(problems.end(), more.begin(), more.end()); };
    if (hints != Hints::no) {
        add(config::lint(settings));
        add(check::find_list_hints(settings));
        add(check::find_table_problems(settings));
        add(check::find_table_transports(settings));
        if (hints == Hints::of_entries) add(check::find_table_actions(settings));
        add(tls::find_file_problems(settings, base::wall_now()));
        tls_hints = tls::find_server_hints(settings);
        add(tls_hints);
        add(find_sasl_problems(settings));
    }
    // An open relay is said in the log as well, at each start.
    auto proofs = check::prove_relay_control(settings);
    if (hints == Hints::no)
        std::erase_if(proofs,
                      [](const check::RelayProof& proof) { return proof.verdict != check::RelayProof::Verdict::open; });
    add(check::find_relay_problems(proofs));
    add(config::find_unsupported(settings));
    add(check::find_fatal_list_problems(settings));
    add(find_service_problems(settings));
    add(find_log_problems(settings));
    // A hint about logins or TLS may have said it of that line already, and in better words; it weighs as much as what is
    // found here.
    std::set<std::string> said;
    for (const auto part : {config::lint_logins, config::lint_tls})
        for (Problem& problem : part(settings)) said.insert(std::move(problem.text));
    for (Problem& problem : tls_hints) said.insert(std::move(problem.text));
    auto find_hint = [&](const Problem& problem) {
        return std::ranges::find_if(problems, [&](const Problem& other) {
            return (other.level == Problem::Level::fatal || said.contains(other.text)) && problem.at.line > 0 &&
                   other.at.file == problem.at.file && other.at.line == problem.at.line;
        });
    };
    for (const auto find : {receive::find_login_problems, tls::find_server_problems}) {
        for (Problem& problem : find(settings)) {
            if (const auto hint = find_hint(problem); hint == problems.end()) problems.push_back(std::move(problem));
            else if (problem.level == Problem::Level::fatal) hint->level = Problem::Level::fatal;
        }
    }
    std::stable_partition(problems.begin(), problems.end(),
                          [](const Problem& p) { return p.level == Problem::Level::fatal; });
    return problems;
}

}  // namespace ekiden::daemon
