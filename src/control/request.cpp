#include "control/request.hpp"

#include "base/text.hpp"

namespace ekiden::control {

std::string format_request(const std::vector<std::string>& words)
{
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string line;
    for (const std::string& word : words) {
        if (!line.empty()) line += ' ';
        for (char c : word) {
            auto byte = static_cast<unsigned char>(c);
            if (byte > ' ' && c != '%' && byte != 127) {
                line += c;
            } else {
                line += '%';
                line += digits[byte >> 4];
                line += digits[byte & 15];
            }
        }
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
            for (std::size_t i = 0; i < piece.size(); ++i) {
                if (piece[i] != '%') {
                    word += piece[i];
                    continue;
                }
                if (piece.size() - i < 3) return fail(ErrorCode::syntax, "bad escape in request");
                auto byte = base::parse_number<unsigned>(piece.substr(i + 1, 2), 16);
                if (!byte) return fail(ErrorCode::syntax, "bad escape in request");
                word += static_cast<char>(*byte);
                i += 2;
            }
        }
        words.push_back(std::move(word));
    }
    if (words.empty()) return fail(ErrorCode::syntax, "empty request");
    return words;
}

}  // namespace ekiden::control
