#include "table/substitution.hpp"

#include "base/text.hpp"

namespace ekiden::table {

std::expected<Substitution, Substitution::Fault> Substitution::parse(std::string_view text,
                                                                     std::string_view zero_index_words)
{
    Substitution parsed;
    Piece piece;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] != '$') {
            piece.text += text[at++];
            continue;
        }
        const std::string_view reference = text.substr(at++);
        if (at < text.size() && text[at] == '$') {
            piece.text += text[at++];
            continue;
        }
        std::string_view name;
        if (at < text.size() && (text[at] == '(' || text[at] == '{')) {
            const std::size_t close = text.find(text[at] == '(' ? ')' : '}', at);
            if (close == text.npos) {
                return std::unexpected(Fault{"truncated macro reference: \"" + std::string(reference) + "\"", {}});
            }
            name = text.substr(at + 1, close - at - 1);
            at = close + 1;
        } else {
            const std::size_t start = at;
            while (at < text.size() && (base::is_alnum(text[at]) || text[at] == '_')) ++at;
            name = text.substr(start, at - start);
        }
        if (name.empty()) {
            const auto shown = reference.substr(0, static_cast<std::size_t>(text.data() + at - reference.data()));
            return std::unexpected(Fault{"empty macro name: \"" + std::string(shown) + "\"", {}});
        }
        const auto group = base::parse_number<unsigned>(name);
        if (!group) {
            const bool is_digits = name.find_first_not_of("0123456789") == name.npos;
            return std::unexpected(Fault{{}, (is_digits ? std::string(zero_index_words) : std::string("non-numeric")) +
                                                 " replacement index \"" + std::string(name) + "\""});
        }
        if (*group == 0) {
            return std::unexpected(
                Fault{{}, std::string(zero_index_words) + " replacement index \"" + std::string(name) + "\""});
        }
        piece.group = *group;
        parsed.highest_ = std::max(parsed.highest_, *group);
        parsed.pieces_.push_back(std::exchange(piece, {}));
    }
    if (!piece.text.empty()) parsed.pieces_.push_back(std::move(piece));
    return parsed;
}

Result<std::string> Substitution::expand(std::span<const std::string_view> groups) const
{
    std::string out;
    for (const Piece& piece : pieces_) {
        out += piece.text;
        if (piece.group > 0 && piece.group <= groups.size()) out += groups[piece.group - 1];
        if (out.size() > max_expansion_bytes) return fail(ErrorCode::too_long, "the expanded result is too long");
    }
    return out;
}

}  // namespace ekiden::table
