#include "tools/postdrop_stream.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace ekiden::tools {

std::string drop_piece_head(std::size_t length) { return std::to_string(length) + "\n"; }

Result<void> DropDecoder::feed(std::string_view bytes, std::string& content)
{
    while (!bytes.empty()) {
        if (is_complete_) return fail(ErrorCode::syntax, "bytes after the end of the message");
        if (!has_header_) {
            EKIDEN_TRY_VALUE(complete, parser_.feed(bytes));
            has_header_ = complete;
        } else if (left_ > 0) {
            const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
            content.append(bytes.substr(0, take));
            bytes.remove_prefix(take);
            left_ -= take;
        } else {
            const char c = bytes.front();
            bytes.remove_prefix(1);
            if (c == '\n') {
                EKIDEN_TRY(read_length());
            } else {
                if (length_text_.size() == 8) return fail(ErrorCode::too_long, "bad length of a piece");
                length_text_ += c;
            }
        }
    }
    return {};
}

Result<void> DropDecoder::read_length()
{
    const auto length = base::parse_number<std::uint32_t>(length_text_);
    if (!length || *length > max_drop_piece) return fail(ErrorCode::syntax, "bad length of a piece");
    length_text_.clear();
    left_ = *length;
    is_complete_ = left_ == 0;
    return {};
}

}  // namespace ekiden::tools
