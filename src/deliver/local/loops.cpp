#include "deliver/local/loops.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"

#include <algorithm>

namespace ekiden::deliver {

namespace {

// Longer headers than this hold no Delivered-To that we wrote: it is always near the top.
constexpr std::size_t header_limit = 1 << 20;

}  // namespace

Task<Result<bool>> has_delivered_to(queue::ContentPtr content, std::string address)
{
    std::string wanted = base::lower(mail::quote_address(address)), plain = base::lower(address), line;
    auto reader = content->open();
    std::size_t total = 0;
    while (total < header_limit) {
        auto piece = co_await reader->next();
        if (!piece) co_return fail(piece.error());
        if (piece->empty()) break;
        total += piece->size();
        std::string_view rest = *piece;
        while (!rest.empty()) {
            std::size_t end = rest.find('\n');
            if (line.size() < 4096) line.append(rest.substr(0, std::min<std::size_t>(end, 4096)));
            if (end == rest.npos) break;
            rest.remove_prefix(end + 1);
            if (line.empty()) co_return false;
            constexpr std::string_view name = "delivered-to:";
            if (base::starts_with_ignoring_case(line, name)) {
                std::string value = base::lower(base::trim(std::string_view(line).substr(name.size())));
                if (value == wanted || value == plain) co_return true;
            }
            line.clear();
        }
    }
    co_return false;
}

}  // namespace ekiden::deliver
