#include "tools/postmap_reading.hpp"

#include "base/fd.hpp"
#include "base/json_text.hpp"
#include "sasl/base64.hpp"
#include "table/index_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <db.h>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

namespace ekiden::tools {

using table::IndexFormat;

namespace {

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

void print(std::string_view text)
{
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
        postmap_fatal("write error on standard output");
}

}  // namespace

table::TablePtr TableReader::open_table(const MapName& map) const
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
    if (!opened) postmap_fatal(opened.error().text());
    return *opened;
}

void TableReader::show(const MapName& map, std::string_view key, std::string_view value, bool with_key) const
{
    std::optional<sasl::Secret> content;
    if (job_.values_are_files) {
        content = sasl::decode_base64(value);
        if (!content) postmap_fatal(fmt::format("table {}: key {}: malformed BASE64 value", map.spec(), key));
        value = content->view();
    }
    if (job_.is_json)
        print("{" + base::json_text(key) + ": " + base::json_text(value) + "}\n");
    else if (with_key)
        print(fmt::format("{}{}{}\n", key, job_.is_alias ? ":\t" : "\t", value));
    else
        print(fmt::format("{}\n", value));
}

bool TableReader::query(std::span<const Opened> tables, const std::string& key, bool with_key) const
{
    for (const auto& [map, opened] : tables) {
        auto answer = opened->lookup(key);
        if (!answer)
            postmap_fatal("table " + map.spec() + ": query error: " +
                          (answer.error().text().empty() ? "Application error" : answer.error().text()));
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

void TableReader::open(MapName map)
{
    auto table = open_table(map);
    tables_.emplace_back(std::move(map), std::move(table));
}

bool TableReader::query_last(const std::string& key) const
{
    return query({&tables_.back(), 1}, key, false);
}

bool TableReader::query_stdin() const
{
    InputLines input;
    bool is_found = false;
    if (job_.message.with_headers || job_.message.with_body) {
        MessageCutter cutter(job_.message, [&](const std::string& piece) { is_found |= query(tables_, piece, true); });
        for (std::string line; input.next(line);) cutter.line(line);
        cutter.finish();
        return is_found;
    }
    for (std::string line; input.next(line);) is_found |= query(tables_, line, true);
    return is_found;
}

void TableReader::list(const MapName& map) const
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
        if (!lock) postmap_fatal(Error::from_errno("open database", path).text());
        if (auto locked = table::lock_index_file(lock.get(), *format, false, 60'000); !locked)
            postmap_fatal(locked.error().text());
        auto file = table::open_index_file(*format, path, table::IndexFile::Mode::read);
        if (!file) postmap_fatal(file.error().text());
        if (auto done = (*file)->for_each(print_record); !done)
            postmap_fatal("table " + map.spec() + ": sequence error: " + done.error().text());
        return;
    }
    const auto entries = open_table(map)->list();
    if (!entries) postmap_fatal("table " + map.spec() + ": sequence operation is not supported");
    for (const auto& [key, value] : *entries) print_record(key, value);
}

std::vector<std::string> read_input_lines()
{
    std::vector<std::string> lines;
    InputLines input;
    for (std::string line; input.next(line);) lines.push_back(std::move(line));
    return lines;
}

}  // namespace ekiden::tools
