// Result<T>: a value or an Error; what functions return that meet expected trouble (timeouts, full disks, bad files).
//
// A lookup returns Result<std::optional<T>>: value, nothing, or trouble. Trouble means "try later", never "nothing".
#pragma once

#include "base/error.hpp"

#include <expected>
#include <utility>

namespace ekiden::base {

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(ErrorCode code, std::string text)
{
    return std::unexpected(Error(code, std::move(text)));
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

}  // namespace ekiden::base

namespace ekiden {
using base::fail;
using base::Result;
}  // namespace ekiden

// Leave the function with the error of a Result<void>.
#define EKIDEN_TRY(expression)                                                                     \
    do {                                                                                           \
        if (auto ekiden_result = (expression); !ekiden_result)                                     \
            return std::unexpected(std::move(ekiden_result).error());                              \
    } while (false)
#define EKIDEN_CO_TRY(expression)                                                                  \
    do {                                                                                           \
        if (auto ekiden_result = (expression); !ekiden_result)                                     \
            co_return std::unexpected(std::move(ekiden_result).error());                           \
    } while (false)

// Declare `name` as the value of a Result, or leave the function with its error.
#define EKIDEN_TRY_VALUE(name, expression)                                                         \
    auto name##_result = (expression);                                                             \
    if (!name##_result) return std::unexpected(std::move(name##_result).error());                  \
    auto& name = *name##_result
#define EKIDEN_CO_TRY_VALUE(name, expression)                                                      \
    auto name##_result = (expression);                                                             \
    if (!name##_result) co_return std::unexpected(std::move(name##_result).error());               \
    auto& name = *name##_result
