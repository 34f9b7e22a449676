// One milter in one SMTP session: connects, negotiates, tells it events and understands what it says.
//
// Untrusted and unreliable: every wait has the milter's own time limit, an event has `longest_event` in all however
// often the milter says that it is still busy, packets and changes are bounded. Whatever goes wrong is said once in the
// log, in Postfix's words, and ends the connection; from then on the milter's default action answers. One owner, the
// session's core.
#pragma once

#include "base/log.hpp"
#include "dns/resolver.hpp"
#include "milter/edits.hpp"
#include "milter/servers.hpp"
#include "net/stream.hpp"

#include <memory>

namespace ekiden::milter {

inline constexpr std::size_t longest_logged_reply = 2000; // a reply may be a megabyte

// What becomes of the command, or of the message.

struct Answer {
    enum class Kind : std::uint8_t { proceed, refuse, discard, hold } kind = Kind::proceed;
    std::string text;          // refuse: "550 5.7.1 Command rejected", lines with CRLF between them; hold: the reason
    bool ends_session = false; // refuse: with a 421

    Answer() = default;
    Answer(Kind k, std::string t, bool ends = false) : kind(k), text(std::move(t)), ends_session(ends) {}
    bool proceeds() const { return kind == Kind::proceed; }
};

struct Client {
    std::string name;  // "localhost", "unknown"
    char family = '4'; // '4', '6', 'L', 'U'
    std::uint16_t port = 0;
    std::string address;
};

// A message as milters see it. LF line ends; the chain asks for it anew for each milter.
class Message {
public:
    struct Field {
        std::string_view name, value; // the value with its leading blanks, without the final newline
    };
    virtual ~Message() = default;
    virtual std::size_t field_count() const = 0;
    virtual Field field(std::size_t index) const = 0;
    // The body from its beginning, a piece at a time; empty at the end.
    virtual Task<Result<void>> open_body() = 0;
    virtual Task<Result<std::string_view>> next_body() = 0;
    // Carries out what a milter asked for, before the next one is asked. May refuse or hold the message
    // (milter_header_checks).
    virtual Task<Answer> apply(Edits edits) = 0;
    virtual std::size_t body_limit() const = 0;
};

class Connection {
public:
    // `server` and `resolver` outlive it. `log` is that of the service.
    Connection(const Server& server, SetupPtr setup, dns::Resolver& resolver, const Logger& log);
    ~Connection();
    Connection(const Connection&) = delete;

    // The events of the envelope; `payload` is what stands behind the letter. Opens the connection at the first.
    Task<Answer> tell(Command command, std::string payload, const MacroValues& values);
    // The content; what goes wrong is told to `log`. The caller carries out `edits` when the answer is to proceed or to
    // hold.
    Task<Answer> inspect(Message& message, const MacroValues& values, Edits& edits, const Logger& log);
    // The message is no more, whatever it was; and the session.
    Task<void> abort();
    Task<void> quit();
    // Ends what is being waited for, because the session is ended from outside: that is no failure of the milter, and
    // the default action may not let pass what it has not seen.
    void cut()
    {
        is_cut_ = true;
        if (stream_) stream_->close();
    }
    // What is answered to a command that milters are not told of.
    const Answer& standing() const { return standing_; }

    bool wants_rejected_recipients() const { return is_open() && (steps_ & step::rejected_rcpt) != 0; }

private:
    struct Event;
    static const Event& event_of(Command command);
    enum class State : std::uint8_t {
        unused, // not connected yet
        ready,
        message_accepted, // nothing more about this message
        over,             // nothing more in this session: standing_ says what is answered
    };

    bool is_open() const { return stream_ != nullptr; }
    Task<Result<void>> open();
    Task<Result<net::StreamPtr>> connect_to_server();
    Task<Result<void>> negotiate();
    Result<void> read_symbols(std::string_view data);
    Task<Result<void>> write(std::string bytes, std::chrono::seconds limit);
    Task<Result<Packet>> read(SteadyTime end, std::chrono::seconds limit);
    Task<Answer> exchange(const Event& event, std::string payload, const MacroValues& values, Edits* edits);
    Task<Answer> hear(const Event& event, Edits* edits);
    Task<Answer> tell_content(Message& message, const MacroValues& values, Edits& edits);
    Task<Answer> tell_body(Message& message, const MacroValues& values);
    bool goes_on(Answer& answer);
    bool is_skipped(Command command) const { return skipped_.find(static_cast<char>(command)) != std::string::npos; }
    Answer fail_for_good(std::string_view what);
    Answer stand_by(Answer answer);
    Answer refuse(const Event& event, std::string_view text);
    Answer answer_by_default() const;
    void close();

    const Server& server_;
    const SetupPtr setup_;
    dns::Resolver& resolver_;
    const Logger* log_; // of the service; while content is told, of whoever tells it
    net::StreamPtr stream_;
    std::string received_;       // bytes read and not understood yet
    std::size_t understood_ = 0; // of these, gone
    MacroNames names_;
    std::uint32_t steps_ = 0;
    std::uint32_t version_ = 0;
    State state_ = State::unused;
    Answer standing_;
    std::size_t body_limit_ = 0;
    std::string skipped_; // commands of which it wants to hear no more in this message
    bool is_held_ = false;
    bool is_cut_ = false;
};

} // namespace ekiden::milter
