// The milters of one SMTP session, as the rest of the server sees them: events go in with what is known of session and
// transaction, verdicts come out, and the log has Postfix's lines of them ("milter-reject: MAIL from …"). A session
// whose client has no milters has no Milters. One owner, the session's core.
#pragma once

#include "check/policy.hpp"
#include "milter/chain.hpp"
#include "rewrite/resolve.hpp"
#include "smtp/paths.hpp"
#include "table/maps.hpp"

namespace ekiden::check {

// smtpd_milters and smtpd_milter_maps of one service. Made once per snapshot; immutable.
struct MilterService {
    // Null: no milter can ever be asked. Throws config::ConfigError.
    static std::shared_ptr<const MilterService> from(const config::Settings& settings, const config::ServiceSpec& spec,
                                                     const table::OpenOptions& table_options);
    milter::SetupPtr setup;
    std::shared_ptr<const milter::Servers> servers;
    table::Maps maps;
};

class Milters {
public:
    // Those of this client; null where it has none. `facts`, `service`, `dns` and `log` outlive them.
    static Task<std::unique_ptr<Milters>> find(const MilterService& service, const Facts& facts,
                                               std::shared_ptr<const rewrite::Resolver> resolver, dns::Resolver& dns,
                                               const Logger& log);
    Milters(std::shared_ptr<const milter::Servers> servers, const MilterService& service, const Facts& facts,
            std::shared_ptr<const rewrite::Resolver> resolver, dns::Resolver& dns, const Logger& log);

    Task<Verdict> connect(int connection_count);
    Task<Verdict> helo(std::string_view verb);
    Task<Verdict> mail(const smtp::Path& path);
    Task<Verdict> rcpt(const smtp::Path& path);
    // One that is refused anyway, for those who want to know.
    bool wants_rejected_recipients() const { return chain_.wants_rejected_recipients(); }
    Task<void> rejected_rcpt(const smtp::Path& path, const smtp::Reply& reply);
    Task<Verdict> data();
    Task<Verdict> unknown(std::string_view verb);

    // The greeting was said again, the transaction is over (where it was told of one): said by settle(), once the
    // command is answered.
    void note_greeting() { ++pending_aborts_; }
    void note_reset() { pending_aborts_ += std::exchange(is_in_transaction_, false) ? 1 : 0; }
    Task<void> settle();
    Task<void> end(bool has_greeted);
    void close() { chain_.close(); } // nothing is waited for any more

    // What is answered to a command that milters are not told of; nothing: go on.
    std::optional<smtp::Reply> standing_refusal() const;
    milter::Chain& chain() { return chain_; }
    const milter::MacroValues& content_values();

private:
    class Values final : public milter::MacroValues {
    public:
        Values(const milter::Setup& setup, const Facts& facts) : setup_(setup), facts_(facts) {}
        std::optional<std::string> value(std::string_view name) const override;

        int connection_count = 0;
        bool is_content = false; // what belongs to the envelope is known no more
        std::optional<std::string> mail_addr, mail_host, mail_mailer, rcpt_addr, rcpt_host, rcpt_mailer;

    private:
        const milter::Setup& setup_;
        const Facts& facts_;
    };

    Verdict conclude(std::string_view where, milter::Answer answer) const;
    Task<void> resolve(std::string address, std::optional<std::string>& host, std::optional<std::string>& mailer);

    const Facts& facts_;
    const std::shared_ptr<const rewrite::Resolver> resolver_;
    const Logger& log_;
    milter::Chain chain_;
    Values values_;
    int pending_aborts_ = 0;
    bool is_in_transaction_ = false;
};

// What keeps a service from starting: milters that are written as none can be, and what goes with them. Each thing
// once.
std::vector<config::Problem> find_milter_problems(const config::Settings& settings);

// "550 5.7.1 text", or lines with CRLF between them, as a reply.
smtp::Reply milter_reply(std::string_view text);

} // namespace ekiden::check
