// What was found out about a question: the dialogue step by step, and where the mail would go. Rendered by text and json.
#pragma once

#include "explain/places.hpp"
#include "explain/recorder.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ekiden::explain {

// One command of the dialogue and what it was answered.
struct Step {
    std::string command;         // "connect", "EHLO x", "MAIL FROM:<…>", "end of message"
    int code = 0;
    std::string reply;           // the last line, with the code
    std::vector<Event> events;
};

enum class Fate { delivered, deferred, bounced, unknown };

// A server that would be spoken to.
struct Host {
    std::string relay, destination;      // "mx.example[192.0.2.1]:25"; of which destination it is one
    std::string tls, tls_names,
        tls_by;  // "may"; what the certificate must say; the table and key, or the parameter's place
    bool is_wrapped = false;
    std::string login, login_by;         // "" = none
};

// One address as it stands in the queue, and its way out.
struct Delivery {
    std::string address, original;
    std::string forwarded_from;          // of mail that local(8) sends on
    std::string address_class, transport, program, next_hop;
    Place transport_at;                  // of the master.cf line
    std::vector<Event> route, events;
    std::vector<Host> hosts;
    struct End {
        Fate fate = Fate::unknown;
        std::string address, code, text;
    };
    std::vector<End> ends;
};

struct Verdict {
    int status = 0;                      // exit status: 0, 1, 75
    std::string headline;                // "554 5.7.1 <x@y>: Relay access denied"
    std::string because;                 // "reject_unauth_destination in smtpd_relay_restrictions, main.cf line 12"
};

struct Findings {
    std::string service;                 // "smtp (master.cf line 12)"
    Place service_at;
    std::string client;                  // "client.example[192.0.2.1]"
    std::string helo, login;
    bool is_encrypted = false;
    std::vector<Step> steps;
    struct Relaying {
        bool is_known = false, is_allowed = false;
        std::string because;
    } relaying;
    std::string sender;                  // as it is queued
    bool is_queued = false, is_held = false;
    std::vector<Delivery> deliveries;
    std::size_t left_out = 0;            // recipients beyond those that are shown
    std::vector<std::string> notes;      // what this answer does not cover
    std::vector<std::string> warnings;   // what the log would say
    Verdict verdict;
};

// The restriction that refused, if one did: "reject_unauth_destination in smtpd_relay_restrictions, main.cf line 12".
std::optional<std::string> find_reason(const std::vector<Event>& events, Places& places,
                                       std::string_view answer = "reject");
// What the answer is as a whole.
Verdict judge(const Findings& findings, Places& places);

}  // namespace ekiden::explain
