#include "mime/addresses.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mail/tokens.hpp"

#include <algorithm>

namespace ekiden::mime {
namespace {

using mail::Token;

// Gathers tokens of one mailbox and turns them into addresses at its end.
class ListParser {
public:
    explicit ListParser(AddressList& list) : list_(list) {}

    void take(const Token& token)
    {
        if (token.kind == Token::Kind::comment) return;
        if (is_inside_) {
            if (token.is('>')) end_angle();
            else words_.push_back(token);
            return;
        }
        if (token.is('<')) {
            words_.clear();   // they were the display name
            is_inside_ = true;
        } else if (token.is(',') || token.is(';')) {
            end_mailbox();
        } else if (token.is(':') && !(words_.size() > 0 && words_.front().is('@'))) {
            words_.clear();   // they were the name of a group
        } else {
            words_.push_back(token);
        }
    }

    void finish()
    {
        if (is_inside_) end_angle();
        end_mailbox();
    }

private:
    void end_angle()
    {
        if (!words_.empty()) add(words_.begin(), words_.end());
        words_.clear();
        is_inside_ = false;
        had_angle_ = true;
    }

    // Bare words: each run that is joined by dots and at signs is one address. Behind "<…>" they mean nothing.
    void end_mailbox()
    {
        auto first = words_.begin();
        while (!had_angle_ && first != words_.end()) {
            auto last = first + 1;
            while (last != words_.end() && !(last[-1].is_word() && last->is_word())) ++last;
            add(first, last);
            first = last;
        }
        words_.clear();
        had_angle_ = false;
    }

    using Place = std::vector<Token>::const_iterator;
    void add(Place first, Place last)
    {
        const std::size_t begin = first->position, end = last[-1].position + last[-1].raw.size();
        if (first->is('@')) {   // a source route is left out
            const auto colon = std::find_if(first, last, [](const Token& t) { return t.is(':'); });
            if (colon != last) first = colon + 1;
        }
        AddressSpan span{begin, end, {}};
        for (bool after_word = false; first != last; ++first) {
            if (after_word && first->is_word()) span.address += ' ';
            append_internal(span.address, *first);
            after_word = first->is_word();
        }
        list_.addresses.push_back(std::move(span));
    }

    AddressList& list_;
    std::vector<Token> words_;
    bool is_inside_ = false, had_angle_ = false;
};

// Appends text with its folds undone, and remembers commas at which the line may be broken again.
class Folder {
public:
    Folder(std::size_t limit, std::size_t column) : limit_(limit), column_(column) {}

    void add_text(std::string_view text)
    {
        for (std::size_t i = 0; i < text.size(); ++i) {
            const char c = text[i];
            if (c == '\n') {
                while (i + 1 < text.size() && (text[i + 1] == ' ' || text[i + 1] == '\t' || text[i + 1] == '\n')) ++i;
                add(' ');
                continue;
            }
            if (c == '\\' && i + 1 < text.size() && text[i + 1] != '\n') {
                add(c);
                add(text[++i]);
                continue;
            }
            if (c == '"') is_quoted_ = !is_quoted_;
            // "none:;" and "a,b", written out in full.
            const char last = out_.empty() ? ' ' : out_.back();
            if (!is_quoted_ && out_.empty() && i == 0 && c != ' ' && c != '\t') add(' ');
            if (!is_quoted_ && ((last == ':' && c == ';') || (last == ',' && c != ' ' && c != '\t'))) add(' ');
            add(c);
            if (c == ',' && !is_quoted_) note_comma();
        }
    }

    void add_address(std::string_view address)
    {
        if (out_.empty() || out_.ends_with(',')) add(' ');
        for (char c : address) add(c);
    }

    std::string take() { return std::move(out_); }

private:
    void add(char c)
    {
        out_ += c;
        if (column_ + out_.size() - line_at_ <= limit_ || break_at_ == 0) return;
        // Over the limit: the blank behind the last comma becomes a fold.
        std::size_t next = break_at_;
        while (next < out_.size() && out_[next] == ' ') ++next;
        out_.replace(break_at_, next - break_at_, "\n\t");
        line_at_ = break_at_ + 1;
        column_ = 0;
        break_at_ = 0;
    }
    void note_comma() { break_at_ = out_.size(); }

    std::size_t limit_, column_;    // column_: where the first line begins
    std::string out_;
    std::size_t line_at_ = 0, break_at_ = 0;
    bool is_quoted_ = false;
};

}  // namespace

AddressList find_addresses(std::string_view text, std::size_t token_limit)
{
    AddressList list;
    ListParser parser(list);
    Token token;
    for (mail::Lexer lexer(text); lexer.next(token);) {
        if (token_limit-- == 0) {
            list.parsed = token.position;
            parser.finish();
            return list;
        }
        parser.take(token);
    }
    list.parsed = text.size();
    parser.finish();
    return list;
}

std::vector<std::string> parse_address_list(std::string_view text, std::size_t token_limit)
{
    std::vector<std::string> out;
    for (auto& span : find_addresses(text, token_limit).addresses) out.push_back(std::move(span.address));
    return out;
}

std::string replace_addresses(std::string_view text, const AddressList& list, std::span<const std::string> replacements,
                              std::size_t column, std::size_t line_limit)
{
    Folder folder(line_limit, column);
    std::size_t at = 0;
    for (std::size_t i = 0; i < list.addresses.size() && i < replacements.size(); ++i) {
        const auto& span = list.addresses[i];
        folder.add_text(text.substr(at, span.begin - at));
        if (replacements[i] == span.address) folder.add_text(text.substr(span.begin, span.end - span.begin));
        else folder.add_address(mail::quote_address(replacements[i]));
        at = span.end;
    }
    if (at < list.parsed) folder.add_text(text.substr(at, list.parsed - at));
    return folder.take();
}

std::string quote_phrase(std::string_view name)
{
    bool is_plain = true;
    for (std::string_view word : base::split(name, ' '))
        is_plain = is_plain && (word.empty() || (word.find('.') == word.npos && !mail::needs_quotes(word)));
    if (is_plain) return std::string(name);
    std::string out = "\"";
    for (char c : name) {
        if (c == '"' || c == '\\') out += '\\';
        out += c == '\n' || c == '\r' ? ' ' : c;
    }
    return out += '"';
}

}  // namespace ekiden::mime
