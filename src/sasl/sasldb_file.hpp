// Looks a value up in a sasldb2 (a Berkeley DB file of the kind "hash", as saslpasswd2 writes it) with a handful of reads:
// libdb's way to the same bytes opens the file twice and sets up a cache of pages for every lookup. Reads only what it knows
// exactly: version 9 of the format, of this machine's byte order, unencrypted, without checksums, without duplicates, with
// keys and values that stand in their page. Everything else is `odd`, and libdb has to look. Nothing is kept but
// the page that was read last, for as long as the object lives, which is for one lookup of all properties of a user: each sees
// the file as it is. All that was read is wiped. The file is not trusted: every offset is checked, chains are bounded.
// Pure but for `read`; thread: one at a time.
#pragma once

#include "sasl/secret.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace ekiden::sasl {

class SasldbFile {
public:
    // Fills all of `into` with the bytes from `offset` on; false: it could not.
    using ReadAt = std::function<bool(std::uint64_t offset, std::span<char> into)>;
    enum class Found : std::uint8_t { yes, no, odd };

    // Reads the first page; nothing: it is not what it has to be.
    static std::optional<SasldbFile> open(ReadAt read);
    ~SasldbFile();
    SasldbFile(SasldbFile&&) noexcept;
    // `value` holds what was found, if anything was.
    Found find(std::string_view key, Secret& value);

private:
    class Page;
    explicit SasldbFile(ReadAt read);
    const Page* read_page(std::uint32_t number);    // nullptr: it cannot be read
    ReadAt read_;
    std::unique_ptr<Page> page_;               // the one that was read last
    std::uint32_t page_number_ = 0;            // 0: none, for that is the first page of the file
    std::uint32_t page_size_ = 0, last_page_ = 0;
    std::uint32_t last_bucket_ = 0, high_mask_ = 0, low_mask_ = 0;
    std::array<std::uint32_t, 32> first_pages_{};  // what to add to the number of a bucket, by the size of that number
};

// "user\0realm\0property"
std::string sasldb_key(std::string_view user, std::string_view realm, std::string_view property);

}  // namespace ekiden::sasl
