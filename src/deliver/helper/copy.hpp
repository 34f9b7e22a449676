// The message as an agent wants it on disk or on a command's input: prefix, content, suffix, with "From " lines or dots
// quoted and other line ends where asked. Streams; at most two buffers of 128 KiB. Blocking: for the helper's processes.
#pragma once

#include "base/fd.hpp"
#include "deliver/helper/protocol.hpp"

#include <string>
#include <string_view>

namespace ekiden::deliver {

class Copy {
public:
    // `content`: read from offset 0; without it request.content is the content. All three outlive the Copy.
    Copy(const HelperRequest& request, const Fd& content, int out) : request_(request), content_(content), out_(out) {}
    bool run();                          // false: error() says why
    int error() const { return error_; }

private:
    bool body(std::string_view text);
    bool start_of_line(std::string_view& text);
    bool release();
    bool put(std::string_view text);
    bool flush();

    const HelperRequest& request_;
    const Fd& content_;
    int out_;
    int error_ = 0;
    std::string buffer_;
    std::size_t held_ = 0;          // bytes of "From " that matched so far at the start of a line
    bool is_line_start_ = true;
    bool has_line_end_ = true;      // what was written last
};

}  // namespace ekiden::deliver
