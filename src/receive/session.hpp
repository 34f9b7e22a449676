// One SMTP conversation: read a command, find its row, run it, reply. Lives on one core; everything it needs for longer
// than a command is here, everything about a message in Transaction.
//
// Replies are gathered and sent in one write when the client has nothing more in the buffer. A 250 for a message is said
// in finish_message() only, after Draft::submit() has returned from the disk. Handlers (verbs.cpp has the table) are in
// greeting, starttls, authenticate, transaction, content, xclient and small_verbs (.cpp); rates.cpp counts.
#pragma once

#include "check/facts.hpp"
#include "check/milters.hpp"
#include "net/line_reader.hpp"
#include "net/stream.hpp"
#include "receive/complaint.hpp"
#include "receive/limits.hpp"
#include "receive/options.hpp"
#include "receive/transaction.hpp"
#include "receive/verbs.hpp"
#include "smtp/reply.hpp"
#include "tls/engine.hpp"

#include <atomic>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::receive {

// Of one service, over all cores.
struct Counters {
    std::atomic<std::uint64_t> connections{0}, messages{0}, bytes{0}, refused{0}, refused_clients{0}, lost{0},
        timeouts{0};
    std::atomic<int> open{0};
};

class Session {
public:
    Session(net::StreamPtr stream, ServicePtr service, ClientTable& clients, Counters& counters, net::Endpoint peer,
            net::Endpoint local);
    ~Session();
    Session(const Session&) = delete;

    Task<void> run();
    // For who asks what would be said (ekiden explain): the client speaks through TLS, or has logged in, though it did
    // neither here. Before run().
    void presume(bool is_encrypted, std::string login);
    // Ends the conversation from outside (the service stops). On the session's core.
    void close()
    {
        stream_->close();
        if (milters_) milters_->close();
    }
    // The service stops: a session that is at no message ends now, the others when theirs is done.
    void finish_soon();

private:
    friend struct VerbTable;
    Task<bool> on_helo(smtp::Command command);
    Task<bool> on_ehlo(smtp::Command command);
    Task<bool> on_starttls(smtp::Command command);
    Task<bool> on_auth(smtp::Command command);
    Task<bool> on_mail(smtp::Command command);
    Task<bool> on_rcpt(smtp::Command command);
    Task<bool> on_data(smtp::Command command);
    Task<bool> on_bdat(smtp::Command command);
    Task<bool> on_rset(smtp::Command command);
    Task<bool> on_noop(smtp::Command command);
    Task<bool> on_vrfy(smtp::Command command);
    Task<bool> on_etrn(smtp::Command command);
    Task<bool> on_xclient(smtp::Command command);
    Task<bool> on_xforward(smtp::Command command);
    Task<bool> on_quit(smtp::Command command);
    Task<bool> on_unknown(smtp::Command command);

    // session.cpp: the conversation
    Task<void> converse();
    Task<bool> read_line(net::LineReader::Line& line);
    bool take_buffered_line(net::LineReader::Line& line);
    Task<void> obey(net::LineReader::Line line);
    bool is_bearable(const net::LineReader::Line& line);    // false: the session ends
    bool is_text(std::string_view line);                    // false: said so
    bool is_out_of_step(std::size_t row);                   // more has come where the client should wait for the answer
    std::optional<bool> refuse_early(std::size_t row, bool is_out_of_step);    // what the handler would return, if it is not asked
    Task<bool> filter_command(std::string_view line, std::string& replacement);    // command_filter.cpp
    Task<void> add_footers();
    Task<bool> flush();             // sends what was said; false: problem_ says why not
    bool flush_now();               // the same without waiting; false: flush() has to
    void arm();                     // the time limit of the next read or write
    void say(int code, std::string_view enhanced, std::string_view text);
    void say(smtp::Reply reply);    // soft_bounce, and 421 and 521 end the session
    bool refuse(int code, std::string_view enhanced, std::string_view text);   // say() for `co_return refuse(…)`
    bool refuse(check::Verdict verdict);            // likewise, for what an access rule decided
    void say_ready(const std::string& reply);       // a reply that is kept formatted
    void note_heard(std::string_view line);    // for the postmaster's letter and for smtpd -v; "..." for a secret
    void note_said(std::string_view replies);
    void note_trouble(TroubleClass trouble) { troubles_ |= trouble; }
    Task<void> complain();          // to the postmaster, if there was what he wants to hear of
    void log_end();    // once
    std::string place() const;      // "RCPT", "DATA (12 bytes)"

    // greeting.cpp
    Task<bool> greet();             // who is it, may it come in?
    Task<void> admit();             // the connection's access rules; says 220 or refuses
    void make_label();
    Task<bool> introduce(smtp::Command command, bool is_extended);

