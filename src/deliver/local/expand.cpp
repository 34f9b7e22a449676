// Aliases, .forward and :include: files: from one address to others.
#include "base/text.hpp"
#include "config/expand.hpp"
#include "deliver/local/delivery.hpp"
#include "deliver/local/loops.hpp"
#include "mail/address.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <system_error>

namespace ekiden::deliver {

namespace {

constexpr std::size_t nesting_limit = 100;         // as Postfix: deeper is a loop
constexpr std::size_t member_limit = 100'000;      // of all lists of one recipient
constexpr std::uint64_t list_size_limit = 8 << 20;

// Aliases that lead back to themselves are found at once; the name that is told is the one that Postfix reports, which
// walks round until it is `nesting_limit` deep.
std::string name_of_loop(const std::vector<std::string>& chain, std::size_t begin)
{
    return chain[begin + (nesting_limit + 1 - begin) % (chain.size() - begin)];
}

}  // namespace

Task<void> LocalDelivery::deliver_to(Person person)
{
    if (++members_ > member_limit) {
        add(person, Outcome::Kind::deferred, "4.3.5", "too many members in alias expansion");
        co_return;
    }
    if (!person.is_literal && co_await deliver_to_alias(person)) co_return;
    if (auto known = co_await look_up_user(person); !known) {
        add(person, Outcome::Kind::deferred, "4.3.0", known.error().text());
        co_return;
    }
    if (person.user && options_.requires_home) {
        // A folder is no regular file: the answer that shows it is there.
        auto home = co_await read_file(person.user->home, {person.user->uid, person.user->gid});
        bool is_there = home && *home && (*home)->os_error == EINVAL;
        if (!is_there) {
            int error = home && *home && (*home)->os_error ? (*home)->os_error : ENOTDIR;
            add(person, Outcome::Kind::deferred, "4.3.0",
                fmt::format("cannot access home directory {}: {}", person.user->home,
                            std::generic_category().message(error)));
            co_return;
        }
    }
    if (person.user && !person.is_literal) {
        if (co_await start_member(person)) co_return;
        if (co_await deliver_without_forward(person)) co_return;
        if (co_await deliver_to_forward(person)) co_return;
    }
    co_await deliver_to_mailbox(person);
}

Task<Result<std::string>> LocalDelivery::find_owner(const Person& person, std::string alias)
{
    if (!options_.owner_request_special) co_return std::string();
    if (alias.starts_with("owner-") || alias.ends_with("-request")) co_return std::string();
    std::string owner = "owner-" + alias;
    for (const AliasTable& table : options_.aliases) {
        auto found = co_await table.maps.find(owner, &services_.logger);
        if (!found) co_return fail(found.error());
        if (!*found) continue;
        const rewrite::Resolver& resolver = services_.intake->resolver();
        if (options_.expands_owner) {
            auto targets = parse_targets(**found);
            if (targets.size() == 1 && targets[0].kind == Target::Kind::address)
                co_return resolver.complete(targets[0].text, "local");
        }
        co_return resolver.complete(owner, "local");
    }
    co_return std::string();
}

// True when the address was an alias, whatever became of it.
Task<bool> LocalDelivery::deliver_to_alias(const Person& person)
{
    table::Maps::AddressOptions lookup;
    lookup.recipient_delimiter = options_.delimiter;
    lookup.with_domain_catch_all = false;
    for (const AliasTable& table : options_.aliases) {
        auto found = co_await table.maps.find_address(person.local, lookup, &services_.logger);
        if (!found) {
            add(person, Outcome::Kind::deferred, "4.3.0", "alias database unavailable");
            co_return true;
        }
        if (!*found) continue;
        bool has_extension_left = !(*found)->extension.empty();
        std::string alias = has_extension_left ? person.name : person.local;
        // An address in its own expansion is the user of that name.
        if (!person.chain.empty() && person.chain.back() == alias) co_return false;
        if (auto at = std::ranges::find(person.chain, alias); at != person.chain.end()) {
            std::string name = name_of_loop(person.chain, static_cast<std::size_t>(at - person.chain.begin()));
            Person met = person;
            met.address = services_.intake->resolver().complete(name, "local");
            services_.logger.warning("alias database loop for {}", name);
            add(met, Outcome::Kind::bounced, "5.4.6", "alias database loop for " + name);
            co_return true;
        }
        if (person.chain.size() > nesting_limit) {
            services_.logger.warning("alias database loop for {}", alias);
            add(person, Outcome::Kind::bounced, "5.4.6", "alias database loop for " + alias);
            co_return true;
        }
        Person from = person;
        auto owner = co_await find_owner(person, alias);
        if (!owner) {
            add(person, Outcome::Kind::deferred, "4.3.0", "alias database unavailable");
            co_return true;
        }
        if (!owner->empty()) {
            from.sender = std::move(*owner);
            from.has_owner = true;
        } else if (options_.resets_owner) {
            from.has_owner = false;
        }
        if (!options_.is_delivered_to_frozen) from.delivered_to = person.address;
        from.chain.push_back(alias);
        from.rights = table.owner;
        from.user.reset();
        // An extension that was part of the alias's name is spent; commands are told it all the same.
        from.is_extension_spent = !has_extension_left;
        auto targets = parse_targets((*found)->value);
        if (targets.empty()) {
            services_.logger.warning("no recipient in alias lookup result for {}", alias);
            add(person, Outcome::Kind::deferred, "4.3.0", "alias database unavailable");
            co_return true;
        }
        if (!expansion_) expansion_ = from.has_owner ? "delivered" : "expanded";
        co_await deliver_to_targets(std::move(targets), from, From::alias);
        co_return true;
    }
    co_return false;
}

// A list or .forward as it is read; nothing when there is none that this user can read.
Task<Result<std::optional<HelperAnswer>>> LocalDelivery::read_file(std::string path, MailboxOwner reader,
                                                                   bool refuses_link)
{
    std::optional<HelperAnswer> whole;
    while (true) {
        HelperRequest request;
        request.kind = HelperRequest::Kind::read_file;
        request.uid = reader.uid;
        request.gid = reader.gid;
        request.path = path;
        request.offset = whole ? whole->text.size() : 0;
        request.refuses_link = refuses_link;
        auto answer = co_await services_.helper->ask(std::move(request), Fd());
        if (!answer) co_return fail(answer.error());
        if (answer->kind != HelperAnswer::Kind::done) co_return std::optional<HelperAnswer>(std::move(*answer));
        if (answer->size > list_size_limit) co_return fail(ErrorCode::too_long, "file " + path + " is too large");
        if (!whole) {
            whole = std::move(*answer);
        } else {
            if (answer->changed_at != whole->changed_at || answer->size != whole->size || answer->text.empty())
                co_return fail(ErrorCode::unavailable, "file " + path + " changed while it was read");
            whole->text += answer->text;
        }
        if (whole->text.size() >= whole->size) co_return whole;
    }
}

// The usual case, a user without a .forward whose mail goes into his mailbox, in one errand of the helper: it looks for the
// files and delivers only when there is none. False: take the long way.
Task<bool> LocalDelivery::deliver_without_forward(const Person& person)
{
    auto paths = forward_files(person);
    if (paths.empty()) co_return false;
    FileTarget target = mailbox_of(*person.user);
    target.user_name = person.name;
    auto outcome = co_await deliver_to_file_unless(*services_.helper, job_, std::move(target),
                                                   facts_of_person(person, options_.marks_files), options_.mailbox,
                                                   std::move(paths));
    if (!outcome) co_return false;
    (void)is_new("mailbox:" + person.user->name);
    add(person, std::move(*outcome));
    co_return true;
}

// The files whose absence makes it the usual case; none when it cannot be.
std::vector<std::string> LocalDelivery::forward_files(const Person& person) const
{
    bool is_plain = options_.mailbox_transport_maps.is_empty() && options_.mailbox_transport.empty() &&
                    options_.mailbox_command_maps.is_empty() && options_.mailbox_command.empty();
    if (!is_plain || seen_.contains("mailbox:" + person.user->name) || seen_.contains("expanded:" + person.user->name))
        return {};
    std::vector<std::string> paths;
    Environment names = names_of(person);
    for (const std::string& entry : options_.forward_path) {
        try {
            std::string path = expand_names(entry, names, options_.forward_filter);
            if (path.starts_with('/') && std::ranges::find(paths, path) == paths.end())
                paths.push_back(std::move(path));
        } catch (const config::ExpandError&) {
            return {};
        }
    }
    if (paths.size() > max_items) return {};
    return paths;
}

// True when a .forward file took care of the mail.
Task<bool> LocalDelivery::deliver_to_forward(const Person& person)
{
    // A user who forwards to himself wants the mail in his mailbox.
    if (seen_.contains("expanded:" + person.user->name)) co_return false;
    Environment names = names_of(person);
    std::vector<std::string> tried;   // without an extension several entries mean the same file
    for (const std::string& entry : options_.forward_path) {
        std::string path;
        try {
            path = expand_names(entry, names, options_.forward_filter);
        } catch (const config::ExpandError& error) {
            services_.logger.warning("{}: forward_path: {}", format(job_.envelope->id), error.warning());
            add(person, Outcome::Kind::deferred, "4.3.5", "mail system configuration error");
            co_return true;
        }
        if (!path.starts_with('/') || std::ranges::find(tried, path) != tried.end()) continue;
        tried.push_back(path);
        auto file = co_await read_file(path, {person.user->uid, person.user->gid}, true);
        if (!file) {
            add(person, Outcome::Kind::deferred, "4.3.0", file.error().text());
            co_return true;
        }
        const HelperAnswer& answer = **file;
        if (answer.kind != HelperAnswer::Kind::done) {
            bool is_absent = answer.what == "open file" && means_no_file(answer.os_error);
            if (answer.what == "not a regular file") {
                services_.logger.warning("file {} is not a regular file", path);
                is_absent = true;
            }
            if (answer.os_error == EACCES)
                services_.logger.warning("cannot open file {}: {}", path, std::generic_category().message(EACCES));
            if (is_absent) continue;
            add(person, Outcome::Kind::deferred, "4.3.0", answer.text);
            co_return true;
        }
        if (answer.uid != 0 && answer.uid != person.user->uid) {
            services_.logger.warning("file {} has bad owner uid {}", path, answer.uid);
            continue;
        }
        if (answer.mode & 002) {
            services_.logger.warning("file {} is world writable", path);
            continue;
        }
        auto targets = parse_target_lines(answer.text, options_.line_limit);
        if (targets.empty()) co_return false;   // "do not forward"
        seen_.insert("expanded:" + person.user->name);
        if (!expansion_) expansion_ = person.has_owner ? "delivered" : "expanded";
        Person from = person;
        from.from = From::forward;
        if (!options_.is_delivered_to_frozen) from.delivered_to = person.address;
        co_await deliver_to_targets(std::move(targets), from, From::forward);
        co_return true;
    }
    co_return false;
}

Task<void> LocalDelivery::deliver_to_targets(std::vector<Target> targets, const Person& from, From kind)
{
    auto is_allowed = [kind](const Contexts& contexts) {
        return kind == From::alias ? contexts.alias : kind == From::forward ? contexts.forward : contexts.include;
    };
    for (Target& target : targets) {
        // "~/name" is a file in the home of whoever's .forward says so.
        if (target.kind == Target::Kind::address && target.text.starts_with('~')) {
            if (!from.user || !target.text.starts_with("~/")) {
                services_.logger.warning("bad home directory syntax for: {}", target.text);
                add(from, Outcome::Kind::bounced, "5.3.5", "mail system configuration error");
                continue;
            }
            target = {Target::Kind::file, from.user->home + target.text.substr(1)};
        }
        switch (target.kind) {
        case Target::Kind::address: co_await deliver_to_address(std::move(target.text), from, kind); break;
        case Target::Kind::include:
            if (kind == From::include && from.chain.size() > nesting_limit)
                add(from, Outcome::Kind::bounced, "5.4.6", "too many nested :include: files");
            else co_await deliver_to_include(std::move(target.text), from, kind);
            break;
        case Target::Kind::command:
            if (!is_allowed(options_.commands))
                add(from, Outcome::Kind::bounced, "5.7.1", "mail to command is restricted");
            else co_await deliver_to_command_of(from, std::move(target.text));
            break;
        case Target::Kind::file:
            if (!is_allowed(options_.files)) add(from, Outcome::Kind::bounced, "5.7.1", "mail to file is restricted");
            else co_await deliver_to_file_of(from, std::move(target.text));
            break;
        }
    }
}

Task<void> LocalDelivery::deliver_to_address(std::string text, const Person& from, From kind)
{
    if (++members_ > member_limit) {
        add(from, Outcome::Kind::deferred, "4.3.5", "too many members in alias expansion");
        co_return;
    }
    const rewrite::Resolver& resolver = services_.intake->resolver();
    bool is_literal = text.starts_with('\\');
    if (is_literal) text.erase(0, 1);
    bool propagates = !from.extension.empty() && !from.is_extension_spent &&
                      (kind == From::alias     ? options_.propagation.alias
                       : kind == From::forward ? options_.propagation.forward
                                               : options_.propagation.include);
    if (propagates && !is_literal) {
        std::size_t at = text.rfind('@');
        text.insert(at == text.npos ? text.size() : at,
                    (from.delimiter.empty() ? options_.delimiter.substr(0, 1) : from.delimiter) + from.extension);
    }
    std::string address = resolver.complete(text, "local");
    if (address.empty()) co_return;
    auto route = co_await resolver.resolve(from.sender, address);
    if (!route) {
        add(from, Outcome::Kind::deferred, "4.3.0", "address resolver failure: " + route.error().text());
        co_return;
    }
    Person person = make_person(address);
    // Somebody of ours who has had the message already would only send it round again.
    bool may_loop = route->transport == services_.transport && kind != From::alias;
    auto looped = may_loop ? co_await has_delivered_to(job_.content, person.address) : Result<bool>(false);
    if (!looped) {
        add(from, Outcome::Kind::deferred, "4.3.0", "cannot read the message: " + looped.error().text());
        co_return;
    }
    if (*looped) {
        add(person, Outcome::Kind::bounced, "5.4.6", "mail forwarding loop for " + mail::quote_address(person.address));
        co_return;
    }
    bool is_self = kind == From::forward && from.user && person.name == base::lower(from.user->name);
    // For the sake of reliability everything else gets a queue entry of its own, where each member is tried on its own.
    // Aliases are expanded here all the same: their members are what gets the entry.
    bool is_ours = route->transport == services_.transport;
    bool is_here = is_ours && (is_self || (is_literal && (kind == From::forward || !from.has_owner)) ||
                               (kind == From::alias && !from.has_owner));
    person.is_literal = is_literal || is_self;
    person.sender = from.sender;
    person.delivered_to = options_.is_delivered_to_frozen ? from.delivered_to : person.address;
    person.has_owner = from.has_owner;
    person.from = kind;
    person.rights = from.rights;
    person.chain = from.chain;
    // A list that names the alias which it belongs to: the mail goes round once, and is found out then.
    bool is_own_alias = kind == From::include && std::ranges::find(from.chain, person.name) != from.chain.end();
    if (is_ours && !is_here && !person.is_literal && !is_own_alias && co_await deliver_to_alias(person)) co_return;
    if (!is_here) {
        forward_to(std::move(address), from);
        co_return;
    }
    co_await deliver_to(std::move(person));
}

Task<void> LocalDelivery::deliver_to_include(std::string path, const Person& from, From kind)
{
    if (!path.starts_with('/')) {
        services_.logger.warning(":include:{} uses a relative path", path);
        add(from, Outcome::Kind::bounced, "5.3.5", "mail system configuration error");
        co_return;
    }
    auto reader = kind == From::forward && from.user && from.user->uid != 0
                      ? MailboxOwner{from.user->uid, from.user->gid}
                      : MailboxOwner{};
    bool is_users = reader.uid != 0;
    if (!is_users && from.rights && from.rights->uid != 0) reader = *from.rights;
    else if (!is_users && options_.default_user) reader = {options_.default_user->uid, options_.default_user->gid};
    Result<std::optional<HelperAnswer>> file = co_await read_file(path, reader);
    // A list of the administrator's that only root may read. The helper follows no link then and reads only what is root's.
    bool is_closed = file && *file && (*file)->kind != HelperAnswer::Kind::done &&
                     ((*file)->os_error == EACCES || (*file)->os_error == EPERM);
    if (is_closed && !is_users && !from.rights) {
        // Or somebody else's, who then is who may read it.
        auto look = [&path] {
            struct stat info{};
            return ::stat(path.c_str(), &info) == 0 ? MailboxOwner{info.st_uid, info.st_gid} : MailboxOwner{0, 0};
        };
        const MailboxOwner owner = co_await services_.pool.run(look);
        file = co_await read_file(path, owner.uid == 0 ? MailboxOwner{0, 0} : owner);
    }
    if (!file || !*file || (*file)->kind != HelperAnswer::Kind::done) {
        // The mail waits until somebody has mended the list: dropped members would never know.
        int error = file && *file ? (*file)->os_error : 0;
        bool is_gone = error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG;
        std::string why = !file ? file.error().text() : (*file)->text;
        if (is_gone)
            services_.logger.warning("unable to lookup :include: file {}: {}", path,
                                     std::generic_category().message(error));
        else if (error == EINVAL) services_.logger.warning(":include: file {} is not a regular file", path);
        else services_.logger.warning("cannot open include file {}: {}", path, why);
        add(from, Outcome::Kind::deferred, "4.2.4", "mail system configuration error");
        co_return;
    }
    HelperAnswer& answer = **file;
    if (answer.mode & 002) {
        services_.logger.warning(":include: file {} is world writable", path);
        add(from, Outcome::Kind::deferred, "4.2.4", "mail system configuration error");
        co_return;
    }
    Person list = from;
    list.from = From::include;
    list.chain.push_back(":include:" + path);
    // Whoever owns the list may name commands only with his own rights.
    if (!is_users && !list.user && answer.uid != 0 && !list.rights) list.rights = MailboxOwner{answer.uid, answer.gid};
    if (std::ranges::count(list.chain, list.chain.back()) > 1) {
        add(from, Outcome::Kind::bounced, "5.4.6", ":include: loop for " + path);
        co_return;
    }
    co_await deliver_to_targets(parse_target_lines(answer.text, options_.line_limit), list, From::include);
}

}  // namespace ekiden::deliver
