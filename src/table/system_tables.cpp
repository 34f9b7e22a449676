// environ, unix:passwd.byname / unix:group.byname, and nis.
//
// nis is here for the hosts that do not have it, which is nearly all: the default of alias_maps ends in nis:mail.aliases, and
// main.cf files without alias_maps are common. Where the host is in no NIS domain the table is empty, as in Postfix. Where it
// is in one, what the table says is not known, so that it cannot be opened: its users say "try later".
//
// local_recipient_maps asks unix:passwd.byname for every recipient. /etc/passwd and /etc/group are therefore read into
// memory when the table is opened (and again when they change), unless nsswitch.conf asks somebody else first; only a name
// that is not there goes to the system's name service, and only if nsswitch.conf names a source besides the files. That call
// may wait for a directory server.
#include "table/dictionary.hpp"
#include "table/openers.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace ekiden::table {

namespace {

class EnvironTable final : public Table {
public:
    explicit EnvironTable(const OpenRequest& request) : Table(request.spec) {}
    Answer lookup(std::string_view key) const override
    {
        const char* value = std::getenv(std::string(key).c_str());
        if (!value) return std::nullopt;
        return std::string(value);
    }
};

class EmptyTable final : public Table {
public:
    explicit EmptyTable(const OpenRequest& request) : Table(request.spec) {}
    Answer lookup(std::string_view) const override { return std::nullopt; }
};

constexpr std::size_t max_record_bytes = std::size_t{1} << 20;

struct Kind {
    std::string_view name;      // "passwd.byname"
    std::string_view database;  // nsswitch.conf's name for it
    std::string_view path;
    Answer (*ask)(const std::string& key);
};

// Calls a get…_r function with a buffer that grows to its bound.
template <class Record, class Call, class Format>
Answer ask_name_service(Call call, Format format)
{
    std::string buffer(4096, '\0');
    for (;;) {
        Record record{};
        Record* found = nullptr;
        const int error = call(&record, buffer.data(), buffer.size(), &found);
        if (error == ERANGE && buffer.size() < max_record_bytes) {
            buffer.resize(buffer.size() * 2);
            continue;
        }
        // Some name services say "no such name" with an errno; all others mean trouble.
        if (error == ENOENT || error == ESRCH || (error == 0 && !found)) return std::nullopt;
        if (error) return fail(Error::from_errno(error, "name service"));
        return format(record);
    }
}

Answer ask_passwd(const std::string& key)
{
    return ask_name_service<passwd>(
        [&](passwd* record, char* buffer, std::size_t size, passwd** found) {
            return getpwnam_r(key.c_str(), record, buffer, size, found);
        },
        [](const passwd& p) {
            return std::string(p.pw_name) + ":" + p.pw_passwd + ":" + std::to_string(p.pw_uid) + ":" +
                   std::to_string(p.pw_gid) + ":" + p.pw_gecos + ":" + p.pw_dir + ":" + p.pw_shell;
        });
}

Answer ask_group(const std::string& key)
{
    return ask_name_service<group>(
        [&](group* record, char* buffer, std::size_t size, group** found) {
            return getgrnam_r(key.c_str(), record, buffer, size, found);
        },
        [](const group& g) {
            std::string line = std::string(g.gr_name) + ":" + g.gr_passwd + ":" + std::to_string(g.gr_gid) + ":";
            for (char** member = g.gr_mem; member && *member; ++member)
                line.append(member == g.gr_mem ? "" : ",").append(*member);
            return line;
        });
}

constexpr std::array kinds{
    Kind{"passwd.byname", "passwd", "/etc/passwd", ask_passwd},
    Kind{"group.byname", "group", "/etc/group", ask_group},
};

struct Sources {
    bool begin_with_files = true;
    bool have_others = false;
    bool have_compat = false;      // "+name" and "-name" in the file are for the name service to follow
};

Sources sources_of(std::string_view database)
{
    const auto source = read_source("/etc/nsswitch.conf");
    Sources sources;
    if (!source) return sources;  // the C library then reads the files
    for (std::string_view line : base::split(source->text, '\n')) {
        line = base::trim(line.substr(0, line.find('#')));
        bool has_file = false;
        if (!line.starts_with(database) || !base::trim(line.substr(database.size())).starts_with(':')) continue;
        for (std::string_view word : base::split_any(line.substr(line.find(':') + 1), " \t")) {
            const bool is_file = word == "files" || word == "compat";
            if (word.empty() || word.starts_with('[') || word.ends_with(']')) continue;
            if (!is_file && !has_file) sources.begin_with_files = false;
            if (is_file) has_file = true;
            else sources.have_others = true;
            if (word == "compat") sources.have_compat = true;
        }
    }
    return sources;
}

class UnixTable final : public Table {
public:
    UnixTable(const OpenRequest& request, const Kind& kind, std::optional<FileStamp> stamp, Dictionary entries,
              bool asks)
        : Table(request.spec), kind_(kind), stamp_(stamp), entries_(std::move(entries)), asks_name_service_(asks)
    {
    }
    Answer lookup(std::string_view key) const override
    {
        const std::string name = base::lower(key);
        if (auto line = entries_.find(name)) return line;
        if (!asks_name_service_ || name.empty()) return std::nullopt;
        return kind_.ask(name);
    }
    bool may_block() const override { return asks_name_service_; }
    std::optional<Answer> lookup_at_once(std::string_view key) const override
    {
        auto line = entries_.find(base::lower(key));
        if (line || !asks_name_service_) return Answer(std::move(line));
        return std::nullopt;
    }
    bool is_stale() const override { return FileStamp::of(std::string(kind_.path)) != stamp_; }

private:
    const Kind& kind_;
    std::optional<FileStamp> stamp_;
    Dictionary entries_;
    bool asks_name_service_;
};

}  // namespace

