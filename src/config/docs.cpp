#include "config/docs.hpp"

#include "base/text.hpp"
#include "config/parameters.hpp"
#include "config/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

namespace ekiden::config {

namespace {

std::string_view type_name(Kind kind)
{
    switch (kind) {
    case Kind::boolean: return "yes or no";
    case Kind::integer:
    case Kind::big_integer: return "number";
    case Kind::time: return "time";
    case Kind::text: return "text";
    case Kind::raw: return "text, expanded where it is used";
    }
    return "";
}

std::string default_of(const Parameter& row)
{
    if (row.name == "myhostname") return "(name of the machine)";
    if (row.name == "mydomain") return "($myhostname without its first label)";
    if (row.name == "mynetworks") return "(from $mynetworks_style)";
    if (row.name.starts_with("process_")) return "(set at run time)";
    if (row.name == "service_name") return "(first column of master.cf)";
    return row.default_value.empty() ? "(empty)" : std::string(row.default_value);
}

// mdoc text: a leading dot or apostrophe would be a macro, a backslash an escape.
std::string roff(std::string_view text)
{
    std::string out;
    if (text.starts_with('.') || text.starts_with('\'')) out += "\\&";
    for (const char c : text) {
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else
            out += c;
    }
    return out;
}

std::string man_page()
{
    std::string page =
        ".\\\" Printed from src/config/parameters/*.def by postconf --ekiden-docs man5. Do not edit.\n"
        ".Dd January 1, 2026\n.Dt POSTCONF 5\n.Os Ekiden\n.Sh NAME\n.Nm postconf\n.Nd configuration parameters of main.cf\n"
        ".Sh DESCRIPTION\n"
        "The file\n.Pa main.cf\nholds lines of the form\n.Dq name = value .\n"
        "Empty lines and lines whose first text is\n.Sq #\nare comments, wherever they stand.\n"
        "A line that starts with a blank continues the line before it.\n"
        "A\n.Sq #\nafter a value is part of the value.\n"
        "Of an entry that stands twice the last one holds.\n.Pp\n"
        "In a value,\n.Li $name ,\n.Li ${name}\nand\n.Li $(name)\nstand for the value of another parameter,\n"
        ".Li ${name?text}\nfor\n.Li text\nif it is not empty,\n.Li ${name:text}\nfor\n.Li text\nif it is empty,\n"
        ".Li ${name?{a}:{b}}\nfor one of two, and\n.Li ${{a} == {b} ? {c} : {d}}\ncompares\n"
        ".Pq Li == != < <= > >= ,\nnumbers as numbers;\n.Li <level\nand the like compare compatibility levels.\n"
        "A dollar sign is written\n.Li $$ .\n.Pp\n"
        "Times have a unit s, m, h, d or w; without one the unit of the default holds.\n"
        ".Sh PARAMETERS\n.Bl -tag -width Ds\n";
    for (const auto& row : all_parameters()) {
        if (row.is_obsolete() || row.is_legacy()) continue;
        page += fmt::format(".It Ic {} Pq default: {}\n", roff(row.name), roff(default_of(row)));
        auto summary = std::string(row.summary);
        if (!summary.empty()) summary[0] = base::to_upper(summary[0]);
        page += fmt::format("{}.\nType: {}", roff(summary), type_name(row.kind));
        if (row.min != 0 && row.kind != Kind::text && row.kind != Kind::raw)
            page += fmt::format(", at least {}", row.min);
        if (row.max != 0 && row.kind != Kind::text && row.kind != Kind::raw)
            page += fmt::format(", at most {}", row.max);
        page += ".\n";
        if (row.support == Support::refused)
            page += fmt::format("Another value than the default is refused: {}.\n", roff(row.reason));
        if (row.support == Support::without_effect) page += fmt::format("Without effect: {}.\n", roff(row.reason));
        if (row.support == Support::partly) page += fmt::format("Supported in part: {}.\n", roff(row.reason));
    }
    page +=
        ".El\n.Sh PARAMETERS OF SERVICES\nEach delivery agent of master.cf may have its own values, under the name of the "
        "service:\n.Bl -tag -width Ds\n";
    for (const auto& row : service_parameters())
        page += fmt::format(".It Ar service Ns Ic {} Pq default: {}\n{}.\n", roff(row.suffix), roff(row.default_value),
                            roff(row.summary));
    page += ".El\n.Sh SEE ALSO\n.Xr postconf 1 ,\n.Xr master 5\n";
    return page;
}

std::string cell(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (c == '|' || c == '<') out += '\\';
        out += c;
    }
    return out;
}

std::string compatibility_page()
{
    std::map<std::string_view, std::vector<const Parameter*>> areas;
    std::array<int, 4> counts{};
    int legacy = 0, obsolete = 0;
    for (const auto& row : all_parameters()) {
        if (row.is_legacy()) ++legacy;
        if (row.is_obsolete()) ++obsolete;
        if (row.is_obsolete()) continue;
        areas[row.area].push_back(&row);
        ++counts[static_cast<std::size_t>(row.support)];
    }
    std::string page =
        "<!-- Printed from src/config/parameters/*.def by `postconf --ekiden-docs compatibility`. Do not edit. -->\n"
        "# Which parameters of Postfix 3.11 do what in Ekiden\n\n";
    page += fmt::format(
        "{} parameters are known: {} supported, {} supported in part, {} accepted without effect, {} refused when "
        "they are set to another value than the default. {} of them are old names of others. {} further names "
        "are no longer read by any release; they are explained when they are met.\n\n",
        counts[0] + counts[1] + counts[2] + counts[3], counts[0], counts[1], counts[2], counts[3], legacy, obsolete);
    page +=
        "*Refused* means that the server does not start: to go on without it would give less than was written (no TLS where "
        "TLS is demanded, no content filter where one stands). *Without effect* means that nothing gets weaker without it; "
        "a warning with file and line says so. Paths have the values of Debian's packages.\n\n";
    static constexpr std::pair<Support, std::string_view> sections[] = {{Support::refused, "Refused"},
                                                                        {Support::partly, "Supported in part"},
                                                                        {Support::without_effect, "Without effect"}};
    for (const auto& [support, title] : sections) {
        page += fmt::format("## {}\n\n| parameter | why |\n| --- | --- |\n", title);
        for (const auto& [area, rows] : areas)
            for (const auto* row : rows)
                if (row->support == support) page += fmt::format("| `{}` | {} |\n", row->name, cell(row->reason));
        page += "\n";
    }
    page += "## Supported\n\n";
    for (const auto& [area, rows] : areas) {
        std::vector<std::string> names;
        for (const auto* row : rows)
            if (row->support == Support::supported) names.push_back(fmt::format("`{}`", row->name));
        if (!names.empty()) page += fmt::format("- **{}**: {}\n", area, fmt::join(names, ", "));
    }
    page += "\nServices of master.cf that deliver mail may have their own ";
    std::vector<std::string> suffixes;
    for (const auto& row : service_parameters()) suffixes.push_back(fmt::format("`<service>{}`", row.suffix));
    page += fmt::format("{}.\n", fmt::join(suffixes, ", "));
    return page;
}

}  // namespace

std::string generate_page(std::string_view page)
{
    if (page == "man5") return man_page();
    if (page == "compatibility") return compatibility_page();
    throw ConfigError(fmt::format("no such page: {}", page));
}

}  // namespace ekiden::config
