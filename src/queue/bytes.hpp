// Little-endian numbers and counted strings, out of and into bytes. A Reader past its end gives zeros and says so once
// at the end (`is_good`), so that decoding reads as a list of fields. Thread: values.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace ekiden::queue {

class ByteWriter {
public:
    template <std::unsigned_integral T>
    void put(T value)
    {
        char little[sizeof(T)];
        for (std::size_t i = 0; i < sizeof(T); ++i) little[i] = static_cast<char>(value >> (8 * i) & 0xff);
        bytes_.append(little, sizeof little);
    }
    void put(bool) = delete;
    void put_text(std::string_view text)
    {
        put(static_cast<std::uint32_t>(text.size()));
        bytes_ += text;
    }
    std::string take() { return std::move(bytes_); }

private:
    std::string bytes_;
};

class ByteReader {
public:
    explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

    template <std::unsigned_integral T>
    T get()
    {
        if (bytes_.size() < sizeof(T)) {
            is_good_ = false;
            return 0;
        }
        T value = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i)
            value = static_cast<T>(value |
                                   static_cast<T>(static_cast<T>(static_cast<unsigned char>(bytes_[i])) << (8 * i)));
        bytes_.remove_prefix(sizeof(T));
        return value;
    }
    std::string get_text()
    {
        auto size = get<std::uint32_t>();
        if (size > bytes_.size()) {
            is_good_ = false;
            return {};
        }
        std::string text(bytes_.substr(0, size));
        bytes_.remove_prefix(size);
        return text;
    }
    // A count of things that take at least `least` bytes each: never more than can be there.
    std::uint32_t get_count(std::size_t least)
    {
        auto count = get<std::uint32_t>();
        if (count <= bytes_.size() / least) return count;
        is_good_ = false;
        return 0;
    }
    void refuse() { is_good_ = false; }
    bool is_good() const { return is_good_; }
    bool is_at_end() const { return bytes_.empty(); }

private:
    std::string_view bytes_;
    bool is_good_ = true;
};

}  // namespace ekiden::queue
