#include "control/request.hpp"

#include "base/percent.hpp"
#include "base/text.hpp"

namespace ekiden::control {

std::string format_request(const std::vector<std::string>& words)
{
    std::string line;
    for (const std::string& word : words) {
        if (!line.empty()) line += ' ';
        line += base::percent_encode(word);
        if (word.empty()) line += "%";   // a lone percent sign: the empty word
    }
    return line + '\n';
}

Result<std::vector<std::string>> parse_request(std::string_view line)
{
    if (line.size() > max_request) return fail(ErrorCode::too_long, "request too long");
    std::vector<std::string> words;
    for (std::string_view piece : base::split_any(line, " ")) {
        std::string word;
        if (piece != "%") {
            auto decoded = base::percent_decode(piece);
            if (!decoded) return fail(ErrorCode::syntax, "bad escape in request");
            word = std::move(*decoded);
        }
        words.push_back(std::move(word));
    }
    if (words.empty()) return fail(ErrorCode::syntax, "empty request");
    return words;
}

}  // namespace ekiden::control
