#include "tools/postmap.hpp"

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/log_sinks.hpp"
#include "base/fold.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"
#include "sasl/base64.hpp"
#include "table/entry_grammar.hpp"
#include "table/index_writer.hpp"
#include "table/source_lines.hpp"
#include "table/table.hpp"
#include "tools/commands.hpp"
#include "tools/json_text.hpp"
#include "tools/postmap_options.hpp"
#include "tools/postmap_owner.hpp"

#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <db.h>
#include <ifaddrs.h>
#include <iostream>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

using table::IndexFormat;
using table::IndexWriter;

// `postalias -v | head` takes the reader of our warnings away: the table is made all the same, and no work file of it stays.
void finish_without_listeners() { ::signal(SIGPIPE, SIG_IGN); }

[[noreturn]] void fatal(std::string text) { throw PostmapFatal{std::move(text)}; }

struct MapName {
    std::string type, name;
    std::string spec() const { return type + ":" + name; }
};

// Lines of standard input. What was answered is shown before more is waited for, and not after each line.
class InputLines {
public:
    bool next(std::string& line)
    {
        for (;;) {
            if (const std::size_t end = buffer_.find('\n', at_); end != buffer_.npos) {
                line.assign(buffer_, at_, end - at_);
                at_ = end + 1;
                return true;
            }
            buffer_.erase(0, at_);
            at_ = 0;
            std::fflush(stdout);
            char chunk[65536];
            const ssize_t n = ::read(STDIN_FILENO, chunk, sizeof chunk);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) {
                line = std::exchange(buffer_, {});
                return !line.empty();
            }
            buffer_.append(chunk, static_cast<std::size_t>(n));
        }
    }

private:
    std::string buffer_;
    std::size_t at_ = 0;
};

class Postmap {
public:
    Postmap(PostmapJob job, std::string program) : job_(std::move(job)), log_(std::move(program)) {}

    int run();
    void say_verbose();

private:
    MapName split(const std::string& map) const;
    table::TablePtr open_for_query(const MapName& map) const;
    std::string folded(std::string_view key) const { return job_.folds ? base::fold_case(key) : std::string(key); }

    void build(const MapName& map);
    void add_alias_marks(const MapName& map, IndexWriter& writer, const IndexFormat& format);
    void add_entries(const MapName& map, IndexWriter& writer, const IndexFormat& format, std::string_view text,
                     const std::string& source);
    std::expected<std::string, std::string> value_of_files(std::string_view names) const;
    void put(const MapName& map, IndexWriter& writer, const IndexFormat& format, const std::string& key,
             const std::string& value, std::optional<bool> has_nul, const std::string& shown_key);
    bool query_one(const std::vector<std::pair<MapName, table::TablePtr>>& tables, const std::string& key,
                   bool with_key);
    bool query_stdin();
    bool erase(const MapName& map, const std::vector<std::string>& keys);
    void list(const MapName& map);
    std::vector<std::string> read_lines();
    // One record as -q and -s print it; with -F what the value stands for.
    void show(const MapName& map, std::string_view key, std::string_view value, bool with_key) const;
    void print(std::string_view text) const
    {
        if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) fatal("write error on standard output");
    }

    PostmapJob job_;
    Logger log_;
    config::SettingsPtr settings_;
};

MapName Postmap::split(const std::string& map) const
{
    const std::size_t colon = map.find(':');
    // "/etc/aliases" and "./a:b" are names; a type holds no slash.
    if (colon == map.npos || map.find('/') < colon) return {settings_->str("default_database_type"), map};
    if (colon == 0 || colon + 1 == map.size())
        fatal("open dictionary: expecting \"type:name\" form instead of \"" + map + "\"");
    MapName split{map.substr(0, colon), map.substr(colon + 1)};
    return split;
}

table::TablePtr Postmap::open_for_query(const MapName& map) const
{
    if (job_.verbosity > 0) {
        if (map.type == "hash" || map.type == "btree") {
            log_.write(base::LogLevel::info, fmt::format("Compiled against Berkeley DB: {}.{}.{}?", DB_VERSION_MAJOR,
                                                         DB_VERSION_MINOR, DB_VERSION_PATCH));
            int major = 0, minor = 0, patch = 0;
            db_version(&major, &minor, &patch);
            log_.write(base::LogLevel::info,
                       fmt::format("Run-time linked against Berkeley DB: {}.{}.{}?", major, minor, patch));
        }
        log_.info("dict_open: {}", map.spec());
    }
    table::OpenOptions options;
    options.fold_keys = job_.folds;
    options.log = log_;
    options.may_load = false;
    auto opened = table::open_table(map.spec(), options);
    if (!opened) fatal(opened.error().text());
    return *opened;
}

