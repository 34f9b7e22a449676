// cidr: network → value rules, first match wins; `!`, if/endif (cidr_table(5)).
#include "table/openers.hpp"

#include "base/text.hpp"
#include "net/endpoint.hpp"

#include <array>
#include <cstring>

namespace ekiden::table {

namespace {

constexpr std::size_t max_nesting = 256;

// An address as two machine words, so that a rule costs two comparisons.
struct Bits {
    bool is_v6 = false;
    std::array<std::uint64_t, 2> words{};
};

Bits bits_of(const net::Address& address)
{
    Bits bits;
    bits.is_v6 = address.is_v6();
    std::array<unsigned char, 16> bytes{};
    if (address.is_v4()) {
        const auto v4 = address.to_v4().to_bytes();
        std::memcpy(bytes.data(), v4.data(), v4.size());
    } else {
        const auto v6 = address.to_v6().to_bytes();
        std::memcpy(bytes.data(), v6.data(), v6.size());
    }
    // The first octet is the most significant one, so that an IPv4 prefix masks the first word like an IPv6 one.
    for (std::size_t i = 0; i < bytes.size(); ++i) bits.words[i / 8] = bits.words[i / 8] << 8 | bytes[i];
    return bits;
}

constexpr std::uint64_t mask_of(unsigned prefix)
{
    return prefix == 0 ? 0 : prefix >= 64 ? ~std::uint64_t{0} : ~std::uint64_t{0} << (64 - prefix);
}

struct Rule {
    enum class Kind { match, begin_if, end_if } kind = Kind::match;
    bool is_negated = false;
    Bits base;
    std::array<std::uint64_t, 2> mask{};
    std::string value;
    std::size_t after_block = 0;  // begin_if: where to go on when it does not match
    int line = 0;

    bool matches(const Bits& key) const
    {
        if (key.is_v6 != base.is_v6) return false;   // "!192.0.2.0/24" speaks of IPv4 addresses only
        const bool is_inside = (key.words[0] & mask[0]) == base.words[0] && (key.words[1] & mask[1]) == base.words[1];
        return is_inside != is_negated;
    }
};

class CidrTable final : public FileTable {
public:
    CidrTable(const OpenRequest& request, FileStamp stamp, std::vector<Rule> rules)
        : FileTable(request, stamp), rules_(std::move(rules))
    {
    }
    bool has_patterns() const override { return true; }
    Answer lookup(std::string_view key) const override
    {
        const auto address = net::parse_address(key);
        if (!address) return std::nullopt;
        const Bits bits = bits_of(*address);
        for (std::size_t at = 0; at < rules_.size(); ++at) {
            const Rule& rule = rules_[at];
            if (rule.kind == Rule::Kind::end_if) continue;
            const bool is_match = rule.matches(bits);
            if (rule.kind == Rule::Kind::match && is_match) return rule.value;
            if (rule.kind == Rule::Kind::begin_if && !is_match) at = rule.after_block - 1;
        }
        return std::nullopt;
    }

private:
    std::vector<Rule> rules_;
};

std::optional<std::string_view> keyword_tail(std::string_view line, std::string_view keyword)
{
    if (!base::starts_with_ignoring_case(line, keyword)) return std::nullopt;
    const std::string_view tail = line.substr(keyword.size());
    if (!tail.empty() && (base::is_alnum(tail.front()) || tail.front() == ':' || tail.front() == '.'))
        return std::nullopt;
    return base::trim(tail);
}

// Reads `[!]network` into the rule; the error is Postfix's text.
std::expected<void, std::string> read_pattern(std::string_view pattern, Rule& rule)
{
    while (pattern.starts_with('!')) {
        rule.is_negated = !rule.is_negated;
        pattern = base::trim(pattern.substr(1));
    }
    const auto network = net::parse_network(pattern);
    if (!network) return std::unexpected(network.error().text());
    rule.base = bits_of(network->base);
    rule.mask = {mask_of(network->prefix), network->prefix > 64 ? mask_of(network->prefix - 64) : 0};
    return {};
}

}  // namespace

Result<TablePtr> parse_cidr(const OpenRequest& request, std::string_view text, FileStamp stamp)
{
    const Warn warn = request.warn();
    std::vector<Rule> rules;
    std::vector<std::size_t> open_blocks;
    SourceLines lines(text, request.name, warn);
    for (SourceLines::Line line; lines.next(line);) {
        const std::string where = "cidr map " + request.name + ", line " + std::to_string(line.number) + ": ";
        const auto skip = [&](std::string_view why) { warn(where + std::string(why) + ": skipping this rule"); };
        const std::string_view rest = base::trim(line.text);
        Rule rule;
        rule.line = line.number;
        if (const auto tail = keyword_tail(rest, "endif")) {
            if (!tail->empty()) {
                skip("garbage after ENDIF");
            } else if (open_blocks.empty()) {
                skip("ENDIF without IF");
            } else {
                rule.kind = Rule::Kind::end_if;
                rules[open_blocks.back()].after_block = rules.size();
                open_blocks.pop_back();
                rules.push_back(std::move(rule));
            }
            continue;
        }
        if (const auto tail = keyword_tail(rest, "if")) {
            rule.kind = Rule::Kind::begin_if;
            if (auto read = read_pattern(*tail, rule); !read) {
                skip(read.error());
            } else if (open_blocks.size() >= max_nesting) {
                return fail(ErrorCode::too_long, where + "IF nesting is too deep");
            } else {
                open_blocks.push_back(rules.size());
                rules.push_back(std::move(rule));
            }
            continue;
        }
        // The pattern is the first word, blanks after `!` aside.
        std::size_t start = 0;
        while (start < rest.size() && (rest[start] == '!' || base::is_space(rest[start]))) ++start;
        const std::size_t end = std::min(rest.find_first_of(" \t\r\n\v\f", start), rest.size());
        rule.value = base::trim(rest.substr(end));
        if (rule.value.empty()) {
            skip("no lookup result");
        } else if (auto read = read_pattern(rest.substr(0, end), rule); !read) {
            skip(read.error());
        } else {
            rules.push_back(std::move(rule));
        }
    }
    if (lines.error()) return fail(*lines.error());
    for (; !open_blocks.empty(); open_blocks.pop_back()) {
        Rule& rule = rules[open_blocks.back()];
        rule.after_block = rules.size();
        warn("cidr map " + request.name + ", line " + std::to_string(rule.line) + ": IF has no matching ENDIF");
    }
    return std::make_shared<CidrTable>(request, stamp, std::move(rules));
}

Result<TablePtr> open_cidr(const OpenRequest& request)
{
    EKIDEN_TRY_VALUE(rules, inline_rules(request));
    if (rules) return parse_cidr(request, *rules, {});
    EKIDEN_TRY_VALUE(source, read_lookup_source(request.name));
    return parse_cidr(request, source.text, source.stamp);
}

}  // namespace ekiden::table
