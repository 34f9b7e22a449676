#include "base/error.hpp"

#include <cerrno>
#include <cstring>

namespace ekiden::base {

static ErrorCode code_of(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT: return ErrorCode::no_space;
    case EACCES:
    case EPERM:
    case EROFS: return ErrorCode::permission;
    case ENOENT: return ErrorCode::not_found;
    case ETIMEDOUT: return ErrorCode::timeout;
    case ECONNRESET:
    case EPIPE: return ErrorCode::closed;
    case ECANCELED: return ErrorCode::cancelled;
    default: return ErrorCode::system;
    }
}

Error Error::from_errno(int error, std::string_view what, std::string_view on)
{
    std::string text(what);
    if (!on.empty()) text.append(" ").append(on);
    char buffer[128];
    text.append(": ").append(strerror_r(error, buffer, sizeof buffer));
    Error result(code_of(error), std::move(text));
    result.os_error_ = error;
    return result;
}

Error Error::from_errno(std::string_view what, std::string_view on) { return from_errno(errno, what, on); }

Error Error::with(std::string_view context) &&
{
    text_.insert(0, ": ").insert(0, context);
    return std::move(*this);
}

}  // namespace ekiden::base
