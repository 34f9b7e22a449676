#include "smtp/extensions.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace ekiden::smtp {

namespace {

struct Row {
    std::string_view keyword;
    Extension bit;
};
constexpr Row rows[] = {
    {"PIPELINING", ext_pipelining}, {"SIZE", ext_size},         {"VRFY", ext_vrfy},
    {"ETRN", ext_etrn},             {"STARTTLS", ext_starttls}, {"AUTH", ext_auth},
    {"XCLIENT", ext_xclient},       {"XFORWARD", ext_xforward}, {"ENHANCEDSTATUSCODES", ext_enhanced_status},
    {"8BITMIME", ext_8bitmime},     {"DSN", ext_dsn},           {"SMTPUTF8", ext_smtputf8},
    {"CHUNKING", ext_chunking},     {"REQUIRETLS", ext_requiretls}, {"XVERP", ext_xverp},
};

const Row* find(std::string_view keyword)
{
    const auto* row =
        std::ranges::find_if(rows, [&](const Row& r) { return base::equal_ignoring_case(r.keyword, keyword); });
    return row == std::end(rows) ? nullptr : row;
}

}  // namespace

Extensions parse_extension_list(std::string_view text, std::vector<std::string>& unknown, bool& is_silent)
{
    Extensions bits = 0;
    for (const auto word : base::split_any(text)) {
        if (base::equal_ignoring_case(word, "silent-discard")) is_silent = true;
        else if (const Row* row = find(word)) bits |= row->bit;
        else unknown.emplace_back(word);
    }
    return bits;
}

std::string extension_names(Extensions bits)
{
    std::string names;
    for (const Row& row : rows) {
        if (bits & row.bit) names.append(names.empty() ? "" : " ").append(row.keyword);
    }
    return names;
}

Offer parse_offer(const Reply& ehlo_reply)
{
    Offer offer;
    for (std::size_t i = 1; i < ehlo_reply.lines.size(); ++i) {
        const std::string_view line = ehlo_reply.lines[i];
        // "AUTH=LOGIN" is what old servers say; it means the same.
        const auto end = std::min(line.find_first_of(" ="), line.size());
        const auto arguments = base::trim(line.substr(std::min(end + 1, line.size())));
        const Row* row = find(line.substr(0, end));
        if (!row) continue;
        offer.bits |= row->bit;
        if (row->bit == ext_size) offer.size_limit = base::parse_number<std::uint64_t>(arguments).value_or(0);
        if (row->bit == ext_xforward) offer.forwarded = arguments;
        if (row->bit == ext_auth && !arguments.empty()) {
            if (!offer.auth_mechanisms.empty()) offer.auth_mechanisms += ' ';
            offer.auth_mechanisms += arguments;
        }
    }
    return offer;
}

}  // namespace ekiden::smtp
