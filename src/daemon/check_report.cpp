#include "daemon/check_report.hpp"

#include "base/json_text.hpp"

#include <fmt/format.h>

namespace ekiden::daemon {

namespace {

std::string text_or_null(std::string_view text) { return text.empty() ? "null" : base::json_text(text); }
std::string line_or_null(int line) { return line > 0 ? std::to_string(line) : "null"; }

}  // namespace

std::string finding_as_json(const config::Problem& problem)
{
    std::string_view text = problem.text;
    const std::string place = config::place_of(problem.at), advice = ": " + problem.advice;
    if (text.starts_with(place)) text.remove_prefix(place.size());
    if (!problem.advice.empty() && text.ends_with(advice)) text.remove_suffix(advice.size());
    return fmt::format(R"({{"severity": "{}", "file": {}, "line": {}, "parameter": {}, "text": {}, "advice": {}}})",
                       problem.level == config::Problem::Level::fatal ? "fatal" : "warning",
                       text_or_null(problem.at.file), line_or_null(problem.at.line), text_or_null(problem.parameter),
                       base::json_text(text), text_or_null(problem.advice));
}

std::string proof_as_json(const check::RelayProof& proof)
{
    std::string steps;
    for (const std::string& step : proof.steps) steps += (steps.empty() ? "" : ", ") + base::json_text(step);
    return fmt::format(
        R"({{"severity": "proof", "file": {}, "line": {}, "service": {}, "verdict": "{}", "text": {}, "steps": [{}]}})",
        text_or_null(proof.service_at.file), line_or_null(proof.service_at.line), base::json_text(proof.service),
        check::word_of(proof.verdict), base::json_text(proof.reason), steps);
}

std::string proof_as_text(const check::RelayProof& proof)
{
    std::string text =
        fmt::format("{}relaying for strangers through service {}: {}: {}\n", config::place_of(proof.service_at),
                    proof.service, check::word_of(proof.verdict), proof.reason);
    for (const std::string& step : proof.steps) text += fmt::format("    {}\n", step);
    return text;
}

}  // namespace ekiden::daemon
