// smtp-source's side of one conversation, without I/O: replies in, bytes to send and a verdict out (RFC 5321, 2033).
//
// A session takes messages from a shared Campaign until there are none left. It does not pipeline: each command waits
// for its reply, as the program of this name always did, so that figures stay comparable. Before the first message it may
// start TLS (RFC 3207) and log in (RFC 4954). Thread: one.
#pragma once

#include "tools/smtp_source_ledger.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

// What all sessions send, and how much of it is left.
struct Campaign {
    // how to talk
    bool is_lmtp = false;
    bool sends_helo = true;             // off: "old mode"
    bool keeps_connection = false;      // the next message over the same connection
    bool tolerates_rejection = false;   // warn and go on
    enum class Tls { none, starttls, wrapper } tls = Tls::none;
    enum class Login { none, plain, login } login = Login::none;
    std::string user, password;
    bool sends_mail = true;             // off: a session ends after HELO, TLS and the login; each counts as a message
    std::string host_name;              // HELO argument and right side of the default addresses
    std::string sender;                 // without <>
    std::string recipient;
    int recipients_per_message = 1;
    bool numbers_every_recipient = false;
    // what to send
    std::string headers_after_id;       // the Subject line, or nothing
    bool has_own_headers = false;       // the content is a prepared message, or the mode is old
    std::string content;                // dot-stuffed, with CR LF, without the final CR LF . CR LF
    // how far it has come
    int messages_left = 1;              // not yet begun
    std::uint64_t recipients_numbered = 0;
    // where every copy that is sent is written down; not owned, may be absent
    LedgerFile* ledger = nullptr;
    std::string ledger_run;
    std::uint64_t ledger_sequence = 0;

    bool take_message()
    {
        if (messages_left == 0) return false;
        --messages_left;
        return true;
    }
};

class SourceSession {
public:
    enum class Next {
        read,       // send `out`, then wait for a reply
        send_body,  // send `out`, the campaign's content and the final dot, then wait for a reply
        start_tls,  // shake hands, then call tls_started()
        pause,      // the message is finished and the connection stays; call begin_message() when it is time
        reconnect,  // close; the next message wants a new connection
    };

    struct Step {
        Next next = Next::read;
        std::string_view rejected{};  // not empty: what was rejected ("sender rejected"); the reply says why
        bool is_delivered = false;    // this reply accepted a message, or the login that the session was for
    };

    SourceSession(Campaign& campaign, int serial) : campaign_(campaign), serial_(serial) {}

    // A new connection, for a message already taken from the campaign; the greeting is awaited.
    void start();
    // One complete reply. Commands to send are appended to `out`.
    Step on_reply(int code, std::string& out);
    // The handshake is done: after Next::start_tls, or at the very beginning of a connection in wrapper mode.
    Step tls_started(std::string& out);
    // After Next::pause: MAIL for a message already taken, or QUIT when there is none.
    Step begin_message(std::string& out);
    Step finish(std::string& out);

    // What was going on, for "lost connection while …".
    std::string_view activity() const;

private:
    enum class State {
        greeting,
        helo,
        starttls,
        login,
        login_name,
        login_password,
        mail,
        rcpt,
        data,
        body,
        rset,
        quit
    };

    Step say_helo(std::string& out);
    Step after_helo(std::string& out);
    Step log_in(std::string& out);
    Step after_login(std::string& out);
    Step say_mail(std::string& out);
    Step say_recipient(std::string& out);
    Step end_message(std::string& out);
    Step abandon_message(std::string& out);
    void append_headers(std::string& out) const;
    void mark_message(std::string& out);
    void enter_answer(bool is_accepted);
    std::string_view rejection() const;

    Campaign& campaign_;
    int serial_;                 // tells the Message-Ids of sessions apart
    State state_ = State::greeting;
    bool is_encrypted_ = false;
    int recipients_left_ = 0;
    int recipients_accepted_ = 0;
    int final_replies_left_ = 0;
    int message_number_ = 0;
    // only for the ledger: the mark of the message, and who has been accepted, in order
    std::string ledger_id_, ledger_digest_;
    std::string recipient_;
    std::vector<std::string> accepted_recipients_;
};

// The whole value of -l: rows of 80 bytes, of which each but the last starts with its number and ends in CR LF.
std::string make_payload(int length);
std::string default_payload();
// Lines of a file as SMTP wants them: CR LF after each, a dot doubled at the start.
std::string make_content(std::string_view file);

// Collects reply lines until one is complete; bounded.
class ReplyReader {
public:
    struct Reply {
        int code = 0;  // 0: not three digits
        std::string text;
    };
    void add(std::string_view bytes) { buffer_ += bytes; }
    std::optional<Reply> next();
    bool is_too_long() const { return buffer_.size() - start_ + text_.size() > longest; }
    void clear();

private:
    static constexpr std::size_t longest = 64 * 1024;
    std::string buffer_;
    std::size_t start_ = 0;
    std::string text_;
};

}  // namespace ekiden::tools
