// smtp-sink's side of one conversation, without I/O: bytes in, replies and a verdict out.
//
// It checks only the order MAIL, RCPT, DATA, so that it stays faster than any client; commands can be made to fail,
// to hang up or to be slow. Thread: one.
#pragma once

#include "tools/smtp_sink_dump.hpp"
#include "tools/smtp_sink_ledger.hpp"
#include "tools/smtp_sink_login.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ekiden::tools {

enum class SinkVerb {
    connect,
    helo,
    ehlo,
    lhlo,
    xclient,
    xforward,
    auth,
    mail,
    rcpt,
    data,
    dot,
    rset,
    noop,
    vrfy,
    quit,
    starttls
};
inline constexpr std::size_t sink_verb_count = 16;

// What the options make of one command; the first that is set wins, in this order.
struct SinkTreatment {
    bool hangs_up = false;         // -q: no reply
    bool hangs_up_politely = false;  // -Q: 421
    bool fails_hard = false;       // -f
    bool fails_softly = false;     // -r
    bool is_logged = false;        // -s
    int delay_seconds = 0;         // -w, -W
    int delay_odds = 0;            // 0 to 99: chance in percent of yet another delay
};

struct SinkSettings {
    std::string host_name = "smtp-sink";
    std::string soft_reply = "450 4.3.0 Error: command failed";
    std::string hard_reply = "500 5.3.0 Error: command failed";
    bool is_lmtp = false;
    bool hides_esmtp = false;
    bool looks_like_pix = false;
    bool announces_8bitmime = true, announces_auth = true, announces_xclient = true, announces_xforward = true,
         announces_enhanced_codes = true, announces_dsn = true, announces_pipelining = true;
    bool offers_starttls = false;
    SinkUser user;                   // who must log in before MAIL
    std::optional<int> abort_delay;  // -A, seconds
    int data_read_delay = 0;         // -H, seconds
    std::array<SinkTreatment, sink_verb_count> treatments{};
    DumpSettings dump;
    LedgerFile* ledger = nullptr;    // where accepted messages are written down

    SinkTreatment& treatment(SinkVerb verb) { return treatments[static_cast<std::size_t>(verb)]; }
    const SinkTreatment& treatment(SinkVerb verb) const { return treatments[static_cast<std::size_t>(verb)]; }
};

// By name, case-insensitive: "CONNECT", "MAIL", "."; nothing for an unknown one.
std::optional<SinkVerb> find_sink_verb(std::string_view name);

class SinkSession {
public:
    enum class Next {
        read,        // send what is in `out`, read more
        pause,       // send, do not read for pause_seconds(), then resume()
        close,       // send, close
        start_tls,   // send, shake hands, then call tls_started(); bytes already given are forgotten
        fail,        // a dump file could not be written; trouble() says which
    };

    SinkSession(const SinkSettings& settings, std::string client_address)
        : settings_(settings), client_(std::move(client_address))
    {
    }

    Next start(std::string& out);  // the greeting
    // Takes all of `bytes`; what cannot be used yet is kept (bounded by one command line, or by what came in one read
    // while paused).
    Next receive(std::string_view bytes, std::string& out);
    Next resume(std::string& out);
    // Also before start(), where TLS begins with the connection.
    void tls_started();

    int pause_seconds() const { return pause_seconds_; }
    const std::string& trouble() const { return trouble_; }
    bool is_receiving_message() const { return mode_ == Mode::content; }

    // Messages whose final dot came, and QUITs, since the last call.
    int take_messages() { return std::exchange(messages_, 0); }
    int take_quits() { return std::exchange(quits_, 0); }
    // A line for the log (-s) or the terminal (-v); both see every command through this.
    struct Observer {
        virtual ~Observer() = default;
        virtual void on_command(std::string_view line, bool is_logged) = 0;
        virtual void on_trouble(std::string_view text) = 0;
    };
    void observe(Observer& observer) { observer_ = &observer; }

private:
    enum class Mode { commands, content };
    enum class After { nothing, command, read_content, abort };

    Next process(std::string_view bytes, std::string& out);
    std::optional<Next> process_content(std::string_view& bytes, std::string& out);
    Next on_line(std::string_view line, std::string& out);
    Next treat(SinkVerb verb, std::string_view argument, std::string& out);
    Next answer(SinkVerb verb, std::string_view argument, std::string& out);
    Next answer_auth(std::string_view argument, std::string& out);
    Next answer_mail(std::string_view argument, std::string& out);
    Next answer_rcpt(std::string_view argument, std::string& out);
    Next answer_data(std::string& out);
    Next answer_dot(std::string& out);
    Next end_content(std::string& out);
    void answer_ehlo(std::string& out) const;
    bool is_known(SinkVerb verb) const;
    bool keeps_envelope() const { return settings_.dump || settings_.ledger; }
    void write_ledger();
    void forget_transaction();
    Next pause(int seconds, After after);
    bool keep_content(std::string_view bytes);
    void reply(std::string_view text, std::string& out) const
    {
        out += text;
        out += "\r\n";
    }

    const SinkSettings& settings_;
    std::string client_;
    Observer* observer_ = nullptr;
    std::string left_;            // bytes that wait for more
    Mode mode_ = Mode::commands;
    bool is_content_start_ = false;
    bool has_mail_ = false;
    bool is_encrypted_ = false;
    SinkLogin login_;
    int recipients_ = 0;
    int messages_ = 0;
    int quits_ = 0;
    int pause_seconds_ = 0;
    After after_ = After::nothing;
    SinkVerb delayed_verb_ = SinkVerb::noop;
    std::string delayed_argument_;
    std::string trouble_;
    DumpEnvelope envelope_;       // filled only when messages are dumped or entered in the ledger
    std::unique_ptr<Dump> dump_;
    std::optional<LedgerScan> scan_;
};

}  // namespace ekiden::tools
