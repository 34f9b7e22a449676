#include "base/option_words.hpp"

#include <utility>

namespace ekiden::base {

bool OptionWords::next()
{
    if (left_.empty()) return false;
    name_ = left_.front();
    left_ = left_.subspan(1);
    value_.reset();
    const std::size_t equals = name_.starts_with("--") ? name_.find('=') : name_.npos;
    if (equals == name_.npos) return true;
    value_ = name_.substr(equals + 1);
    name_.resize(equals);
    return true;
}

Result<std::string> OptionWords::take_value()
{
    if (value_) return *std::exchange(value_, std::nullopt);
    if (left_.empty()) return fail(ErrorCode::syntax, name_ + " needs a value");
    std::string value = left_.front();
    left_ = left_.subspan(1);
    return value;
}

Result<void> OptionWords::expect_no_value() const
{
    if (value_) return fail(ErrorCode::syntax, name_ + " takes no value");
    return {};
}

}  // namespace ekiden::base
