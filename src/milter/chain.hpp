// The milters of one SMTP session in their order: each event goes to one after the other, and the first that does not
// let it pass decides. One owner, the session's core. In a session without milters there is no Chain.
#pragma once

#include "milter/connection.hpp"

namespace ekiden::milter {

class Chain {
public:
    // `servers`, `resolver` and `log` outlive it.
    Chain(std::shared_ptr<const Servers> servers, SetupPtr setup, dns::Resolver& resolver, const Logger& log);

    Task<Answer> connect(Client client, const MacroValues& values);
    Task<Answer> helo(std::string name, const MacroValues& values);
    // The path as it was said, brackets and all, and the ESMTP parameters.
    Task<Answer> mail(std::string path, std::vector<std::string> parameters, const MacroValues& values);
    // `is_rejected`: only for those who want to know of recipients that are refused anyway; the answer counts for
    // nothing.
    Task<Answer> rcpt(std::string path, std::vector<std::string> parameters, const MacroValues& values,
                      bool is_rejected);
    Task<Answer> data(const MacroValues& values);
    Task<Answer> unknown(std::string line, const MacroValues& values);
    // The content to one after the other, each with what those before it have changed.
    Task<Answer> inspect(Message& message, const MacroValues& values, const Logger& log);
    Task<void> abort();
    Task<void> quit();
    void close(); // whoever waits for a milter gets an error at once

    bool wants_rejected_recipients() const;
    // What is answered to a command that milters are not told of: the refusal that stands, or nothing.
    const Answer* standing_refusal() const;

private:
    Task<Answer> tell_all(Command command, std::string payload, const MacroValues& values);

    std::shared_ptr<const Servers> servers_;
    const Logger& log_;
    std::vector<std::unique_ptr<Connection>> milters_;
};

} // namespace ekiden::milter
