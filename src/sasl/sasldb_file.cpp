#include "sasl/sasldb_file.hpp"

#include <bit>
#include <cstring>
#include <memory>

namespace ekiden::sasl {
namespace {

// Of the first page (the "meta page"): where each field stands.
constexpr std::size_t meta_size = 224;
constexpr std::size_t at_magic = 12, at_version = 16, at_page_size = 20, at_encryption = 24, at_type = 25,
                      at_meta_flags = 26, at_last_page = 32, at_parts = 36, at_flags = 48, at_last_bucket = 72,
                      at_high_mask = 76, at_low_mask = 80, at_check = 92, at_first_pages = 96;
constexpr std::uint32_t hash_magic = 0x061561, known_version = 9;
constexpr unsigned char meta_page = 8;
constexpr std::uint32_t least_page = 512, most_page = 16384;    // bytes
// Its hash, kept in the meta page, tells which function made the file. The NUL belongs to it.
constexpr std::string_view check_key("%$sniglet^&\0", 12);

// Of every other page, and behind it the places of the items, in turn a key and its value, that fill the page from its end.
constexpr std::size_t at_number = 8, at_next = 16, at_count = 20, at_page_type = 25, header_size = 26;
constexpr unsigned char unsorted_page = 2, sorted_page = 13;
constexpr char plain_item = 1;
constexpr int longest_chain = 64;    // pages of one bucket

template <class T>
T load(const char* page, std::size_t at)
{
    T value;
    std::memcpy(&value, page + at, sizeof value);
    return value;
}

std::uint32_t hash_of(std::string_view key)    // FNV-1
{
    std::uint32_t hash = 0;
    for (const unsigned char byte : key) hash = hash * 16777619U ^ byte;
    return hash;
}

}  // namespace

// A page that is wiped, for it holds passwords.
class SasldbFile::Page {
public:
    explicit Page(std::uint32_t size) : bytes_(new char[size]), size_(size) {}
    ~Page() { wipe(bytes_.get(), size_); }
    Page(const Page&) = delete;
    char* data() const { return bytes_.get(); }
    std::uint32_t size() const { return size_; }
    std::uint16_t items() const { return load<std::uint16_t>(data(), at_count); }
    // Items stand one before the other, each as far as the one before it begins; nothing: they do not.
    std::optional<std::string_view> item(std::size_t index) const
    {
        const std::size_t begin = load<std::uint16_t>(data(), header_size + 2 * index);
        const std::size_t end = index == 0 ? size_ : load<std::uint16_t>(data(), header_size + 2 * (index - 1));
        if (begin < header_size + 2 * std::size_t{items()} || begin >= end || end > size_) return std::nullopt;
        return std::string_view(data() + begin, end - begin);
    }

private:
    std::unique_ptr<char[]> bytes_;
    std::uint32_t size_;
};

SasldbFile::SasldbFile(ReadAt read) : read_(std::move(read)) {}
SasldbFile::~SasldbFile() = default;
SasldbFile::SasldbFile(SasldbFile&&) noexcept = default;

std::optional<SasldbFile> SasldbFile::open(ReadAt read)
{
    std::array<char, meta_size> meta{};
    if (!read(0, meta)) return std::nullopt;
    const char* bytes = meta.data();
    SasldbFile file(std::move(read));
    file.page_size_ = load<std::uint32_t>(bytes, at_page_size);
    file.last_page_ = load<std::uint32_t>(bytes, at_last_page);
    file.last_bucket_ = load<std::uint32_t>(bytes, at_last_bucket);
    file.high_mask_ = load<std::uint32_t>(bytes, at_high_mask);
    file.low_mask_ = load<std::uint32_t>(bytes, at_low_mask);
    std::memcpy(file.first_pages_.data(), bytes + at_first_pages, sizeof file.first_pages_);
    const bool is_known =
        load<std::uint32_t>(bytes, at_magic) == hash_magic && load<std::uint32_t>(bytes, at_version) == known_version &&
        load<unsigned char>(bytes, at_encryption) == 0 && load<unsigned char>(bytes, at_type) == meta_page &&
        load<unsigned char>(bytes, at_meta_flags) == 0 && load<std::uint32_t>(bytes, at_parts) == 0 &&
        load<std::uint32_t>(bytes, at_flags) == 0 && load<std::uint32_t>(bytes, at_check) == hash_of(check_key);
    const bool is_sound =
        std::has_single_bit(file.page_size_) && file.page_size_ >= least_page && file.page_size_ <= most_page;
    if (!is_known || !is_sound) return std::nullopt;
    return file;
}

const SasldbFile::Page* SasldbFile::read_page(std::uint32_t number)
{
    if (number == page_number_) return page_.get();
    if (!page_) page_ = std::make_unique<Page>(page_size_);
    page_number_ = 0;
    if (!read_(std::uint64_t{number} * page_size_, {page_->data(), page_->size()})) return nullptr;
    page_number_ = number;
    return page_.get();
}

SasldbFile::Found SasldbFile::find(std::string_view key, Secret& value)
{
    std::uint32_t bucket = hash_of(key) & high_mask_;
    if (bucket > last_bucket_) bucket &= low_mask_;
    const auto size_of_number = static_cast<std::size_t>(std::bit_width(bucket));
    if (bucket > last_bucket_ || size_of_number >= first_pages_.size()) return Found::odd;
    std::uint32_t number = bucket + first_pages_[size_of_number];
    for (int i = 0; number != 0; ++i) {
        if (i == longest_chain || number > last_page_) return Found::odd;
        const Page* const bytes = read_page(number);
        if (!bytes) return Found::odd;
        const Page& page = *bytes;
        const auto type = load<unsigned char>(page.data(), at_page_type);
        const std::size_t items = page.items();
        const bool is_bucket = type == unsorted_page || type == sorted_page;
        if (!is_bucket || load<std::uint32_t>(page.data(), at_number) != number || items % 2 != 0 ||
            header_size + 2 * items > page.size())
            return Found::odd;
        for (std::size_t at = 0; at < items; at += 2) {
            const auto name = page.item(at), content = page.item(at + 1);
            if (!name || !content || name->front() != plain_item) return Found::odd;
            if (name->substr(1) != key) continue;
            if (content->front() != plain_item) return Found::odd;
            value = Secret(content->substr(1));
            return Found::yes;
        }
        number = load<std::uint32_t>(page.data(), at_next);
    }
    return Found::no;
}

std::string sasldb_key(std::string_view user, std::string_view realm, std::string_view property)
{
    std::string key;
    key.reserve(user.size() + realm.size() + property.size() + 2);
    for (const auto part : {user, realm}) (key += part) += '\0';
    return key += property;
}

}  // namespace ekiden::sasl
