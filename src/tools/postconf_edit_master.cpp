#include "tools/postconf.hpp"

#include "base/text.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace ekiden::tools::postconf {

using config::ServiceSpec;

namespace {

// One argument of -M, -F or -P with -e, -X or -#: service/type[/third][=value].
struct Edit {
    std::string text;
    std::vector<std::string> parts;
    std::string value;
    bool is_matched = false;
};

std::string_view shape_complaint(const Options& options)
{
    if (options.mode == 'M') return "-Me, -MX or -M# requires service_name/type";
    if (options.mode == 'F') return "-Fe or -FX requires service_name/type/field_name";
    return "-Pe or -PX requires service_name/type/parameter";
}

Edit parse_edit(const Options& options, const std::string& argument)
{
    if (argument.find('\n') != std::string::npos) throw Fatal("-e, -X, or -# accepts no multi-line input");
    if (base::trim(argument).starts_with('#')) throw Fatal("-e, -X, or -# accepts no comment input");
    Edit edit{argument, {}, {}};
    std::string target(base::trim(argument));
    if (!options.is_edit && argument.contains('='))
        throw Fatal(options.is_removal ? "-X requires names without value" : "-# requires names without value");
    if (options.is_edit) {
        std::string error;
        const auto pair = config::split_name_value(argument, error);
        if (!pair) throw Fatal(error);
        target = pair->name;
        edit.value = pair->value;
    }
    for (const auto part : base::split(target, '/')) edit.parts.emplace_back(part);
    const std::size_t wanted = options.mode == 'M' ? 2 : 3;
    if (edit.parts.size() != wanted || std::ranges::any_of(edit.parts, &std::string::empty))
        throw Fatal(std::string(shape_complaint(options)));
    if (options.mode == 'P' && edit.value.find_first_of(" \t\r\n") != std::string::npos)
        throw Fatal("-Pe does not accept whitespace in parameter value");
    return edit;
}

void set_field(ServiceSpec& service, const std::string& field, const std::string& value)
{
    using Member = std::string ServiceSpec::*;
    static constexpr std::array<std::pair<std::string_view, Member>, 7> members{{
        {"service", &ServiceSpec::name},
        {"type", &ServiceSpec::type},
        {"private", &ServiceSpec::private_field},
        {"unprivileged", &ServiceSpec::unprivileged_field},
        {"chroot", &ServiceSpec::chroot_field},
        {"wakeup", &ServiceSpec::wakeup},
        {"process_limit", &ServiceSpec::max_processes},
    }};
    if (field == "command") {
        const auto parsed = parse_service("x unix - - n - - " + value, "command line");
        service.command = parsed.command;
        service.raw_arguments = parsed.raw_arguments;
        return;
    }
    const auto member = std::ranges::find(members, field, &std::pair<std::string_view, Member>::first);
    if (member == members.end()) throw Fatal(fmt::format("invalid service attribute name: \"{}\"", field));
    check_field(field, value, value);
    service.*(member->second) = value;
}

// Where the options end: the first word that is none.
std::size_t end_of_options(const std::vector<std::string>& words)
{
    std::size_t i = 0;
    while (i < words.size() && words[i].size() > 1 && words[i].front() == '-') i += words[i] == "-o" ? 2 : 1;
    return std::min(i, words.size());
}

bool sets(const std::string& word, const std::string& name)
{
    std::string error;
    const auto inside = config::inside_braces(word);
    const auto pair = config::split_name_value(inside ? *inside : std::string_view(word), error);
    return pair && pair->name == name;
}

void set_parameter(ServiceSpec& service, const std::string& name, const std::optional<std::string>& value)
{
    auto& words = service.raw_arguments;
    bool is_done = !value.has_value();
    for (std::size_t i = 0; i + 1 < end_of_options(words);) {
        if (words[i] != "-o") {
            ++i;
            continue;
        }
        const auto at = words.begin() + static_cast<std::ptrdiff_t>(i);
        if (!sets(words[i + 1], name)) {
            i += 2;
        } else if (is_done) {
            words.erase(at, at + 2);
        } else {
            words[i + 1] = fmt::format("{}={}", name, *value);
            is_done = true;
            i += 2;
        }
    }
    if (is_done) return;
    const auto at = words.begin() + static_cast<std::ptrdiff_t>(end_of_options(words));
    const std::string pair[] = {"-o", fmt::format("{}={}", name, *value)};
    words.insert(at, std::begin(pair), std::end(pair));
}

// What an entry becomes: its old lines, new text, nothing, or a comment.
enum class Fate { kept, rewritten, removed, commented };

Fate apply(const Options& options, std::vector<Edit>& edits, ServiceSpec& service, const std::string& path)
{
    Fate fate = Fate::kept;
    const std::string name = service.name, type = service.type;
    for (auto& edit : edits) {
        if (!((edit.parts[0] == "*" || edit.parts[0] == name) && (edit.parts[1] == "*" || edit.parts[1] == type)))
            continue;
        const bool is_repeated = edit.is_matched;
        edit.is_matched = true;
        if (options.mode == 'M') {
            if (options.is_removal) return Fate::removed;
            if (options.is_comment) return Fate::commented;
            if (is_repeated) return Fate::removed;
            service = parse_service(edit.value, path);
        } else if (options.mode == 'F') {
            set_field(service, edit.parts[2], edit.value);
        } else {
            set_parameter(service, edit.parts[2], options.is_edit ? std::optional(edit.value) : std::nullopt);
        }
        fate = Fate::rewritten;
    }
    return fate;
}

}  // namespace

