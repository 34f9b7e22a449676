// One recipient of one message on its way through local(8): aliases, .forward, mailbox, in the documented order. It lives
// as long as the delivery; one core.
//
// An address that is expanded here leads to further recipients, each with an outcome of its own; run() says which of them
// settles the recipient. Mail that leaves this machine's own users (or a list with an owner) is gathered and goes back to
// the queue as a new message, last of all and only if nothing else has to be tried again.
//
// Members of a list whose mail goes into their mailboxes are delivered side by side, a few at a time; their outcomes are
// told in the order of the list all the same.
#pragma once

#include "deliver/agents.hpp"
#include "deliver/local/options.hpp"
#include "deliver/local/targets.hpp"
#include "net/under_way.hpp"
#include "rewrite/intake.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace ekiden::deliver {

// What all deliveries of a service share.
struct LocalServices {
    Logger logger;
    Helper* helper = nullptr;
    net::BlockingPool& pool;
    std::shared_ptr<const rewrite::Intake> intake;
    std::shared_ptr<const LocalOptions> options;
    std::shared_ptr<const AgentsByName> others;
    std::string transport;             // our service's name: what resolves to it is delivered here
};

class LocalDelivery {
public:
    LocalDelivery(const LocalServices& services, Job job, std::uint32_t recipient);
    // Ends when nothing is under way any more, also where it throws (memory).
    Task<std::vector<Outcome>> run();

private:
    enum class From { envelope, alias, forward, include };

    // An address being delivered, and on whose behalf.
    struct Person {
        std::string address;           // complete, internal form
        std::string name;              // lower case, without extension: what decides
        std::string local;             // lower case, with extension
        std::string extension;         // without the delimiter
        std::string delimiter;         // the one found
        std::string domain;
        std::string sender;            // the message's, or the owner of a list
        std::string delivered_to;
        bool has_owner = false;
        bool is_extension_spent = false;   // matched by an alias of its own: not passed on to addresses
        bool is_literal = false;       // "\name": no alias, no .forward
        From from = From::envelope;
        std::optional<MailboxOwner> rights;   // of the alias table or list it came from; none = default_privs
        std::optional<User> user;      // on whose behalf, where there is one
        std::vector<std::string> chain;   // names of the aliases that led here
        std::size_t place = 0;         // among the outcomes, for a member who is delivered to beside others; 0 = next
    };

    Task<void> deliver();

    // expand.cpp
    Task<void> deliver_to(Person person);
    Task<bool> deliver_to_alias(const Person& person);
    std::vector<std::string> forward_files(const Person& person) const;   // to look for; none: the long way
    Task<bool> deliver_without_forward(const Person& person);
    Task<bool> deliver_to_forward(const Person& person);
    Task<void> deliver_to_targets(std::vector<Target> targets, const Person& from, From kind);
    Task<void> deliver_to_address(std::string text, const Person& from, From kind);
    Task<void> deliver_to_include(std::string path, const Person& from, From kind);
    Task<Result<std::optional<HelperAnswer>>> read_file(std::string path, MailboxOwner reader, bool refuses_link = false);
    Task<Result<std::string>> find_owner(const Person& person, std::string alias);

    // members.cpp
    Task<bool> start_member(const Person& person);
    Task<void> deliver_to_member(Person person, std::vector<std::string> unless);
    Task<void> finish_members();

    // mailbox.cpp
    Task<void> deliver_to_mailbox(const Person& person);
    FileTarget mailbox_of(const User& user) const;
    Task<void> deliver_to_unknown(const Person& person);
    Task<void> deliver_to_file_of(const Person& person, std::string path);
    Task<void> deliver_to_command_of(const Person& person, std::string command);
    Task<void> pass_on(const Person& person, std::string transport);
    Task<Result<std::optional<std::string>>> find_in(const table::Maps& maps, const Person& person);
    Task<Result<void>> look_up_user(Person& person);   // sets person.user; trouble: try later

    // forwarding.cpp
    void forward_to(std::string address, const Person& from);
    Task<void> send_forwards();

    // delivery.cpp
    Person make_person(std::string address) const;
    Environment names_of(const Person& person) const;
    std::optional<MailboxOwner> rights_of(const Person& person) const;
    DeliveryFacts facts_of_person(const Person& person, bool has_delivered_to) const;
    bool is_new(std::string key);
    void add(const Person& person, Outcome outcome, bool is_elsewhere = false);   // elsewhere: by another transport
    void tell_expansion();
    void add(const Person& person, Outcome::Kind kind, std::string code, std::string text);
    bool has_deferred() const;
    void put_in_order();

    const LocalServices& services_;
    const LocalOptions& options_;
    Job job_;
    std::uint32_t recipient_;
    std::string original_;             // as it was given, for X-Original-To
    std::vector<Outcome> outcomes_;
    std::vector<std::size_t> places_;  // of each outcome
    std::size_t last_place_ = 0;
    std::set<std::string> seen_;
    std::size_t members_ = 0;          // addresses met; bounded
    std::optional<std::string>
        expansion_;  // the recipient became others: "expanded", or "delivered" to a list with an owner
    struct Forward {
        Person from;
        std::vector<std::string> recipients;
    };
    std::map<std::string, Forward> forwards_;   // by sender and Delivered-To
    std::set<std::string> delivering_;          // names of members on whose mail the helper is working
    std::vector<Person> with_forward_;          // members who turned out to have a .forward
    std::optional<net::UnderWay> under_way_;    // members; while run() runs
};

}  // namespace ekiden::deliver
