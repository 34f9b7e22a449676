// virtual(8): mailboxes of users that are known to tables only. The Maildirs of a job's recipients are filled side by side:
// each waits for a disk, and what waits together goes to disk together. Mailbox files come one after the other, since each is
// locked, and two recipients may have the same.
#include "base/text.hpp"
#include "deliver/agents.hpp"
#include "deliver/mailbox_file.hpp"
#include "mail/address.hpp"
#include "net/side_by_side.hpp"
#include "table/maps.hpp"

#include <variant>

namespace ekiden::deliver {

namespace {

constexpr std::size_t at_a_time = 8;    // Maildirs of one job

class VirtualAgent : public Agent {
public:
    explicit VirtualAgent(const AgentNeeds& needs);
    Task<std::vector<Outcome>> deliver(Job job) override;
    Logger logger() const override { return logger_; }

private:
    // Where his mail goes, or what becomes of it without that.
    Task<std::variant<FileTarget, Outcome>> find_mailbox(const std::string& address);
    Task<void> deliver_to(const Job& job, std::uint32_t recipient, FileTarget target, Outcome& outcome);
    Task<Result<std::uint32_t>> find_number(const table::Maps& maps, const std::string& address, const char* parameter,
                                            std::int64_t minimum);

    Logger logger_;
    Helper* helper_;
    table::Maps mailbox_maps_, uid_maps_, gid_maps_;
    std::string base_;
    table::Maps::AddressOptions lookup_;
    std::int64_t minimum_uid_;
    MailboxSettings file_;
};

VirtualAgent::VirtualAgent(const AgentNeeds& needs)
    : logger_(needs.settings->str("syslog_name") + "/virtual", needs.service.verbosity), helper_(needs.shared.helper)
{
    const config::Settings& s = *needs.settings;
    table::OpenOptions safe;
    safe.forbids_substitution = true;    // a mailbox's name must not be the sender's choice, as documented
    mailbox_maps_ = table::Maps::open("virtual_mailbox_maps", s.str("virtual_mailbox_maps"), safe);
    table::OpenOptions strict;
    strict.forbids_substitution = true;  // who owns a mailbox must not be the sender's choice
    uid_maps_ = table::Maps::open("virtual_uid_maps", s.str("virtual_uid_maps"), strict);
    gid_maps_ = table::Maps::open("virtual_gid_maps", s.str("virtual_gid_maps"), strict);
    base_ = s.str("virtual_mailbox_base");
    lookup_.recipient_delimiter = s.str("recipient_delimiter");
    minimum_uid_ = s.integer("virtual_minimum_uid");
    file_ = MailboxSettings::from(s, "virtual_mailbox_limit", "virtual_mailbox_lock");
    file_.is_virtual = true;
    file_.logger = logger_;
}

Task<std::vector<Outcome>> VirtualAgent::deliver(Job job)
{
    std::vector<Outcome> outcomes(job.recipients.size());
    struct Found {
        std::size_t place;
        FileTarget target;
    };
    std::vector<Found> maildirs, files;
    for (std::size_t i = 0; i < job.recipients.size(); ++i) {
        auto found = co_await find_mailbox(job.envelope->recipients[job.recipients[i]].address);
        if (auto* outcome = std::get_if<Outcome>(&found)) {
            outcomes[i] = std::move(*outcome);
        } else {
            auto& target = std::get<FileTarget>(found);
            (target.path.ends_with('/') ? maildirs : files).push_back({i, std::move(target)});
        }
    }
    auto deliver = [&](Found& found) {
        return deliver_to(job, job.recipients[found.place], std::move(found.target), outcomes[found.place]);
    };
    auto fill = [&](std::size_t i) { return deliver(maildirs[i]); };
    co_await net::side_by_side(maildirs.size(), at_a_time, fill);
    for (Found& found : files) co_await deliver(found);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        outcomes[i].recipient = job.recipients[i];
        outcomes[i].relay = "virtual";
    }
    co_return outcomes;
}

Task<Result<std::uint32_t>> VirtualAgent::find_number(const table::Maps& maps, const std::string& address,
                                                      const char* parameter, std::int64_t minimum)
{
    auto found = co_await maps.find_address(address, lookup_, &logger_);
    if (!found || !*found) {
        logger_.warning("recipient {}: not found in virtual_{}_maps", address, parameter);
        co_return fail(ErrorCode::refused, "mail system configuration error");
    }
    auto number = base::parse_number<std::int64_t>((*found)->value);
    if (!number || *number < minimum || *number > 0xffffffffll) {
        logger_.warning("recipient {}: bad {} {} in virtual_{}_maps", address, parameter, (*found)->value,
                        parameter);
        co_return fail(ErrorCode::refused, "mail system configuration error");
    }
    co_return static_cast<std::uint32_t>(*number);
}

Task<std::variant<FileTarget, Outcome>> VirtualAgent::find_mailbox(const std::string& address)
{
    Outcome outcome;
    auto later = [&](std::string text) {
        outcome.status = {"4.3.5", std::move(text)};
        outcome.ended_at = base::wall_now();
    };

    auto mailbox = co_await mailbox_maps_.find_address(address, lookup_, &logger_);
    if (!mailbox) {
        later("mail system configuration error");
        co_return outcome;
    }
    if (!*mailbox) {
        outcome.kind = Outcome::Kind::bounced;
        outcome.status = {"5.1.1", fmt::format("unknown user: \"{}\"", base::lower(address))};
        outcome.ended_at = base::wall_now();
        co_return outcome;
    }
    std::string path = base_.empty() ? (*mailbox)->value : base_ + "/" + (*mailbox)->value;
    // Some tables (SQL) answer with what the sender wrote, which must not walk out of the base.
    if (path.contains("/../") || path.ends_with("/..") || path.contains('\0')) {
        logger_.warning("recipient {}: mailbox name {} leaves {}", address, (*mailbox)->value, base_);
        later("mail system configuration error");
        co_return outcome;
    }
    auto uid = co_await find_number(uid_maps_, address, "uid", minimum_uid_);
    if (!uid) {
        later("mail system configuration error");
        co_return outcome;
    }
    auto gid = co_await find_number(gid_maps_, address, "gid", 1);
    if (!gid) {
        later("mail system configuration error");
        co_return outcome;
    }
    if (!helper_) {
        later("the delivery helper does not run");
        co_return outcome;
    }
    FileTarget target;
    target.path = std::move(path);
    target.user_name = mail::split_address(address).local;
    target.owner = {*uid, *gid};
    co_return target;
}

Task<void> VirtualAgent::deliver_to(const Job& job, std::uint32_t recipient, FileTarget target, Outcome& outcome)
{
    DeliveryFacts facts = facts_of(job, recipient);
    if (!file_.has_original_to) facts.original.clear();
    outcome = co_await deliver_to_file(*helper_, job, std::move(target), std::move(facts), file_);
}

}  // namespace

AgentPtr make_virtual_agent(const AgentNeeds& needs) { return std::make_shared<VirtualAgent>(needs); }

}  // namespace ekiden::deliver
