#include "deliver/local/delivery.hpp"

#include "base/text.hpp"
#include "deliver/local/loops.hpp"
#include "mail/address.hpp"

#include <algorithm>

namespace ekiden::deliver {

LocalDelivery::LocalDelivery(const LocalServices& services, Job job, std::uint32_t recipient)
    : services_(services), options_(*services.options), job_(std::move(job)), recipient_(recipient)
{
    const mail::Recipient& to = job_.envelope->recipients[recipient];
    original_ = to.original.empty() ? to.address : to.original;
}

Task<std::vector<Outcome>> LocalDelivery::run()
{
    under_way_.emplace(co_await net::this_executor());
    co_await under_way_->run(deliver());
    co_return std::move(outcomes_);
}

Task<void> LocalDelivery::deliver()
{
    Person person = make_person(job_.envelope->recipients[recipient_].address);
    person.sender = job_.envelope->sender;
    person.delivered_to = person.address;
    Person first = person;
    auto looped = co_await has_delivered_to(job_.content, person.address);
    if (!looped) add(person, Outcome::Kind::deferred, "4.3.0", "cannot read the message: " + looped.error().text());
    else if (*looped)
        add(person, Outcome::Kind::bounced, "5.4.6", "mail forwarding loop for " + mail::quote_address(person.address));
    else co_await deliver_to(std::move(person));
    co_await finish_members();
    if (!has_deferred()) co_await send_forwards();
    if (outcomes_.empty()) add(first, Outcome::Kind::delivered, "2.0.0", "expanded to no recipient");
    put_in_order();

    // Whatever must be tried again keeps the recipient in the queue; else what failed is what the sender must hear.
    auto kind = has_deferred() ? Outcome::Kind::deferred : Outcome::Kind::bounced;
    auto settles = std::ranges::find(outcomes_, kind, &Outcome::kind);
    if (settles == outcomes_.end()) settles = std::prev(outcomes_.end());
    for (Outcome& outcome : outcomes_)
        outcome.role = kind == Outcome::Kind::deferred ? Outcome::Role::logged : Outcome::Role::reported;
    settles->role = Outcome::Role::settles;
    bool is_asked_for = job_.envelope->recipients[recipient_].notify & mail::notify_success;
    if (expansion_ && is_asked_for && kind != Outcome::Kind::deferred) tell_expansion();
}

// RFC 3461, 5.2.7.3: the sender hears that the address was expanded, and no more of the members' success.
void LocalDelivery::tell_expansion()
{
    for (Outcome& outcome : outcomes_) outcome.is_reported_by_peer = true;
    Outcome told;
    told.kind = Outcome::Kind::delivered;
    told.role = Outcome::Role::told;
    told.recipient = recipient_;
    told.relay = "local";
    told.status = {"2.0.0", "alias expanded"};
    told.action = *expansion_;
    told.ended_at = base::wall_now();
    outcomes_.push_back(std::move(told));
}

LocalDelivery::Person LocalDelivery::make_person(std::string address) const
{
    Person person;
    auto parts = mail::split_address(address);
    std::string_view local = parts.local;
    if (local.starts_with('\\')) {
        person.is_literal = true;
        local.remove_prefix(1);
    }
    person.local = base::lower(local);
    person.domain = parts.domain;
    auto [name, extension] = mail::split_extension(person.local, options_.delimiter, options_.owner_request_special);
    person.name = name;
    if (!extension.empty()) {
        // The extension becomes part of file names.
        if (extension.contains('/')) {
            services_.logger.warning("{}: address with illegal extension: {}", format(job_.envelope->id),
                                     mail::quote_address(address));
        } else {
            person.delimiter = extension.substr(0, 1);
            person.extension = extension.substr(1);
        }
    }
    person.address = std::move(address);
    return person;
}

Environment LocalDelivery::names_of(const Person& person) const
{
    Environment names = {
        {"user", person.name}, {"local", person.local}, {"recipient", person.address}, {"domain", person.domain},
        {"extension", person.extension},
        {"recipient_delimiter", person.delimiter.empty() ? options_.delimiter.substr(0, 1) : person.delimiter},
    };
    if (person.user) {
        names.emplace_back("home", person.user->home);
        names.emplace_back("shell", person.user->shell);
    }
    return names;
}

// As documented under DELIVERY RIGHTS: the user's; else those of the owner of the list or alias table; never root's.
std::optional<MailboxOwner> LocalDelivery::rights_of(const Person& person) const
{
    if (person.user && person.user->uid != 0) return MailboxOwner{person.user->uid, person.user->gid};
    if (!person.user && person.rights && person.rights->uid != 0) return person.rights;
    if (options_.default_user) return MailboxOwner{options_.default_user->uid, options_.default_user->gid};
    return std::nullopt;
}

DeliveryFacts LocalDelivery::facts_of_person(const Person& person, bool has_delivered_to) const
{
    const std::string original = person.has_owner ? person.address : original_;
    return {person.sender, options_.mailbox.has_original_to ? original : std::string(), person.delivered_to,
            has_delivered_to};
}

// False for a destination that this delivery has had already.
bool LocalDelivery::is_new(std::string key)
{
    if (seen_.contains(key)) return false;
    if (options_.duplicate_limit == 0 || seen_.size() < options_.duplicate_limit) seen_.insert(std::move(key));
    return true;
}

void LocalDelivery::add(const Person& person, Outcome outcome, bool is_elsewhere)
{
    const mail::Recipient& to = job_.envelope->recipients[recipient_];
    outcome.recipient = recipient_;
    if (!is_elsewhere && (outcome.relay == "none" || outcome.relay.empty())) outcome.relay = "local";
    if (outcome.recipient_address.empty() && person.address != to.address) {
        outcome.recipient_address = person.address;
        outcome.original_address = original_;
    }
    if (outcome.ended_at == WallTime{}) outcome.ended_at = base::wall_now();
    outcomes_.push_back(std::move(outcome));
    places_.push_back(person.place ? person.place : ++last_place_);
}

void LocalDelivery::add(const Person& person, Outcome::Kind kind, std::string code, std::string text)
{
    Outcome outcome;
    outcome.kind = kind;
    outcome.status = {std::move(code), std::move(text)};
    add(person, std::move(outcome));
}

bool LocalDelivery::has_deferred() const
{
    return std::ranges::find(outcomes_, Outcome::Kind::deferred, &Outcome::kind) != outcomes_.end();
}

}  // namespace ekiden::deliver
