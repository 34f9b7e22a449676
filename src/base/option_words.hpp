// The words of a command line with long options: "--name", "--name value", "--name=value"; other words stand for themselves.
// Pure; the words outlive it.
#pragma once

#include "base/result.hpp"

#include <optional>
#include <span>
#include <string>

namespace ekiden::base {

class OptionWords {
public:
    explicit OptionWords(std::span<const std::string> words) : left_(words) {}

    bool next();                                          // false: there are no more
    const std::string& name() const { return name_; }     // "--name" of an option, or the whole word
    Result<std::string> take_value();                     // behind "=", or else the next word, which is used up
    Result<void> expect_no_value() const;

private:
    std::span<const std::string> left_;
    std::string name_;
    std::optional<std::string> value_;
};

}  // namespace ekiden::base
