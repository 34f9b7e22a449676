#include "tools/smtp_sink_dump.hpp"

#include "base/random.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <iterator>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr mode_t file_mode = 0644;
constexpr mode_t folder_mode = 0755;
constexpr std::size_t write_at = 64 * 1024;

std::string format_time(const char* pattern)
{
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::localtime_r(&now, &parts);
    std::array<char, 4096> text;
    return {text.data(), std::strftime(text.data(), text.size(), pattern, &parts)};
}

Result<void> make_folders(const std::string& path)
{
    for (std::size_t slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1)) {
        const std::string folder = path.substr(0, slash);
        if (::mkdir(folder.c_str(), folder_mode) < 0 && errno != EEXIST)
            return fail(Error::from_errno(errno, fmt::format("mkdir {}", folder)));
    }
    return {};
}

// Opens, and makes the folders only if they turn out to be missing.
Result<Fd> open_with_folders(const std::string& path, int flags)
{
    auto file = base::open_file(path, flags, file_mode);
    if (file || file.error().os_error() != ENOENT) return file;
    EKIDEN_TRY(make_folders(path));
    return base::open_file(path, flags, file_mode);
}

std::string dump_headers(const DumpEnvelope& envelope, std::string_view client, std::string_view host,
                         std::string_view id)
{
    std::string text;
    auto end = std::back_inserter(text);
    fmt::format_to(end, "X-Client-Addr: {}\nX-Client-Proto: {}\n", client, envelope.protocol);
    if (envelope.has_helo) fmt::format_to(end, "X-Helo-Args: {}\n", envelope.helo);
    fmt::format_to(end, "X-Mail-Args: {}\n", envelope.sender);
    for (const std::string& recipient : envelope.recipients) fmt::format_to(end, "X-Rcpt-Args: {}\n", recipient);
    fmt::format_to(end, "Received: from {} ([{}])\n\tby {} (smtp-sink) with {} id {};\n\t{}\n",
                   envelope.has_helo ? envelope.helo : fmt::format("[{}]", client), client, host, envelope.protocol, id,
                   format_time("%a, %d %b %Y %H:%M:%S %z (%Z)"));
    return text;
}

}  // namespace

std::string resolve_escapes(std::string_view text)
{
    constexpr std::string_view letters = "abfnrtv", values = "\a\b\f\n\r\t\v";
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        const char next = text[++i];
        if (const std::size_t at = letters.find(next); at != letters.npos) {
            out += values[at];
        } else if (next >= '0' && next <= '7') {
            unsigned value = 0;
            std::size_t digits = 0;
            for (; digits < 3 && i + digits < text.size() && text[i + digits] >= '0' && text[i + digits] <= '7';
                 ++digits)
                value = value * 8 + static_cast<unsigned>(text[i + digits] - '0');
            i += digits - 1;
            out += static_cast<char>(value);
        } else {
            out += next;
        }
    }
    return out;
}

void DumpEnvelope::greet(std::string_view protocol_name, std::string_view argument)
{
    protocol = protocol_name;
    helo = argument;
    has_helo = true;
}

std::string_view DumpEnvelope::path_of(std::string_view argument)
{
    const std::size_t colon = argument.find(':');
    if (colon == argument.npos) return argument;
    argument.remove_prefix(colon + 1);
    while (!argument.empty() && base::is_space(argument.front())) argument.remove_prefix(1);
    return argument;
}

Result<std::unique_ptr<Dump>> Dump::open(const DumpSettings& settings, const DumpEnvelope& envelope,
                                         std::string_view client_address, std::string_view host_name)
{
    std::unique_ptr<Dump> dump(new Dump);
    dump->is_single_file_ = settings.is_single_file;
    const std::string prefix = format_time(settings.file_template.c_str());
    // Random, so that captures of several sinks can share a folder; a name that exists is never overwritten.
    for (int attempt = 0;; ++attempt) {
        const std::string id = fmt::format("{:08x}", base::random_number() & 0xffffffffU);
        dump->path_ = settings.is_single_file ? prefix : prefix + id;
        // For one common file, the message waits in a file of its own that has no name: messages never mix.
        const std::string own = settings.is_single_file ? fmt::format("{}.{}", prefix, id) : dump->path_;
        auto file = open_with_folders(own, O_RDWR | O_CREAT | O_EXCL);
        if (!file && file.error().os_error() == EEXIST && attempt < 100) continue;
        if (!file) return std::unexpected(std::move(file).error());
        dump->file_ = std::move(*file);
        if (settings.is_single_file) ::unlink(own.c_str());
        EKIDEN_TRY(dump->write(settings.start_text));
        EKIDEN_TRY(dump->write(dump_headers(envelope, client_address, host_name, id)));
        return dump;
    }
}

Dump::~Dump()
{
    if (!is_finished_ && !is_single_file_ && file_) ::unlink(path_.c_str());
}

Result<void> Dump::write(std::string_view bytes)
{
    pending_ += bytes;
    if (pending_.size() < write_at) return {};
    auto written = base::write_all(file_.get(), pending_);
    pending_.clear();
    if (!written) return fail(std::move(written).error().with(path_));
    return {};
}

Result<void> Dump::content(std::string_view bytes)
{
    std::string text;
    text.reserve(bytes.size() + 1);
    for (const char c : bytes) {
        if (has_cr_ && c != '\n') text += '\r';
        if (has_cr_ && c == '\n') {
            text += '\n';
            is_line_start_ = true;
            has_cr_ = false;
            continue;
        }
        has_cr_ = c == '\r';
        if (has_cr_) {
            is_line_start_ = false;
            continue;
        }
        if (!(is_line_start_ && c == '.')) text += c;
        is_line_start_ = false;
    }
    return write(text);
}

Result<void> Dump::finish()
{
    EKIDEN_TRY(write("\n"));
    EKIDEN_TRY(base::write_all(file_.get(), pending_));
    pending_.clear();
    if (is_single_file_) EKIDEN_TRY(append_to_common_file());
    is_finished_ = true;
    return {};
}

Result<void> Dump::append_to_common_file()
{
    EKIDEN_TRY_VALUE(common, open_with_folders(path_, O_WRONLY | O_APPEND | O_CREAT));
    if (::flock(common.get(), LOCK_EX) < 0) return fail(Error::from_errno("lock", path_));
    std::array<char, write_at> buffer;
    for (off_t at = 0;;) {
        EKIDEN_TRY_VALUE(count, base::read_at(file_.get(), buffer, at));
        if (count == 0) return {};
        EKIDEN_TRY(base::write_all(common.get(), {buffer.data(), count}));
        at += static_cast<off_t>(count);
    }
}

}  // namespace ekiden::tools
