// pipe(8): mail into a command that master.cf names, run as the user that it names.
#include "base/text.hpp"
#include "deliver/agents.hpp"
#include "deliver/local/command.hpp"
#include "deliver/local/loops.hpp"
#include "deliver/local/users.hpp"
#include "deliver/mailbox_file.hpp"
#include "deliver/pipe_options.hpp"
#include "mail/address.hpp"

#include <algorithm>
#include <grp.h>

namespace ekiden::deliver {

namespace {

class PipeAgent : public Agent {
public:
    explicit PipeAgent(const AgentNeeds& needs)
        : logger_(needs.settings->str("syslog_name") + "/" + needs.service.command, needs.service.verbosity),
          helper_(needs.shared.helper), name_(needs.service.name),
          delimiter_(needs.settings->str("recipient_delimiter")),
          queue_directory_(needs.settings->str("queue_directory")), exported_(exported_environment(*needs.settings)),
          time_limit_(static_cast<std::uint32_t>(std::clamp<std::int64_t>(
              needs.settings->transport_time(needs.service.name, "time_limit").count(), 1, 1'000'000)))
    {
        try {
            options_ = PipeOptions::from(needs.service);
            find_owner(needs.settings->str("mail_owner"));
            if (std::string name = unknown_macro(options_); !name.empty())
                macro_trouble_ = fmt::format("file {}/master.cf: service {}: unknown macro name: \"{}\"",
                                             needs.settings->directory(), name_, name);
        } catch (const config::ConfigError& error) {
            // One service that cannot run is no reason to stop all others: its mail waits.
            trouble_ = error.what();
        }
    }
    Task<std::vector<Outcome>> deliver(Job job) override;
    Logger logger() const override { return logger_; }
    // Headers that name the recipient speak of one.
    int most_recipients() const override { return options_.has_delivered_to || options_.has_original_to ? 1 : 0; }

private:
    Task<Outcome> deliver_all(const Job& job);
    // An account that comes with a package installed later is no reason not to start: Debian's file has six such services.
    void find_owner(const std::string& mail_owner);

    Logger logger_;
    Helper* helper_;
    std::string name_;
    PipeOptions options_;
    std::string delimiter_, queue_directory_;
    Environment exported_;
    std::uint32_t time_limit_;
    std::optional<MailboxOwner> owner_;
    std::string trouble_, macro_trouble_;
};

void PipeAgent::find_owner(const std::string& mail_owner)
{
    auto user = find_user_now(options_.user);
    if (!user || !*user) {
        trouble_ = "unknown username: " + options_.user;
        return;
    }
    MailboxOwner owner{(*user)->uid, (*user)->gid};
    if (!options_.group.empty()) {
        const group* found = ::getgrnam(options_.group.c_str());
        if (!found) {
            trouble_ = "unknown group: " + options_.group;
            return;
        }
        owner.gid = found->gr_gid;
    }
    if (owner.uid == 0 || owner.gid == 0) trouble_ = "user= command-line attribute specifies root privileges";
    else if (options_.user == mail_owner)
        trouble_ = "user= command-line attribute specifies mail system owner " + mail_owner;
    else owner_ = owner;
}

Task<Outcome> PipeAgent::deliver_all(const Job& job)
{
    Outcome outcome;
    if (!helper_ || !owner_) {
        logger_.warning("{}: {}", name_, helper_ ? trouble_ : std::string("the delivery helper does not run"));
        outcome.status = {"4.3.5", "mail system configuration error"};
        co_return outcome;
    }
    if (!macro_trouble_.empty()) {
        logger_.warning("{}", macro_trouble_);
        outcome.status = {"4.3.5", "mail system configuration error"};
        co_return outcome;
    }
    if (options_.size_limit > 0 && job.content->size() > options_.size_limit) {
        outcome.kind = Outcome::Kind::bounced;
        outcome.status = {"5.2.3", "message too large"};
        co_return outcome;
    }
    if (options_.has_delivered_to) {
        const std::string& address = job.envelope->recipients[job.recipients.front()].address;
        auto looped = co_await has_delivered_to(job.content, address);
        if (!looped || *looped) {
            outcome.kind = looped ? Outcome::Kind::bounced : Outcome::Kind::deferred;
            if (looped) outcome.status = {"5.4.6", "mail forwarding loop for " + mail::quote_address(address)};
            else outcome.status = {"4.3.0", "cannot read the message: " + looped.error().text()};
            co_return outcome;
        }
    }
    HelperRequest request;
    request.uid = owner_->uid;
    request.gid = owner_->gid;
    request.arguments = pipe_arguments(options_, job, delimiter_);
    request.environment = exported_;
    request.prefix = pipe_prefix(options_, job);
    if (options_.ends_with_blank_line) request.suffix = options_.line_end;
    request.line_end = options_.line_end;
    request.quotes_dots = options_.quotes_dots;
    request.quotes_from = options_.quotes_from;
    request.time_limit = time_limit_;
    request.root = options_.root;
    request.directory = options_.directory.empty() && options_.root.empty() ? queue_directory_ : options_.directory;
    std::string command = options_.command.front(), success = "delivered via " + name_ + " service";
    co_return co_await run_command_for(*helper_, job, std::move(request), std::move(command), "pipe",
                                       std::move(success), logger_);
}

Task<std::vector<Outcome>> PipeAgent::deliver(Job job)
{
    Outcome outcome = co_await deliver_all(job);
    outcome.relay = name_;
    outcome.action = outcome.kind == Outcome::Kind::delivered ? (options_.is_final ? "delivered" : "relayed") : "";
    if (outcome.ended_at == WallTime{}) outcome.ended_at = base::wall_now();
    co_return same_for_all(job, std::move(outcome));
}

}  // namespace

AgentPtr make_pipe_agent(const AgentNeeds& needs) { return std::make_shared<PipeAgent>(needs); }

}  // namespace ekiden::deliver