void edit_master(const Options& options)
{
    const auto path = options.directory + "/master.cf";
    std::vector<Edit> edits;
    for (const auto& argument : options.names) edits.push_back(parse_edit(options, argument));
    for (const auto& edit : edits) {
        if (options.mode == 'F') {
            ServiceSpec probe;
            set_field(probe, edit.parts[2], edit.value);
        }
        if (options.mode == 'M' && options.is_edit) {
            try {
                parse_service(edit.value, path);
            } catch (const config::ConfigError&) {
                throw Fatal(fmt::format("bad field count: \"{}\"", edit.text));
            }
        }
    }
    std::vector<std::string> entries;
    const auto lines = read_lines(path, entries);
    std::vector<Fate> fates(entries.size(), Fate::kept);
    std::vector<std::string> rewritten(entries.size());
    std::vector<int> last_line(entries.size(), 0);
    for (std::size_t i = 0; i < lines.size(); ++i)
        if (lines[i].entry >= 0) last_line[static_cast<std::size_t>(lines[i].entry)] = static_cast<int>(i);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (base::is_space(entries[i].front())) continue;
        ServiceSpec service;
        try {
            service = parse_service(entries[i], path);
        } catch (const config::ConfigError&) {
            throw Fatal(fmt::format("file {}: bad field count: \"{}\"", path, entries[i]));
        }
        fates[i] = apply(options, edits, service, path);
        if (fates[i] == Fate::rewritten) rewritten[i] = format_service(service, true) + "\n";
    }
    for (const auto& edit : edits)
        if (!edit.is_matched && options.mode != 'M')
            warn(options, fmt::format("unmatched service_name/type: \"{}\"", edit.text));
    std::string out;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto& line = lines[i];
        const auto entry = static_cast<std::size_t>(line.entry);
        const auto fate = line.entry < 0 ? Fate::kept : fates[entry];
        if (fate == Fate::kept) out.append(line.text).append("\n");
        if (fate == Fate::commented) out.append("#").append(line.text).append("\n");
        // Comments inside the old entry stay in front of the new one.
        if (fate == Fate::rewritten && last_line[entry] == static_cast<int>(i)) out += rewritten[entry];
    }
    if (options.mode == 'M' && options.is_edit)
        for (const auto& edit : edits)
            if (!edit.is_matched) out += format_service(parse_service(edit.value, path), true) + "\n";
    replace_config_file(path, out);
}

}  // namespace ekiden::tools::postconf
