#include "tools/postmap_making.hpp"

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/fold.hpp"
#include "base/text.hpp"
#include "sasl/base64.hpp"
#include "table/entry_grammar.hpp"
#include "table/source_lines.hpp"
#include "table/table.hpp"
#include "tools/postmap_owner.hpp"

#include <csignal>
#include <fcntl.h>
#include <iostream>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace ekiden::tools {

using table::IndexFormat;
using table::IndexWriter;

namespace {

// `postalias -v | head` takes the reader of our warnings away: the table is made all the same, and no work file of it
// stays.
void finish_without_listeners()
{
    ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

TableMaker::TableMaker(const PostmapJob& job, const config::Settings& settings, const Logger& log)
    : job_(job), settings_(settings), log_(log), duplicates_(job.duplicates)
{
}

std::string TableMaker::folded(std::string_view key) const
{
    return job_.folds ? base::fold_case(key) : std::string(key);
}

// The content of the named files, one after the other with a newline between, in base64.
std::expected<std::string, std::string> TableMaker::value_of_files(std::string_view names) const
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

void TableMaker::put(const MapName& map, IndexWriter& writer, const IndexFormat& format, const std::string& key,
                     const std::string& value, std::optional<bool> has_nul, const std::string& shown_key)
{
    const bool with_nul = has_nul.value_or(format.has_nul);
    auto done = writer.file().put(with_nul ? key + '\0' : key, with_nul ? value + '\0' : value,
                                  duplicates_ == Duplicates::replace);
    if (!done) postmap_fatal(done.error().text());
    if (*done || duplicates_ != Duplicates::warn || shown_key.empty()) return;
    const std::string file = format.type == "lmdb"  ? map.spec()
                             : format.type == "cdb" ? map.name
                                                    : map.name + std::string(format.suffix);
    log_.warning("{}: duplicate entry: \"{}\"", file, shown_key);
}

void TableMaker::add_entries(const MapName& map, IndexWriter& writer, const IndexFormat& format, std::string_view text,
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
    if (lines.error()) postmap_fatal(lines.error()->text());
}

// Sendmail's "the table is complete" mark, and what NIS expects: its own keys never carry a NUL.
void TableMaker::add_alias_marks(const MapName& map, IndexWriter& writer, const IndexFormat& format)
{
    const Duplicates saved = std::exchange(duplicates_, Duplicates::replace);
    const bool replaces = format.can_update || saved == Duplicates::replace;
    if (!replaces) duplicates_ = Duplicates::ignore;
    put(map, writer, format, "@", "@", job_.has_nul, {});
    put(map, writer, format, "YP_LAST_MODIFIED", std::to_string(base::to_seconds(base::wall_now())), false, {});
    put(map, writer, format, "YP_MASTER_NAME", settings_.str("myhostname"), false, {});
    duplicates_ = saved;
}

void TableMaker::build(const MapName& map)
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
        if (!file || ::fstat(file.get(), &status) != 0) postmap_fatal(Error::from_errno("open", map.name).text());
        auto source = table::read_source(map.name);
        if (!source) postmap_fatal(source.error().text());
        text = std::move(source->text);
        uid = status.st_uid;
        gid = status.st_gid;
        if (job_.inherits_permissions && S_ISREG(status.st_mode)) options.permissions = status.st_mode & 0777;
    }
    const IndexFormat* format = table::find_index_format(map.type);
    if (!format) {
        if (table::is_known_type(map.type))
            postmap_fatal("unsupported dictionary type: " + map.type + " does not support bulk-mode creation.");
        postmap_fatal("unsupported dictionary type: " + map.type + ". Is the postfix-" + map.type +
                      " package installed?");
    }
    if (job_.is_incremental && !format->can_update) {
        postmap_fatal(map.type + " tables can only be made anew; run without -i");
    }
    std::optional<ActingAsOwner> owner;
    if (!job_.keeps_root) owner.emplace(uid, gid);
    options.expected_bytes = text.size();
    auto writer = IndexWriter::open(*format, map.name, options);
    if (!writer) postmap_fatal(writer.error().text());
    add_entries(map, **writer, *format, text, job_.is_incremental ? "stdin" : map.name);
    if (job_.is_alias) add_alias_marks(map, **writer, *format);
    auto done = (*writer)->commit();
    if (!done) postmap_fatal(done.error().text());
}

bool TableMaker::erase(const MapName& map, const std::vector<std::string>& keys)
{
    const IndexFormat* format = table::find_index_format(map.type);
    if (!format) {
        if (!table::is_known_type(map.type)) postmap_fatal("unsupported dictionary type: " + map.type);
        postmap_fatal(map.spec() + " map requires O_RDONLY access mode");
    }
    if (!format->can_update) postmap_fatal(map.type + " tables can only be made anew; -d is not possible");
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
    if (!writer) postmap_fatal(writer.error().text());
    bool is_found = false;
    for (const auto& key : keys) {
        const std::string wanted = folded(key);
        for (const auto& record : {wanted + '\0', wanted}) {
            auto done = (*writer)->file().erase(record);
            if (!done) postmap_fatal("table " + map.spec() + ": delete error: " + done.error().text());
            is_found |= *done;
        }
    }
    if (!is_found) return false;
    if (auto done = (*writer)->commit(); !done) postmap_fatal(done.error().text());
    return true;
}

}  // namespace ekiden::tools