// The content of the named files, one after the other with a newline between, in base64.
std::expected<std::string, std::string> Postmap::value_of_files(std::string_view names) const
{
    std::string content;
    for (std::string_view name : base::split_any(names)) {
        const auto source = table::read_source(std::string(name));
        if (!source) return std::unexpected(source.error().text());
        if (!content.empty()) content += '\n';
        content += source->text;
    }
    return sasl::encode_base64(content);
}

void Postmap::put(const MapName& map, IndexWriter& writer, const IndexFormat& format, const std::string& key,
                  const std::string& value, std::optional<bool> has_nul, const std::string& shown_key)
{
    const bool with_nul = has_nul.value_or(format.has_nul);
    auto done = writer.file().put(with_nul ? key + '\0' : key, with_nul ? value + '\0' : value,
                                  job_.duplicates == Duplicates::replace);
    if (!done) fatal(done.error().text());
    if (*done || job_.duplicates != Duplicates::warn || shown_key.empty()) return;
    const std::string file = format.type == "lmdb"  ? map.spec()
                             : format.type == "cdb" ? map.name
                                                    : map.name + std::string(format.suffix);
    log_.warning("{}: duplicate entry: \"{}\"", file, shown_key);
}

void Postmap::add_entries(const MapName& map, IndexWriter& writer, const IndexFormat& format, std::string_view text,
                          const std::string& source)
{
    table::SourceLines lines(text, source, [this](const std::string& warning) { log_.warning("{}", warning); });
    for (table::SourceLines::Line line; lines.next(line);) {
        const std::string where = source + ", line " + std::to_string(line.number) + ": ";
        auto entry = job_.is_alias ? table::parse_alias_entry(line.text) : table::parse_map_entry(line.text);
        if (!entry) {
            log_.warning("{}{}", where, entry.error());
            continue;
        }
        if (!entry->remark.empty()) log_.warning("{}{}", where, entry->remark);
        if (job_.values_are_files) {
            auto content = value_of_files(entry->value);
            if (!content) {
                log_.warning("{}{}: skipping this entry", where, content.error());
                continue;
            }
            entry->value = std::move(*content);
        }
        const std::string key = folded(entry->key);
        put(map, writer, format, key, entry->value, job_.has_nul, key);
    }
    if (lines.error()) fatal(lines.error()->text());
}

// Sendmail's "the table is complete" mark, and what NIS expects: its own keys never carry a NUL.
void Postmap::add_alias_marks(const MapName& map, IndexWriter& writer, const IndexFormat& format)
{
    const Duplicates saved = std::exchange(job_.duplicates, Duplicates::replace);
    const bool replaces = format.can_update || saved == Duplicates::replace;
    if (!replaces) job_.duplicates = Duplicates::ignore;
    put(map, writer, format, "@", "@", job_.has_nul, {});
    put(map, writer, format, "YP_LAST_MODIFIED", std::to_string(base::to_seconds(base::wall_now())), false, {});
    put(map, writer, format, "YP_MASTER_NAME", settings_->str("myhostname"), false, {});
    job_.duplicates = saved;
}

void Postmap::build(const MapName& map)
{
    if (job_.verbosity > 0) log_.info("open {} {}", map.type, map.name);
    std::string text;
    finish_without_listeners();
    IndexWriter::Options options;
    options.is_update = job_.is_incremental;
    uid_t uid = ::geteuid();
    gid_t gid = ::getegid();
    if (job_.is_incremental) {
        text.assign(std::istreambuf_iterator<char>(std::cin), {});
    } else {
        Fd file(::open(map.name.c_str(), O_RDONLY | O_CLOEXEC));
        struct stat status{};
        if (!file || ::fstat(file.get(), &status) != 0) fatal(Error::from_errno("open", map.name).text());
        auto source = table::read_source(map.name);
        if (!source) fatal(source.error().text());
        text = std::move(source->text);
        uid = status.st_uid;
        gid = status.st_gid;
        if (job_.inherits_permissions && S_ISREG(status.st_mode)) options.permissions = status.st_mode & 0777;
    }
    const IndexFormat* format = table::find_index_format(map.type);
    if (!format) {
        if (table::is_known_type(map.type))
            fatal("unsupported dictionary type: " + map.type + " does not support bulk-mode creation.");
        fatal("unsupported dictionary type: " + map.type + ". Is the postfix-" + map.type + " package installed?");
    }
    if (job_.is_incremental && !format->can_update) {
        fatal(map.type + " tables can only be made anew; run without -i");
    }
    std::optional<ActingAsOwner> owner;
    if (!job_.keeps_root) owner.emplace(uid, gid);
    options.expected_bytes = text.size();
    auto writer = IndexWriter::open(*format, map.name, options);
    if (!writer) fatal(writer.error().text());
    add_entries(map, **writer, *format, text, job_.is_incremental ? "stdin" : map.name);
    if (job_.is_alias) add_alias_marks(map, **writer, *format);
    auto done = (*writer)->commit();
    if (!done) fatal(done.error().text());
}

