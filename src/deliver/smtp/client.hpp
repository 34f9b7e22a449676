// One connection to a peer, and the coroutines that move bytes for Handshake and Dialogue. No rule of SMTP lives here:
// they say what is sent and what a reply means. One owner, the connection's core.
#pragma once

#include "deliver/smtp/dialogue.hpp"
#include "deliver/smtp/handshake.hpp"
#include "deliver/smtp/options.hpp"
#include "net/line_reader.hpp"
#include "net/stream.hpp"
#include "queue/content.hpp"
#include "smtp/reply.hpp"
#include "table/maps.hpp"
#include "tls/client.hpp"

#include <memory>

namespace ekiden::deliver::smtp {

class Session {
public:
    // `host` "mx.remote.test", `peer` "mx.remote.test[127.0.0.25]", `relay` the same with ":port".
    Session(net::StreamPtr stream, std::string host, std::string peer, std::string relay);

    // From greeting to ready; the reason when the peer will not talk. `workarounds` are used where they are needed.
    Task<std::optional<Fate>> greet(const Options& options, ekiden::smtp::Extensions ignored,
                                    Workarounds workarounds = {});
    // The same without the greeting, after TLS was started.
    Task<std::optional<Fate>> greet_again(const Options& options, ekiden::smtp::Extensions ignored);
    // TLS from here on. What was read ahead is thrown away: nobody vouches for it. False: no more can be said here.
    Task<Result<bool>> secure(tls::Client& client, tls::ClientPolicy policy);
    // One command line with its CRLF (it may hold a password), and the reply to it.
    Task<std::expected<ekiden::smtp::Reply, Trouble>> ask(std::string_view line, seconds time_limit);
    // Runs a transaction to its end; the content goes through `filter`, if there is one.
    Task<void> converse(Dialogue& dialogue, const queue::Content& content, const Options& options,
                        rewrite::OutgoingContent* filter = nullptr);
    // RSET after a transaction that was not ended; false when the connection is of no more use.
    Task<bool> reset(const Options& options);
    // QUIT, where it is in order, and close.
    Task<void> leave(const Options& options);
    // As leave(), without waiting for anything: for idle connections.
    void leave_now();

    const std::string& host() const { return host_; }
    const std::string& peer() const { return peer_; }
    const std::string& relay() const { return relay_; }
    const ekiden::smtp::Offer& offer() const { return offer_; }
    bool has_stream() const { return stream_ != nullptr; }
    bool may_quit() const { return may_quit_; }
    void set_broken() { may_quit_ = false; }

    std::string policy;                 // digest of the TLS policy it was made under; "-" = only for one message
    Protection protection = Protection::none;
    table::Maps reply_filter;           // smtp_reply_filter: other words for lines of replies
    std::string login;                  // fingerprint of who logged in here; "" = nobody
    unsigned uses = 0;                  // transactions
    const Logger* log = nullptr;        // for what the peer says that is no reply
    std::string message_id;             // of the message under way, for the log
    bool is_last_resort = false;        // no other host of its destination could be tried after it
    SteadyTime opened_at;
    SteadyTime idle_until{};

private:
    Task<std::optional<Fate>> run(Handshake& handshake, const Options& options);
    Task<std::expected<ekiden::smtp::Reply, Trouble>> read_reply();
    Task<std::string> filtered(std::string line);
    Task<std::optional<Trouble>> write(std::string_view bytes);
    Task<std::optional<Trouble>> send_content(Dialogue& dialogue, const queue::Content& content, const Options& options,
                                              rewrite::OutgoingContent* filter);
    // `block` has room for the command in front of the content. Without trouble, the dialogue may still want no more.
    Task<std::optional<Trouble>> send_chunk(Dialogue& dialogue, std::string& block, bool is_last);

    net::StreamPtr stream_;             // null after a handshake that failed
    tls::Connection* tls_ = nullptr;    // the stream, where it is one
    net::LineReader reader_;
    ekiden::smtp::ReplyParser parser_;
    std::string host_, peer_, relay_;
    ekiden::smtp::Offer offer_;
    bool may_quit_ = true;
    bool is_lmtp_ = false;
    bool delays_dot_ = false;           // for a firewall
};
using SessionPtr = std::unique_ptr<Session>;

}  // namespace ekiden::deliver::smtp
