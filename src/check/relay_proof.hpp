// Is any service of master.cf an open relay? Not by trying, but by carrying out the restriction lists that are written,
// for a client of which nothing good can be said: it comes from outside, has no login and no certificate, may call
// itself and its sender what it likes, and wants to send to a domain that is none of ours.
//
// What a list says to that client is one of: it is refused for certain; it passes; or it depends on something that nobody
// can know before (a policy server, a database). A service is closed if one of its lists refuses for certain. The
// settings' own safety (is_open_relay in policy.hpp) only looks for the words; this looks at what stands before them and
// into the tables, networks and trusted proxies. Reads files, so it may block; asks no network. Thread: any.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <vector>

namespace ekiden::check {

struct RelayProof {
    enum class Verdict { closed, depends, open } verdict = Verdict::closed;
    std::string service;               // "smtp inet"
    config::Location service_at;
    // What decides, as one sentence with its place: "smtpd_recipient_restrictions, main.cf, line 30: …".
    std::string reason;
    config::Location at;
    std::string parameter, advice;
    // Every restriction that was looked at, in order: "smtpd_relay_restrictions: permit_mynetworks: …".
    std::vector<std::string> steps;
};
std::string_view word_of(RelayProof::Verdict verdict);    // "closed", "depends", "open"

// One for each smtpd line of master.cf, with its own -o entries.
std::vector<RelayProof> prove_relay_control(const config::Settings& settings);

// One warning for each service that is not closed. What the start refuses anyway is left out.
std::vector<config::Problem> find_relay_problems(const std::vector<RelayProof>& proofs);

}  // namespace ekiden::check