void Postmap::show(const MapName& map, std::string_view key, std::string_view value, bool with_key) const
{
    std::optional<sasl::Secret> content;
    if (job_.values_are_files) {
        content = sasl::decode_base64(value);
        if (!content) fatal(fmt::format("table {}: key {}: malformed BASE64 value", map.spec(), key));
        value = content->view();
    }
    if (job_.is_json) print("{" + json_text(key) + ": " + json_text(value) + "}\n");
    else if (with_key) print(fmt::format("{}{}{}\n", key, job_.is_alias ? ":\t" : "\t", value));
    else print(fmt::format("{}\n", value));
}

bool Postmap::query_one(const std::vector<std::pair<MapName, table::TablePtr>>& tables, const std::string& key,
                        bool with_key)
{
    for (const auto& [map, opened] : tables) {
        auto answer = opened->lookup(key);
        if (!answer)
            fatal("table " + map.spec() +
                  ": query error: " + (answer.error().text().empty() ? "Application error" : answer.error().text()));
        if (!*answer) continue;
        if ((*answer)->empty()) {
            log_.warning("table {}: key {}: empty string result is not allowed", map.spec(), key);
            log_.warning("table {} should return NO RESULT in case of NOT FOUND", map.spec());
        }
        show(map, key, **answer, with_key);
        return true;
    }
    return false;
}

std::vector<std::string> Postmap::read_lines()
{
    std::vector<std::string> lines;
    InputLines input;
    for (std::string line; input.next(line);) lines.push_back(std::move(line));
    return lines;
}

bool Postmap::query_stdin()
{
    std::vector<std::pair<MapName, table::TablePtr>> tables;
    for (const auto& map : job_.maps) {
        MapName name = split(map);
        auto opened = open_for_query(name);
        tables.emplace_back(std::move(name), std::move(opened));
    }
    InputLines input;
    bool is_found = false;
    if (job_.message.with_headers || job_.message.with_body) {
        MessageCutter cutter(job_.message,
                             [&](const std::string& piece) { is_found |= query_one(tables, piece, true); });
        for (std::string line; input.next(line);) cutter.line(line);
        cutter.finish();
        return is_found;
    }
    for (std::string line; input.next(line);) is_found |= query_one(tables, line, true);
    return is_found;
}

bool Postmap::erase(const MapName& map, const std::vector<std::string>& keys)
{
    const IndexFormat* format = table::find_index_format(map.type);
    if (!format) {
        if (!table::is_known_type(map.type)) fatal("unsupported dictionary type: " + map.type);
        fatal(map.spec() + " map requires O_RDONLY access mode");
    }
    if (!format->can_update) fatal(map.type + " tables can only be made anew; -d is not possible");
    std::optional<ActingAsOwner> owner;
    if (struct stat status{};
        !job_.keeps_root && ::stat((map.name + std::string(format->suffix)).c_str(), &status) == 0) {
        owner.emplace(status.st_uid, status.st_gid);
    }
    finish_without_listeners();
    IndexWriter::Options options;
    options.is_update = true;
    options.may_create = false;
    auto writer = IndexWriter::open(*format, map.name, options);
    if (!writer) fatal(writer.error().text());
    bool is_found = false;
    for (const auto& key : keys) {
        const std::string wanted = folded(key);
        for (const auto& record : {wanted + '\0', wanted}) {
            auto done = (*writer)->file().erase(record);
            if (!done) fatal("table " + map.spec() + ": delete error: " + done.error().text());
            is_found |= *done;
        }
    }
    if (!is_found) return false;
    if (auto done = (*writer)->commit(); !done) fatal(done.error().text());
    return true;
}

