// Logins for dialogues: alice's PLAIN response is AGFsaWNlAHB3, and LOGIN takes "alice" and "pw". ENDLESS asks on and on,
// and the mechanism LATER is in trouble.
#pragma once

#include "sasl/backend.hpp"

namespace ekiden::receive::test {

class ScriptedExchange final : public sasl::Exchange {
public:
    ScriptedExchange(std::string mechanism, sasl::Peer peer) : mechanism_(std::move(mechanism)), peer_(std::move(peer))
    {
    }
    Task<sasl::Answer> step(std::optional<sasl::Secret> response) override
    {
        using Kind = sasl::Answer::Kind;
        const std::string said = response ? std::string(response->view()) : "(none)";
        const int step = step_++;
        sasl::Answer answer{.kind = Kind::failure, .text = "authentication failure", .user = "bob@" + peer_.realm};
        const sasl::Answer success{.kind = Kind::success, .user = "alice@" + peer_.realm};
        auto ask = [](std::string text) { return sasl::Answer{.kind = Kind::challenge, .text = std::move(text)}; };
        if (mechanism_ == "PLAIN") {
            if (!response) co_return ask("");
            if (said == "AGFsaWNlAHB3") co_return success;
            answer.log.push_back("warning: SASL authentication failure: Password verification failed");
        } else if (mechanism_ == "LOGIN" || mechanism_ == "login") {
            if (step == 0) co_return ask("VXNlcm5hbWU6");
            if (step == 1 && said == "YWxpY2U=") co_return ask("UGFzc3dvcmQ6");
            if (step == 2 && said == "cHc=") co_return success;
        } else if (mechanism_ == "ENDLESS") {
            co_return ask("AAAA");
        } else if (mechanism_ == "LATER") {
            co_return sasl::Answer{.kind = Kind::try_later, .text = "generic failure"};
        } else {
            co_return sasl::Answer{.kind = Kind::failure, .text = "no mechanism available"};
        }
        co_return answer;
    }

private:
    std::string mechanism_;
    sasl::Peer peer_;
    int step_ = 0;
};

class ScriptedLogins final : public sasl::Backend {
public:
    Task<Result<sasl::MechanismList>> mechanisms() override
    {
        const std::vector<sasl::Mechanism> list{{"PLAIN", sasl::plaintext},     {"LOGIN", sasl::plaintext}, {"EXTERNAL", 0},
                                          {"ANONYMOUS", sasl::anonymous}, {"SECRET", 0, true},        {"ENDLESS", 0}};
        co_return std::make_shared<const std::vector<sasl::Mechanism>>(list);
    }
    std::unique_ptr<sasl::Exchange> begin(std::string mechanism, sasl::Peer peer) override
    {
        return std::make_unique<ScriptedExchange>(std::move(mechanism), std::move(peer));
    }
};

}  // namespace ekiden::receive::test
