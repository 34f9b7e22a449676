#include "milter/chain.hpp"

#include <algorithm>

namespace ekiden::milter {
namespace {

std::string words(const std::string& first, const std::vector<std::string>& more)
{
    std::string payload = first + '\0';
    for (const std::string& word : more) (payload += word) += '\0';
    return payload;
}

// Of several answers: the first refusal or loss, else to hold if one of them says so.
bool is_final(const Answer& answer)
{
    return answer.kind == Answer::Kind::refuse || answer.kind == Answer::Kind::discard;
}

} // namespace

Chain::Chain(std::shared_ptr<const Servers> servers, SetupPtr setup, dns::Resolver& resolver, const Logger& log)
    : servers_(std::move(servers)), log_(log)
{
    for (const Server& server : *servers_)
        milters_.push_back(std::make_unique<Connection>(server, setup, resolver, log_));
}

Task<Answer> Chain::tell_all(Command command, std::string payload, const MacroValues& values)
{
    Answer held;
    for (const auto& milter : milters_) {
        Answer answer = co_await milter->tell(command, payload, values);
        if (is_final(answer)) co_return answer;
        if (!answer.proceeds()) held = std::move(answer);
    }
    co_return held;
}

Task<Answer> Chain::connect(Client client, const MacroValues& values)
{
    std::string payload = client.name + '\0';
    payload += client.family;
    if (client.family == '4' || client.family == '6') {
        payload += static_cast<char>(client.port >> 8);
        payload += static_cast<char>(client.port & 0xff);
    }
    (payload += client.address) += '\0';
    co_return co_await tell_all(Command::connect, std::move(payload), values);
}

Task<Answer> Chain::helo(std::string name, const MacroValues& values)
{
    name += '\0';
    co_return co_await tell_all(Command::helo, std::move(name), values);
}

Task<Answer> Chain::mail(std::string path, std::vector<std::string> parameters, const MacroValues& values)
{
    co_return co_await tell_all(Command::mail, words(path, parameters), values);
}

Task<Answer> Chain::rcpt(std::string path, std::vector<std::string> parameters, const MacroValues& values,
                         bool is_rejected)
{
    std::string payload = words(path, parameters);
    if (!is_rejected) co_return co_await tell_all(Command::rcpt, std::move(payload), values);
    for (const auto& milter : milters_) {
        if (milter->wants_rejected_recipients()) (void)co_await milter->tell(Command::rcpt, payload, values);
    }
    co_return Answer();
}

Task<Answer> Chain::data(const MacroValues& values)
{
    co_return co_await tell_all(Command::data, {}, values);
}

Task<Answer> Chain::unknown(std::string line, const MacroValues& values)
{
    line += '\0';
    co_return co_await tell_all(Command::unknown, std::move(line), values);
}

Task<Answer> Chain::inspect(Message& message, const MacroValues& values, const Logger& log)
{
    Answer held;
    for (const auto& milter : milters_) {
        Edits edits;
        Answer answer = co_await milter->inspect(message, values, edits, log);
        if (is_final(answer)) co_return answer;
        if (!answer.proceeds()) held = std::move(answer);
        if (edits.is_empty()) continue;
        answer = co_await message.apply(std::move(edits));
        if (is_final(answer)) co_return answer;
        if (!answer.proceeds()) held = std::move(answer);
    }
    co_return held;
}

Task<void> Chain::abort()
{
    for (const auto& milter : milters_) co_await milter->abort();
}

Task<void> Chain::quit()
{
    for (const auto& milter : milters_) co_await milter->quit();
}

void Chain::close()
{
    for (const auto& milter : milters_) milter->cut();
}

bool Chain::wants_rejected_recipients() const
{
    return std::ranges::any_of(milters_, [](const auto& milter) { return milter->wants_rejected_recipients(); });
}

const Answer* Chain::standing_refusal() const
{
    for (const auto& milter : milters_) {
        if (is_final(milter->standing())) return &milter->standing();
    }
    return nullptr;
}

} // namespace ekiden::milter