Result<TablePtr> open_nis(const OpenRequest& request)
{
    char domain[65] = {};  // Linux keeps 64 bytes
    if (::getdomainname(domain, sizeof domain - 1) != 0) return fail(Error::from_errno(errno, "NIS domain name"));
    if (domain[0] && std::string_view(domain) != "(none)")
        return fail(ErrorCode::not_found,
                    "unsupported dictionary type: nis, and this host is in the NIS domain " + std::string(domain));
    return std::make_shared<EmptyTable>(request);
}

Result<TablePtr> open_environ(const OpenRequest& request) { return std::make_shared<EnvironTable>(request); }

Result<TablePtr> open_unix(const OpenRequest& request)
{
    const Kind* kind = nullptr;
    for (const Kind& known : kinds) {
        if (known.name == request.name) kind = &known;
    }
    if (!kind) return fail(ErrorCode::not_found, "unknown table: " + request.spec);
    Dictionary entries;
    std::optional<FileStamp> stamp;
    const Sources sources = sources_of(kind->database);
    auto source = read_source(std::string(kind->path));
    if (source) stamp = source->stamp;
    bool has_marks = false;
    if (source && sources.begin_with_files) {
        for (std::string_view line : base::split(source->text, '\n')) {
            line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t\r\f\v")));
            const std::size_t colon = line.find(':');
            if (line.starts_with('+') || line.starts_with('-')) has_marks = true;
            else if (colon != line.npos && colon != 0 && line.front() != '#')
                entries.add(std::string(line.substr(0, colon)), std::string(line));
        }
    }
    // Whom the marks add or leave out only the name service knows.
    const bool are_mixed = has_marks && sources.have_compat;
    if (are_mixed) entries = {};
    // Without the file everything is asked of the name service, as it would be without us.
    const bool asks = !source || sources.have_others || are_mixed;
    return std::make_shared<UnixTable>(request, *kind, stamp, std::move(entries), asks);
}

}  // namespace ekiden::table