void Postmap::list(const MapName& map)
{
    const auto print_record = [&](std::string_view key, std::string_view value) {
        if (key.ends_with('\0')) key.remove_suffix(1);
        if (value.ends_with('\0')) value.remove_suffix(1);
        show(map, key, value, true);
        return true;
    };
    if (const IndexFormat* format = table::find_index_format(map.type)) {
        const std::string path = map.name + std::string(format->suffix);
        Fd lock(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!lock) fatal(Error::from_errno("open database", path).text());
        if (auto locked = table::lock_index_file(lock.get(), *format, false, 60'000); !locked)
            fatal(locked.error().text());
        auto file = table::open_index_file(*format, path, table::IndexFile::Mode::read);
        if (!file) fatal(file.error().text());
        if (auto done = (*file)->for_each(print_record); !done)
            fatal("table " + map.spec() + ": sequence error: " + done.error().text());
        return;
    }
    const auto entries = open_for_query(map)->list();
    if (!entries) fatal("table " + map.spec() + ": sequence operation is not supported");
    for (const auto& [key, value] : *entries) print_record(key, value);
}

void Postmap::say_verbose()
{
    for (const auto& protocol : settings_->list("inet_protocols")) log_.info("name_mask: {}", protocol);
    int v4 = 0, v6 = 0;
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) == 0) {
        for (const ifaddrs* at = first; at; at = at->ifa_next) {
            if (!at->ifa_addr || !(at->ifa_flags & IFF_UP)) continue;
            v4 += at->ifa_addr->sa_family == AF_INET;
            v6 += at->ifa_addr->sa_family == AF_INET6;
        }
        ::freeifaddrs(first);
    }
    log_.info("inet_addr_local: configured {} IPv4 addresses", v4);
    log_.info("inet_addr_local: configured {} IPv6 addresses", v6);
}

int Postmap::run()
{
    config::LoadOptions load;
    load.directory = config::find_config_directory(job_.config_directory);
    load.read_master_cf = false;
    load.is_strict = false;
    settings_ = config::Settings::load(load);
    for (const auto& problem : settings_->problems())
        if (problem.text.contains("overriding earlier entry")) log_.warning("{}", problem.text);
    if (job_.verbosity > 0) say_verbose();

    if (job_.lists) {
        for (const auto& map : job_.maps) list(split(map));
        return 0;
    }
    if (job_.query_key) {
        if (*job_.query_key == "-") return query_stdin() ? 0 : 1;
        for (const auto& map : job_.maps) {
            MapName name = split(map);
            auto opened = open_for_query(name);
            if (query_one({{std::move(name), std::move(opened)}}, *job_.query_key, false)) return 0;
        }
        return 1;
    }
    if (job_.delete_key) {
        const std::vector<std::string> keys = *job_.delete_key == "-" ? read_lines() : std::vector{*job_.delete_key};
        bool is_found = false;
        for (const auto& map : job_.maps) is_found |= erase(split(map), keys);
        return is_found ? 0 : 1;
    }
    if (job_.maps.empty() && job_.is_alias) job_.maps = settings_->list("alias_database");
    for (const auto& map : job_.maps) build(split(map));
    return 0;
}

// Runs `body` and turns what it throws into the last line of a Postfix command.
template <class Body>
int run_command(const Logger& log, Body body)
{
    int status = 1;
    try {
        status = body();
    } catch (const PostmapFatal& end) {
        std::fflush(stdout);
        log.fatal("{}", end.text);
    } catch (const config::ConfigError& error) {
        log.fatal("{}", error.what());
    }
    if (std::fflush(stdout) != 0 && status == 0) status = 1;
    base::flush_log();
    return status;
}

}  // namespace

int postmap_main(int argc, char** argv)
{
    const std::string_view name = argc > 0 ? argv[0] : "";
    const std::string program = name.ends_with("postalias") ? "postalias" : "postmap";
    const Logger log{program};
    return run_command(log, [&] { return Postmap(parse_postmap_arguments(argc, argv, program, log), program).run(); });
}

int rebuild_aliases(const std::string& config_directory, const std::vector<std::string>& maps, int verbosity)
{
    PostmapJob job;
    job.is_alias = true;
    job.config_directory = config_directory;
    job.verbosity = verbosity;
    job.maps = maps;
    // Who typed newaliases wants to see it; the caller has opened the log of sendmail.
    base::use_sink(base::stderr_sink());
    const Logger log{"postalias"};
    return run_command(log, [&] { return Postmap(std::move(job), "postalias").run(); });
}

}  // namespace ekiden::tools
