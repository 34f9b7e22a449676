// The envelope: who sent a message, to whom, with which wishes, and the facts about how it came in. It is what the
// accept record of the queue stores. Addresses are in internal form (unquoted local part, "user@domain"; "" is the
// null sender). Thread: values.
#pragma once

#include "base/clock.hpp"
#include "mail/queue_id.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace ekiden::mail {

// RFC 3461 NOTIFY; none set = the default (failure and delay).
enum DsnNotify : std::uint8_t {
    notify_default = 0,
    notify_never = 1,
    notify_success = 2,
    notify_failure = 4,
    notify_delay = 8
};
enum class DsnReturn : std::uint8_t { unspecified, full, headers };
enum class BodyType : std::uint8_t { unspecified, seven_bit, eight_bit };

// Why a message is in the queue. trace: it is delivered, and the sender has a report of the first attempt (sendmail -v).
// verify: it goes to each recipient as far as a delivery agent would commit itself and no further, and the sender has the
// report (sendmail -bv). probe: likewise, and the answer is for those who verify addresses; never a bounce, never a report.
enum class Purpose : std::uint8_t { deliver, trace, verify, probe };

struct Recipient {
    std::string address;         // where it goes, after rewriting and alias expansion
    std::string original;        // as it was given (logged as orig_to, X-Original-To) when it differs; else empty
    std::string dsn_original;    // ORCPT, "rfc822;user@domain", or empty
    std::uint8_t notify = notify_default;
};

// Facts about the client that brought the message; travel with it to log lines, Received, DSNs and milters.
struct Origin {
    std::string client_name;     // "client2.remote.test", "localhost", "unknown"; empty for pickup
    std::string reverse_name;
    std::string client_address;  // "127.0.0.2"
    std::string client_port;
    std::string server_address, server_port;   // where it came in; empty for pickup
    std::string helo_name;
    std::string protocol;        // "SMTP" or "ESMTP", as the client greeted; empty for pickup
    std::string sasl_method, sasl_username, sasl_sender;
    std::string log_ident;       // first queue id when a message is requeued or forwarded
    std::string rewrite_context =
        "remote";  // "local": complete addresses with $myorigin; "remote": see remote_header_rewrite_domain
};

struct Envelope {
    QueueId id;
    WallTime arrived_at{};       // kept across requeue and forwarding within the instance
    std::string sender;          // "" = null sender
    std::string full_name;       // of a local submitter, for the From header; empty otherwise
    std::vector<Recipient> recipients;
    Origin origin;
    std::uint64_t size = 0;      // bytes of content, as it is stored
    BodyType body = BodyType::unspecified;
    bool is_smtputf8 = false;
    DsnReturn dsn_return = DsnReturn::unspecified;
    std::string dsn_envid;       // ENVID, xtext decoded
    bool is_held = false;        // goes to the hold queue
    bool is_expired = false;     // postsuper -e: bounce at the next attempt
    bool was_warned = false;     // the sender has had the delay warning
    std::string filter;          // FILTER action: "transport:nexthop" for all recipients; empty = none
    std::string redirect;        // REDIRECT action
    Purpose purpose = Purpose::deliver;
    std::string
        verp_delimiters;  // two characters: every recipient has a sender address of its own (mail/verp.hpp); or empty

    bool only_asks() const { return purpose == Purpose::verify || purpose == Purpose::probe; }
};

}  // namespace ekiden::mail
