// What a transport does: take a job, try every recipient, say what became of each. An agent neither logs the fate nor
// touches the queue: schedule/settle does both. Shared, immutable; deliver() runs on any core.
#pragma once

#include "base/clock.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "mail/envelope.hpp"
#include "mail/status.hpp"
#include "net/task.hpp"
#include "queue/content.hpp"
#include "queue/store.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ekiden::deliver {

struct Job {
    queue::EnvelopePtr envelope;
    queue::ContentPtr content;
    std::string transport;                  // master.cf service name: "smtp", "local"
    std::string next_hop;
    std::vector<std::uint32_t> recipients;  // indices into envelope->recipients; never empty
    WallTime active_at{};                   // when the message entered the active queue
    WallTime started_at{};                  // when the agent got it
};

struct Outcome {
    enum class Kind : std::uint8_t { delivered, deferred, bounced } kind = Kind::deferred;
    // A recipient that was expanded (local aliases) has several outcomes. Exactly one settles it; the others are logged
    // like it and change no mark. `reported`: belongs into a notification to the sender as well (it failed or succeeded
    // together with the one that settles); `logged`: will be tried again with it, so there is nothing to report yet;
    // `told`: only for a sender who asked to hear of success (an alias was expanded), no delivery of its own.
    enum class Role : std::uint8_t { settles, reported, logged, told } role = Role::settles;
    std::uint32_t recipient = 0;            // index into envelope->recipients
    mail::Status status;                    // dsn= and the text in parentheses after status=…
    std::string relay = "none";             // "mx.remote.test[127.0.0.25]:2525", "local", "virtual", "none"
    std::string recipient_address;          // final address if it differs from the envelope's (local alias expansion)
    std::string original_address;           // orig_to to log, when recipient_address is set
    // Structured facts for the DSN (RFC 3464); empty when unknown.
    std::string remote_mta;                 // "mx.remote.test" (dns)
    bool is_softened = false;               // would have been returned but for soft_bounce
    std::string diagnostic_type;            // "smtp", "x-unix"
    std::string diagnostic_text;            // "550 5.1.1 No such user here"
    std::string action;                     // "relayed", "delivered", "expanded"; empty: by kind
    // delays=a/b/c/d: when the connection work began, was done, and the delivery ended; {} = at once.
    WallTime connect_started_at{}, connected_at{}, ended_at{};
    bool is_destination_trouble = false;    // could not even talk to the far side: feedback for the destination
    int connection_uses = 0;                // above 1: the connection was used before, logged as conn_use=
    bool is_reported_by_peer = false;       // the far side took over reports of success (DSN): none from us
    std::string log_name;                   // process name in the log if it is not the transport's ("postfix/error")
};

class Agent {
public:
    virtual ~Agent() = default;
    // One outcome that settles per recipient of the job, in any order; never throws for what peers or disks do.
    virtual Task<std::vector<Outcome>> deliver(Job job) = 0;
    virtual Logger logger() const = 0;      // "postfix/smtp", "postfix/local", "postfix/relay/smtp"
    virtual int most_recipients() const { return 0; }   // in one job, whatever the settings say; 0 = as they say
    virtual void close_idle() {}            // drop cached connections (reload, stop)
};
using AgentPtr = std::shared_ptr<Agent>;

// An outcome for every recipient of `job` with the same fate.
std::vector<Outcome> same_for_all(const Job& job, Outcome outcome);

}  // namespace ekiden::deliver
