// The mail system, set up for one question: the very rooms of the running server (session, access policy, intake,
// resolver, transports and their agents), but in front of a queue that keeps nothing, with a stand-in for the helper, and
// with agents that do not connect. DNS and tables are asked in earnest.
//
// One event loop on the caller's thread. Throws config::ConfigError for a configuration that the server would refuse.
#pragma once

#include "deliver/transports.hpp"
#include "dns/resolver.hpp"
#include "explain/capture_store.hpp"
#include "explain/findings.hpp"
#include "explain/question.hpp"
#include "explain/stand_in.hpp"
#include "receive/server.hpp"
#include "rewrite/intake.hpp"

#include <functional>
#include <memory>

namespace ekiden::explain {

class Rehearsal {
public:
    // `content`: of the message, LF line ends.
    Rehearsal(Question question, config::SettingsPtr settings, StandIn& stand_in, std::string content);
    ~Rehearsal();
    Rehearsal(const Rehearsal&) = delete;

    Findings play();
    Places& places() { return places_; }

private:
    struct Chosen {
        const config::ServiceSpec* service = nullptr;
        std::vector<std::string> notes;
    };
    static Chosen choose_service(const config::Settings& settings, const std::string& name);
    static config::SettingsPtr without_others(const config::SettingsPtr& settings, std::vector<std::string>& notes);

    Task<void> answer();
    // dialogue.cpp: plays a client up to the first refusal.
    Task<std::vector<Step>> converse(std::string recipient, bool sends_content);
    Task<void> find_relaying();
    // routing.cpp: where what was queued would go.
    Task<void> follow(queue::EnvelopePtr envelope, std::string forwarded_from);
    Task<void> deliver(Delivery& delivery, queue::EnvelopePtr envelope, std::uint32_t recipient);
    void read_hosts(Delivery& delivery);

    const Question question_;
    Recorder recorder_;
    std::vector<std::string> notes_;
    config::SettingsPtr settings_;
    const config::ServiceSpec* service_ = nullptr;
    config::SettingsPtr own_settings_;
    Places places_;
    const queue::ContentPtr content_;

    asio::io_context context_{1};
    net::BlockingPool pool_{4};
    std::unique_ptr<dns::Resolver> dns_;
    CaptureStore store_;
    std::shared_ptr<const rewrite::Resolver> resolver_;
    std::shared_ptr<const rewrite::Intake> intake_;
    receive::ServicePtr server_;
    std::shared_ptr<const deliver::Transports> transports_;
    receive::ClientTable clients_;
    receive::Counters counters_;
    Findings findings_;
};

}  // namespace ekiden::explain