    // authenticate.cpp
    bool may_log_in() const;
    Task<bool> is_wanted_mechanism(std::string_view name) const;
    Task<sasl::Peer> login_peer() const;
    Task<std::string> name_mechanisms(const std::vector<sasl::Mechanism>& known, const sasl::Peer& peer) const;
    Task<std::optional<std::string>>
    offer_logins();  // what stands behind AUTH in the EHLO reply, perhaps ""; nothing: refused
    Task<bool> read_login_response(sasl::Secret& response);
    bool end_login(std::string_view mechanism, sasl::Answer answer);

    // rates.cpp: each counts one event of this client; true: one too many, which was logged and answered.
    Task<bool> admit_to_count();    // the connection itself; false: too many, and answered
    Task<bool> is_over_limit();
    bool refuse_excess_message();
    bool refuse_excess_recipient();
    bool refuse_excess_auth();      // each AUTH command that is in order, before anything of it is looked at
    bool refuse_excess_starttls();  // before STARTTLS is granted; looks only
    bool end_excess_tls_session();  // after each handshake that did not resume a session; the reply goes through TLS
    bool is_excess(ClientTable::Event event, int limit, std::string_view what);

    // starttls.cpp
    Task<bool> wrap();              // TLS from the first byte on; false: the session is over
    Task<bool> shake_hands(tls::ContextPtr context);
    bool is_tls_client_welcome();   // after a handshake: rate and certificate; says why not

    // milters.cpp
    Task<bool> meet_milters();
    Task<bool> tell_milters_of_helo(const std::string& former);
    bool are_milters_closed() const;    // one of them has refused the session for good
    bool refuse_for_milters();

    // xclient.cpp
    Task<bool>
    hear_proxy();  // before everything else, TLS too: whom the proxy connects; false: the connection is of no use
    Task<bool> is_one_of(const table::MatchList& hosts) const;

    // transaction.cpp
    void reset_transaction();
    bool accept_address(std::string_view verb, std::string_view text, std::string& address, bool is_parsed,
                        const smtp::Reply& otherwise);
    bool is_bad_domain(std::string_view address) const;
    void log_reject(std::string_view verb, const smtp::Reply& reply);
    void log_reject(std::string_view verb, std::string_view what);
    Task<void> open_draft();
    std::string_view queue_name() const
    {
        return facts_.queue_id.empty() ? std::string_view("NOQUEUE") : facts_.queue_id;
    }

    // content.cpp
    Task<bool> begin_content(std::optional<smtp::Reply>& refusal);
    Task<bool> receive_dotted();
    Task<bool> receive_chunk(std::uint64_t size, bool is_kept);
    Task<bool> fill_content();      // at least one byte in the reader's buffer
    Task<bool> finish_message(std::string_view size_text);
    bool refuse_bare_newline();
    // content that will be refused for a bare LF, or thrown away
    bool is_lost(bool saw_bare_newline) const
    {
        return transaction_.discards || (saw_bare_newline && bare_newline_ == smtp::BareNewline::reject);
    }

    net::StreamPtr stream_;
    tls::Connection* tls_ = nullptr;    // stream_, once it is one
    net::LineReader reader_;
    ServicePtr service_;
    const Options& options_;
    const Logger& log_;
    ClientTable& clients_;
    Counters& counters_;
    ClientTable::Key client_key_;
    bool is_counted_ = false;       // clients_ knows of this connection
    std::string limit_trouble_;     // why that list cannot be read
    bool has_limits_ = false;       // this client is not in smtpd_client_event_limit_exceptions

    int connection_count_ = 0;      // of this client, where it is counted
    check::Facts facts_;
    std::string label_;             // "name[address]", as every log line calls the client
    std::unique_ptr<check::Milters> milters_;    // null: there are none; outlives the draft, which is told what they say
    Transaction transaction_;
    smtp::Extensions offer_ = 0;
    smtp::BareNewline bare_newline_;
    std::optional<bool> is_local_client_;   // kept until the client becomes somebody else

    // What XFORWARD says about the next message; empty: unavailable.
    struct Forwarded {
        std::string name, address, ident, source;
    };
    std::optional<Forwarded> forwarded_;
    bool may_xclient_ = false, may_xforward_ = false, may_verp_ = false;

    Transcript transcript_;
    bool logs_dialogue_ = false;    // smtpd -v, or the client is in debug_peer_list
    std::uint8_t troubles_ = 0;     // TroubleClass bits met so far

    Tally tally_;
    std::string_view where_ = "CONNECT";
    std::int64_t errors_ = 0, junk_ = 0;
    std::string output_;
    struct AwaitingFooter {
        std::size_t start, length;      // in output_
        smtp::Reply reply;
    };
    std::vector<AwaitingFooter> awaiting_footer_;
    std::optional<Error> problem_;
    SteadyTime deadline_{};
    bool is_refused_ = false;       // turned away at the greeting; only QUIT is still served
    bool has_ended_ = false;
    bool is_end_logged_ = false;
    bool is_waiting_ = false;       // for a command
    bool has_heard_secret_ = false; // AUTH was said
    bool may_hear_secret_ = false;  // and what comes now may belong to it
    bool is_finishing_ = false;
};

}  // namespace ekiden::receive
