#include "verify/journal.hpp"

#include "base/fd.hpp"
#include "base/percent.hpp"
#include "base/text.hpp"
#include "queue/crc32c.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::verify {

namespace {

constexpr std::string_view first_line = "ekiden-verify 1\n";
constexpr std::size_t largest_file = 1u << 30;
constexpr std::size_t longest_line = 8192;
constexpr std::size_t longest_address = 2048;    // fits into a line however it is encoded

struct Word {
    Standing standing;
    std::string_view text;
};
constexpr Word words[] = {{Standing::deliverable, "deliverable"},
                          {Standing::deferred, "deferred"},
                          {Standing::undeliverable, "undeliverable"}};

std::string checked(std::string line) { return fmt::format("{:08x} {}\n", queue::crc32c(line), line); }

std::optional<WallTime> parse_time(std::string_view text)
{
    const auto seconds = base::parse_number<std::int64_t>(text);
    if (!seconds || *seconds < 0 || *seconds > 1'000'000'000'000) return std::nullopt;
    return WallTime(std::chrono::seconds(*seconds));
}

}  // namespace

std::string answer_line(std::string_view address, const Answer& answer)
{
    const auto* word = std::ranges::find(words, answer.standing, &Word::standing);
    return checked(fmt::format("{} {} {} {}", word->text, base::to_seconds(answer.at), base::percent_encode(address),
                               base::percent_encode(answer.text)));
}

std::string cleaned_line(WallTime at) { return checked(fmt::format("cleaned {}", base::to_seconds(at))); }

Result<void> JournalReader::read(std::string_view bytes)
{
    if (!bytes.starts_with(first_line)) return fail(ErrorCode::syntax, "not a file of verified addresses");
    bytes.remove_prefix(first_line.size());
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        const bool has_end = end != bytes.npos;
        const std::string_view line = bytes.substr(0, end);
        bytes.remove_prefix(has_end ? end + 1 : bytes.size());
        ++lines;
        const auto check =
            line.size() > 9 && line[8] == ' ' ? base::parse_number<std::uint32_t>(line.substr(0, 8), 16) : std::nullopt;
        // The last line may lack its end: it was being written.
        if (!has_end || !check || line.size() > longest_line || *check != queue::crc32c(line.substr(9))) {
            ++damaged;
            continue;
        }
        const auto parts = base::split(line.substr(9), ' ');
        const auto at = parts.size() >= 2 ? parse_time(parts[1]) : std::nullopt;
        const auto* word = std::ranges::find(words, parts[0], &Word::text);
        if (at && parts[0] == "cleaned" && parts.size() == 2) {
            if (on_cleaned) on_cleaned(*at);
        } else if (at && word != std::end(words) && parts.size() == 4) {
            auto address = base::percent_decode(parts[2]), text = base::percent_decode(parts[3]);
            if (!address || address->empty() || address->size() > longest_address || !text ||
                text->size() > longest_text)
                ++damaged;
            else if (on_answer) on_answer(std::move(*address), Answer{word->standing, *at, std::move(*text)});
        } else {
            ++damaged;
        }
    }
    return {};
}

Result<void> append_journal(const std::string& path, std::string_view lines)
{
    EKIDEN_TRY_VALUE(file,
                     base::open_file(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600));
    struct stat found{};
    if (::fstat(file.get(), &found) != 0) return fail(Error::from_errno("fstat", path));
    if (!S_ISREG(found.st_mode)) return fail(ErrorCode::refused, path + ": not a plain file");
    if (static_cast<std::size_t>(found.st_size) > largest_file) return fail(ErrorCode::too_long, path + ": too large");
    // After a crash the last line may have no end; what follows must not become part of it.
    std::string bytes(found.st_size == 0 ? first_line : "");
    if (found.st_size > 0) {
        char last = '\n';
        Fd again;
        if (auto opened = base::open_file(path, O_RDONLY | O_NOFOLLOW)) again = std::move(*opened);
        if (again && ::pread(again.get(), &last, 1, found.st_size - 1) == 1 && last != '\n') bytes += '\n';
    }
    bytes += lines;
    return base::write_all(file.get(), bytes);
}

Result<void> replace_journal(const std::string& path, std::string_view lines)
{
    return base::replace_file(path, std::string(first_line) + std::string(lines), 0600);
}

Result<std::string> load_journal(const std::string& path)
{
    struct stat found{};
    if (::lstat(path.c_str(), &found) != 0) return fail(Error::from_errno("stat", path));
    if (!S_ISREG(found.st_mode) || found.st_uid != ::geteuid())
        return fail(ErrorCode::refused, path + ": not a plain file of this user");
    return base::read_file(path, largest_file);
}

Result<std::optional<std::string>> journal_path(std::string_view map)
{
    constexpr std::string_view file_types[] = {"btree", "hash", "lmdb", "dbm", "sdbm"};
    map = base::trim(map);
    while (map.starts_with("proxy:")) map.remove_prefix(6);
    if (map.empty() || map.starts_with("internal:")) return std::nullopt;
    const auto colon = map.find(':');
    const std::string_view type = map.substr(0, colon);
    if (colon == map.npos || std::ranges::find(file_types, type) == std::end(file_types)) {
        return fail(
            ErrorCode::refused,
            fmt::format("address_verify_map: {}: answers are kept in a file (btree, lmdb, hash …) or in memory", map));
    }
    const std::string_view path = map.substr(colon + 1);
    if (!path.starts_with('/'))
        return fail(ErrorCode::refused, fmt::format("address_verify_map: {}: the file's whole path is needed", map));
    return std::string(path);
}

}  // namespace ekiden::verify
