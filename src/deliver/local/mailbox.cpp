// Where mail for a person ends: another transport, a command, a mailbox; and what becomes of mail for nobody.
#include "base/text.hpp"
#include "config/expand.hpp"
#include "deliver/local/delivery.hpp"
#include "mail/address.hpp"

namespace ekiden::deliver {

Task<Result<std::optional<std::string>>> LocalDelivery::find_in(const table::Maps& maps, const Person& person)
{
    if (maps.is_empty()) co_return std::optional<std::string>();
    // As in Postfix, by the user's name: extensions do not choose the transport or command.
    co_return co_await maps.find(person.name, &services_.logger);
}

Task<Result<void>> LocalDelivery::look_up_user(Person& person)
{
    auto found = co_await find_user(services_.pool, options_.users, person.name);
    if (!found) co_return fail(found.error());
    person.user = std::move(*found);
    co_return Result<void>{};
}

Task<void> LocalDelivery::deliver_to_mailbox(const Person& person)
{
    auto transport = co_await find_in(options_.mailbox_transport_maps, person);
    if (!transport) {
        add(person, Outcome::Kind::deferred, "4.3.0", "mailbox_transport_maps lookup error");
        co_return;
    }
    if (*transport) co_return co_await pass_on(person, **transport);
    if (!options_.mailbox_transport.empty()) co_return co_await pass_on(person, options_.mailbox_transport);
    if (!person.user) co_return co_await deliver_to_unknown(person);
    if (!is_new("mailbox:" + person.user->name)) co_return;

    auto command = co_await find_in(options_.mailbox_command_maps, person);
    if (!command) {
        add(person, Outcome::Kind::deferred, "4.3.0", "mailbox_command_maps lookup error");
        co_return;
    }
    if (*command) co_return co_await deliver_to_command_of(person, **command);
    if (!options_.mailbox_command.empty()) co_return co_await deliver_to_command_of(person, options_.mailbox_command);

    FileTarget target = mailbox_of(*person.user);
    target.user_name = person.name;
    Outcome outcome = co_await deliver_to_file(*services_.helper, job_, std::move(target),
                                               facts_of_person(person, options_.marks_files), options_.mailbox);
    add(person, std::move(outcome));
}

FileTarget LocalDelivery::mailbox_of(const User& user) const
{
    FileTarget target;
    if (!options_.home_mailbox.empty()) {
        target.path = user.home + "/" + options_.home_mailbox;
    } else {
        std::string_view spool = options_.spool_directory;
        bool is_maildir = spool.ends_with('/');
        while (spool.size() > 1 && spool.ends_with('/')) spool.remove_suffix(1);
        target.path = fmt::format("{}/{}{}", spool, user.name, is_maildir ? "/" : "");
        target.is_in_spool = true;
    }
    target.owner = {user.uid, user.gid};
    return target;
}

// "/file" of an alias or .forward. Whose rights: see rights_of().
Task<void> LocalDelivery::deliver_to_file_of(const Person& person, std::string path)
{
    auto owner = rights_of(person);
    if (!owner) {
        add(person, Outcome::Kind::deferred, "4.3.5", "mail system configuration error");
        co_return;
    }
    if (!is_new(fmt::format("file:{}:{}", owner->uid, path))) co_return;
    FileTarget target;
    target.path = std::move(path);
    target.user_name = person.name;
    target.owner = *owner;
    target.is_mailbox = false;
    Outcome outcome = co_await deliver_to_file(*services_.helper, job_, std::move(target),
                                               facts_of_person(person, options_.marks_files), options_.mailbox);
    add(person, std::move(outcome));
}

Task<void> LocalDelivery::deliver_to_command_of(const Person& person, std::string command)
{
    auto owner = rights_of(person);
    if (!owner) {
        add(person, Outcome::Kind::deferred, "4.3.5", "mail system configuration error");
        co_return;
    }
    if (!is_new(fmt::format("command:{}:{}", owner->uid, command))) co_return;
    HelperRequest request;
    request.uid = owner->uid;
    request.gid = owner->gid;
    request.path = command;
    request.arguments = command_arguments(command, options_.command_shell);
    request.prefix = delivery_prefix(facts_of_person(person, options_.marks_commands), true);
    request.size_limit = options_.mailbox.size_limit;
    request.time_limit = options_.time_limit;
    request.directory = options_.queue_directory;
    if (!options_.command_directory.empty()) {
        try {
            std::string directory =
                expand_names(options_.command_directory, names_of(person), options_.directory_filter);
            if (!directory.empty()) request.directory = std::move(directory);
        } catch (const config::ExpandError& error) {
            services_.logger.warning("{}: command_execution_directory: {}", format(job_.envelope->id), error.warning());
            add(person, Outcome::Kind::deferred, "4.3.5", "mail system configuration error");
            co_return;
        }
    }
    Environment& environment = request.environment;
    environment = options_.exported;
    auto put = [&](const char* name, std::string_view value) {
        if (!value.empty()) environment.emplace_back(name, mask(value, options_.command_filter));
    };
    put("USER", person.name);
    put("LOGNAME", person.name);
    put("LOCAL", person.local);
    put("DOMAIN", person.domain);
    put("EXTENSION", person.extension);
    put("RECIPIENT", person.address);
    // With an owner the mail is the list's, and nobody but the list was written to.
    if (!person.has_owner) put("ORIGINAL_RECIPIENT", original_);
    environment.emplace_back("SENDER",
                             person.sender.empty() ? "MAILER-DAEMON" : mask(person.sender, options_.command_filter));
    if (person.user) {
        put("HOME", person.user->home);
        put("SHELL", person.user->shell);
    }
    add_client(environment, job_.envelope->origin, options_.command_filter);
    std::string success = "delivered to command: " + command;
    Outcome outcome = co_await run_command_for(*services_.helper, job_, std::move(request), std::move(command), "local",
                                               std::move(success), services_.logger);
    add(person, std::move(outcome));
}

// "transport:next hop" or "transport": another agent delivers this one recipient, and its log line is its own.
Task<void> LocalDelivery::pass_on(const Person& person, std::string transport)
{
    std::size_t colon = transport.find(':');
    std::string name = transport.substr(0, colon);
    std::string next_hop = colon == transport.npos ? "" : transport.substr(colon + 1);
    auto at = services_.others ? services_.others->find(name) : AgentsByName::const_iterator();
    AgentPtr agent = services_.others && at != services_.others->end() ? at->second.lock() : nullptr;
    if (!agent || name == services_.transport) {
        services_.logger.warning("{}: no delivery agent for transport {}", format(job_.envelope->id), transport);
        add(person, Outcome::Kind::deferred, "4.3.0", "mail transport unavailable");
        co_return;
    }
    if (!is_new("transport:" + transport + '\0' + person.address)) co_return;
    services_.logger.info("{}: passing <{}> to transport={}", format(job_.envelope->id),
                          mail::quote_address(person.address), name);
    auto envelope = std::make_shared<mail::Envelope>(*job_.envelope);
    mail::Recipient to = job_.envelope->recipients[recipient_];
    if (to.address != person.address) to.original = original_;
    to.address = person.address;
    envelope->recipients = {std::move(to)};
    envelope->sender = person.sender;
    Job job = job_;
    job.envelope = std::move(envelope);
    job.transport = name;
    if (!next_hop.empty()) job.next_hop = next_hop;
    job.recipients = {0};
    std::vector<Outcome> outcomes = co_await agent->deliver(std::move(job));
    for (Outcome& outcome : outcomes) {
        if (outcome.log_name.empty()) outcome.log_name = agent->logger().tag();
        add(person, std::move(outcome), true);
    }
}

Task<void> LocalDelivery::deliver_to_unknown(const Person& person)
{
    auto transport = co_await find_in(options_.fallback_transport_maps, person);
    if (!transport) {
        add(person, Outcome::Kind::deferred, "4.3.0", "fallback_transport_maps lookup error");
        co_return;
    }
    if (*transport) co_return co_await pass_on(person, **transport);
    if (!options_.fallback_transport.empty()) co_return co_await pass_on(person, options_.fallback_transport);
    if (!options_.luser_relay.empty() && !seen_.contains("luser_relay")) {
        seen_.insert("luser_relay");
        std::string relay;
        try {
            relay = expand_names(options_.luser_relay, names_of(person), "");
        } catch (const config::ExpandError& error) {
            services_.logger.warning("{}: luser_relay: {}", format(job_.envelope->id), error.warning());
            add(person, Outcome::Kind::deferred, "4.3.5", "mail system configuration error");
            co_return;
        }
        Person from = person;
        from.extension.clear();
        std::vector<Target> targets(1);
        targets[0].text =
            std::move(relay);  // an address, whatever it looks like: it is made from what a stranger wrote
        co_return co_await deliver_to_targets(std::move(targets), from, From::alias);
    }
    // Mail for these must never come back to us as an undeliverable notification.
    if (person.name == "mailer-daemon" || person.name == "postmaster") {
        services_.logger.warning("required alias not found: {}", person.name);
        add(person, Outcome::Kind::delivered, "2.0.0", "discarded");
        co_return;
    }
    if (person.name == "double-bounce") {
        add(person, Outcome::Kind::delivered, "2.0.0", "undeliverable postmaster notification discarded");
        co_return;
    }
    add(person, Outcome::Kind::bounced, "5.1.1", "unknown user: \"" + person.name + "\"");
}

}  // namespace ekiden::deliver
