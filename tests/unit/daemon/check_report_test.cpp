#include "daemon/check_report.hpp"

#include <gtest/gtest.h>

namespace ekiden::daemon {
namespace {

using config::Problem;

TEST(CheckReport, FindingsAreOneObjectEach)
{
    EXPECT_EQ(
        finding_as_json(config::make_problem(Problem::Level::warning, {"/etc/postfix/main.cf", 7},
                                             "unused parameter: \"x\"=1", "x", "is y meant?")),
        R"({"severity": "warning", "file": "/etc/postfix/main.cf", "line": 7, "parameter": "x", "text": "unused parameter: \"x\"=1", "advice": "is y meant?"})");
    EXPECT_EQ(
        finding_as_json({Problem::Level::fatal, {"/m/master.cf", 2}, "/m/master.cf: line 2: bad transport type: x"}),
        R"({"severity": "fatal", "file": "/m/master.cf", "line": 2, "parameter": null, "text": "bad transport type: x", "advice": null})");
    EXPECT_EQ(
        finding_as_json({Problem::Level::fatal, {}, "no place"}),
        R"({"severity": "fatal", "file": null, "line": null, "parameter": null, "text": "no place", "advice": null})");
}

TEST(CheckReport, ProofsHaveTheirSteps)
{
    check::RelayProof proof;
    proof.service = "smtp inet";
    proof.service_at = {"/m/master.cf", 12};
    proof.verdict = check::RelayProof::Verdict::open;
    proof.reason = "why";
    proof.steps = {"a: b", "c"};
    EXPECT_EQ(
        proof_as_json(proof),
        R"({"severity": "proof", "file": "/m/master.cf", "line": 12, "service": "smtp inet", "verdict": "open", "text": "why", "steps": ["a: b", "c"]})");
    EXPECT_EQ(proof_as_text(proof),
              "/m/master.cf: line 12: relaying for strangers through service smtp inet: open: why\n    a: b\n    c\n");
}

}  // namespace
}  // namespace ekiden::daemon
