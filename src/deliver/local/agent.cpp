// local(8): mail for the users of this machine. One recipient a job.
#include "base/text.hpp"
#include "deliver/agents.hpp"
#include "deliver/local/users.hpp"
#include "deliver/mailbox_file.hpp"
#include "mail/address.hpp"

namespace ekiden::deliver {

namespace {

class LocalAgent : public Agent {
public:
    explicit LocalAgent(const AgentNeeds& needs)
        : logger_(needs.settings->str("syslog_name") + "/local", needs.service.verbosity), helper_(needs.shared.helper), pool_(needs.shared.pool),
          home_mailbox_(needs.settings->str("home_mailbox")), spool_(needs.settings->str("mail_spool_directory")), delimiter_(needs.settings->str("recipient_delimiter"))
    {
        file_.size_limit = static_cast<std::uint64_t>(needs.settings->integer("mailbox_size_limit"));
        file_.locks = parse_locks(*needs.settings, "mailbox_delivery_lock");
    }

    Task<std::vector<Outcome>> deliver(Job job) override
    {
        std::vector<Outcome> outcomes;
        for (std::uint32_t recipient : job.recipients) {
            Outcome outcome = co_await deliver_one(job, recipient);
            outcome.recipient = recipient;
            outcome.relay = "local";
            outcome.ended_at = base::wall_now();
            outcomes.push_back(std::move(outcome));
        }
        co_return outcomes;
    }
    Logger logger() const override { return logger_; }

private:
    Task<Outcome> deliver_one(const Job& job, std::uint32_t recipient)
    {
        const std::string& address = job.envelope->recipients[recipient].address;
        std::string name = base::lower(mail::split_extension(mail::split_address(address).local, delimiter_).first);
        Outcome outcome;
        auto user = co_await find_user(pool_, name);
        if (!user) {
            outcome.status = {"4.3.0", user.error().text()};
            co_return outcome;
        }
        if (!*user) {
            outcome.kind = Outcome::Kind::bounced;
            outcome.status = {"5.1.1", fmt::format("unknown user: \"{}\"", name)};
            co_return outcome;
        }
        if (!helper_) {
            outcome.status = {"4.3.5", "the delivery helper does not run"};
            co_return outcome;
        }
        std::string path;
        if (!home_mailbox_.empty()) path = (*user)->home + "/" + home_mailbox_;
        else path = spool_ + "/" + name + (spool_.ends_with('/') ? "/" : "");
        MailboxOwner owner{(*user)->uid, (*user)->gid, (*user)->name};
        co_return co_await deliver_to_file(*helper_, job, recipient, std::move(path), mail::quote_address(address), owner, file_);
    }

    Logger logger_;
    Helper* helper_;
    net::BlockingPool& pool_;
    std::string home_mailbox_, spool_, delimiter_;
    MailboxSettings file_;
};

}  // namespace

AgentPtr make_local_agent(const AgentNeeds& needs) { return std::make_shared<LocalAgent>(needs); }

}  // namespace ekiden::deliver
