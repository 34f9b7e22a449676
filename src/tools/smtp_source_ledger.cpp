#include "tools/smtp_source_ledger.hpp"

#include "base/random.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <new>

#include <fcntl.h>

namespace ekiden::tools {

ContentDigest::ContentDigest() : context_(EVP_MD_CTX_new())
{
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
}

void ContentDigest::add(std::string_view wire_bytes)
{
    while (!wire_bytes.empty()) {
        if (is_line_start_ && wire_bytes.front() == '.') wire_bytes.remove_prefix(1);
        is_line_start_ = false;
        if (wire_bytes.empty()) {
            has_cr_ = false;
            return;
        }
        const std::size_t newline = wire_bytes.find('\n');
        const std::string_view piece = wire_bytes.substr(0, newline == wire_bytes.npos ? newline : newline + 1);
        EVP_DigestUpdate(context_.get(), piece.data(), piece.size());
        // Only CR LF ends a line on the wire: a dot behind a bare LF is not doubled.
        if (newline != wire_bytes.npos) is_line_start_ = newline > 0 ? wire_bytes[newline - 1] == '\r' : has_cr_;
        has_cr_ = piece.back() == '\r';
        wire_bytes.remove_prefix(piece.size());
    }
}

std::string ContentDigest::hex()
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    std::string text;
    text.reserve(2 * size);
    constexpr std::string_view digits = "0123456789abcdef";
    for (unsigned i = 0; i < size; ++i) {
        text += digits[digest[i] >> 4];
        text += digits[digest[i] & 15];
    }
    return text;
}

Result<LedgerFile> LedgerFile::open(const std::string& path)
{
    LedgerFile ledger;
    ledger.path_ = path;
    auto file = base::open_file(path, O_WRONLY | O_APPEND | O_CREAT, 0644);
    if (!file) return std::unexpected(std::move(file).error());
    ledger.file_ = std::move(*file);
    return ledger;
}

void LedgerFile::add(std::string_view kind, std::string_view digest, std::string_view id, std::string_view recipient)
{
    fmt::format_to(std::back_inserter(pending_), "{} {} {} {}\n", kind, digest, id, base::printable(recipient));
}

Result<void> LedgerFile::flush()
{
    if (pending_.empty()) return {};
    auto written = base::write_all(file_.get(), pending_);
    pending_.clear();
    if (!written) return fail(std::move(written).error().with(path_));
    return {};
}

std::string make_ledger_run() { return fmt::format("{:016x}", base::random_number()); }

}  // namespace ekiden::tools
