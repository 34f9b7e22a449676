// A string that holds a password or what one could be made of: wiped when it goes, never copied by accident, and with no
// way into a log line (no formatter). Thread: as std::string.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace ekiden::sasl {

// Overwrites in a way the compiler may not leave out.
void wipe(char* bytes, std::size_t size) noexcept;
void wipe(std::string& text) noexcept;    // its whole capacity; leaves it empty

class Secret {
public:
    Secret() = default;
    explicit Secret(std::string_view text) : text_(text) {}
    // Takes the characters and wipes the place they came from (a short string is copied by a move).
    explicit Secret(std::string&& text) : text_(std::move(text)) { wipe(text); }
    Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { wipe(other.text_); }
    Secret& operator=(Secret&& other) noexcept
    {
        if (this != &other) {
            wipe(text_);
            text_ = std::move(other.text_);
            wipe(other.text_);
        }
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { wipe(text_); }

    std::string_view view() const { return text_; }
    std::size_t size() const { return text_.size(); }
    bool is_empty() const { return text_.empty(); }
    std::string& buffer() { return text_; }    // to fill; reserve first: growing leaves the old place unwiped

private:
    std::string text_;
};

// In a time that tells nothing of where they differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace ekiden::sasl
