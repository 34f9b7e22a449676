// One job on its way: from host to host until every recipient's fate is sealed.
//
// A recipient is sealed by delivery, by a permanent refusal, or when no host is left; a temporary refusal and every kind
// of trouble let it try the next host. At most smtp_mx_address_limit addresses of a destination are tried and
// smtp_mx_session_limit sessions spoken. One core.
#pragma once

#include "base/watcher.hpp"
#include "deliver/smtp/client.hpp"
#include "deliver/smtp/hosts.hpp"
#include "deliver/smtp/reuse.hpp"

#include <map>
#include <vector>

namespace ekiden::deliver::smtp {

class Delivery {
public:
    // All references outlive run().
    Delivery(const Job& job, const Options& options, const Logger& logger, dns::Resolver& resolver,
             std::shared_ptr<Reuse> reuse);
    // With `leaves_own` mail that would come back to us is left to the caller: own_domain() and left() say what.
    Task<std::vector<Outcome>> run(bool leaves_own = false);
    const std::string& own_domain() const { return own_domain_; }
    const std::vector<std::uint32_t>& left() const { return left_; }

private:
    struct Where {                     // who is responsible for a fate
        std::string relay = "none";
        std::string remote_mta;
        int uses = 0;
        bool reports_success = false;  // offers DSN
    };
    // False: no later destination may be tried.
    Task<bool> try_destination(Destination destination, bool is_last, bool leaves_own);
    Task<void> try_candidate(const Destination& destination, Candidate candidate, bool is_last);
    // True when the session was used; false when it was stale and nothing happened.
    Task<bool> use_session(const Destination& destination, SessionPtr session, bool probes);
    // As whom a session with `host` logs in; the message of the trouble has been logged.
    Task<Result<std::optional<Login>>> find_login(std::string destination_key, std::string host) const;
    // What TLS a session with `host` must have; trouble has been logged.
    Task<Result<tls::ClientPolicy>> find_policy(const Destination& destination, std::string host) const;
    Task<Result<net::StreamPtr>> connect(const Candidate& candidate) const;
    struct Opened {
        std::optional<Fate> refusal;
        bool may_go_plain = false;     // TLS was tried, and nobody insists on it
    };
    // From connected to ready for MAIL: greeting, TLS, login.
    Task<Opened> open(Session& session, const Destination& destination, tls::ClientPolicy policy,
                      ekiden::smtp::Extensions ignored, Workarounds workarounds) const;
    Task<Workarounds> find_workarounds(const Candidate& candidate) const;   // if there is a firewall before it
    Task<std::optional<Fate>> start_tls(Session& session, const tls::ClientPolicy& policy) const;
    Task<bool> may_go_plain(const Session& session, const Destination& destination) const;
    // From "ready" to logged in, where that is wanted.
    Task<std::optional<Fate>> authenticate(Session& session, const Destination& destination) const;
    // What a session with this candidate would be: "host", "tls" and "login", for who wants to know and not to connect.
    Task<void> tell(base::Watcher& watcher, const Destination& destination, const Candidate& candidate,
                    const tls::ClientPolicy& policy) const;
    // Is an idle session what a new one would be?
    Task<bool> suits(const Session& session, const Destination& destination) const;
    // The name under which sessions for this message are kept: logins of other senders are not in sight.
    Task<Result<std::string>> reuse_key(const Destination& destination) const;

    void seal(std::size_t recipient, const Fate& fate, const Where& where);
    // Every recipient that is left meets this fate; said in the log when another host will be tried.
    void meet(const Fate& fate, const Where& where, bool is_last);
    void remember(const Fate& fate, const Where& where);
    void say_once(std::vector<std::string>& said, const Fate& fate) const;
    bool is_done() const { return left_.empty(); }
    Message message_for_rest() const;
    // smtp_generic_maps for sender and recipients.
    Task<Result<void>> map_addresses(Message& message) const;

    const Job& job_;
    const Options& options_;
    const Logger& logger_;
    dns::Resolver& resolver_;
    const std::shared_ptr<Reuse> reuse_;
    bool needs_smtputf8_ = false;
    const Reuse::Pass* pass_ = nullptr;
    std::string reuse_key_;                    // "" = nothing is kept
    std::string own_domain_;
    std::vector<std::uint32_t> left_;          // recipients without a sealed fate
    std::vector<Outcome> outcomes_;
    struct Met {
        Fate fate;
        Where where;
    };
    std::map<std::uint32_t, Met> met_;         // what a recipient in left_ met last
    std::vector<std::string> spoken_to_;       // relays that had their say
    WallTime connect_started_at_{}, connected_at_{};
    std::size_t sessions_ = 0;
};

}  // namespace ekiden::deliver::smtp
