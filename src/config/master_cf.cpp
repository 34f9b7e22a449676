#include "config/master_cf.hpp"

#include "base/text.hpp"
#include "config/main_cf.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace ekiden::config {

namespace {

constexpr std::size_t field_count = 8;
constexpr std::array<std::string_view, 5> types{"inet", "unix", "unix-dgram", "fifo", "pass"};

// One entry's words: `{ … }` is one word, with its braces.
class Words {
public:
    Words(std::string_view text, bool is_strict) : whole_(text), text_(text), is_strict_(is_strict) {}

    std::string_view next()
    {
        text_ = text_.substr(std::min(text_.size(), text_.find_first_not_of(" \t\r\n\f\v")));
        if (text_.empty()) return {};
        if (text_.front() == '{') {
            const auto end = end_of_group(text_, '{', '}');
            if (!end && is_strict_) throw ConfigError(fmt::format("missing '}}' in \"{}\"", text_));
            return take(end.value_or(text_.size()));
        }
        // A blank inside braces ends no word, wherever they open: "-o name={a b}", "name=${x?{a b}}".
        std::size_t end = 0;
        while (end < text_.size() && !base::is_space(text_[end])) {
            const auto group = text_[end] == '{' ? end_of_group(text_.substr(end), '{', '}') : std::optional<std::size_t>(1);
            end += group.value_or(1);
        }
        return take(end);
    }

    // Where the last word begins in the text.
    std::size_t offset() const { return offset_; }

private:
    std::string_view take(std::size_t length)
    {
        const auto word = text_.substr(0, length);
        offset_ = whole_.size() - text_.size();
        text_.remove_prefix(length);
        return word;
    }

    std::string_view whole_, text_;
    std::size_t offset_ = 0;
    bool is_strict_;
};

// The inside of a group; an unbalanced one (kept when not strict) loses its first brace only.
std::string unwrapped(std::string_view word)
{
    if (!word.starts_with('{')) return std::string(word);
    if (const auto inside = inside_braces(word)) return std::string(*inside);
    return std::string(base::trim(word.substr(1)));
}

bool is_number(std::string_view text) { return !text.empty() && std::ranges::all_of(text, base::is_digit); }

bool is_wakeup(std::string_view text)
{
    if (text.ends_with('?')) text.remove_suffix(1);
    return text == "-" || is_number(text);
}

bool is_flag(std::string_view text) { return text == "-" || text == "y" || text == "n"; }

// Options come first: -v, -D, -o name=value; what follows the first word that is none is the program's own. `lines` are
// those of the arguments.
void read_options(ServiceSpec& spec, const std::vector<int>& lines, bool is_strict)
{
    const auto add = [&](const std::string& text, std::size_t argument) {
        std::string error;
        const auto pair = split_name_value(text, error);
        if (pair) {
            spec.overrides.emplace_back(pair->name, pair->value);
            spec.override_lines.push_back(lines[argument]);
        } else if (is_strict)
            throw ConfigError(error);
    };
    const auto& words = spec.arguments;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto& word = words[i];
        if (!word.starts_with('-') || word == "-" || word == "--") return;
        for (std::size_t at = 1; at < word.size(); ++at) {
            if (word[at] == 'v') {
                ++spec.verbosity;
                continue;
            }
            if (word[at] != 'o') continue;
            if (at + 1 < word.size())
                add(unwrapped(word.substr(at + 1)), i);
            else if (i + 1 < words.size())
                ++i, add(words[i], i);
            else if (is_strict)
                throw ConfigError("option -o without name=value");
            break;
        }
    }
}

ServiceSpec parse_entry(const LogicalLine& line, bool is_strict)
{
    ServiceSpec spec;
    Words words(line.text, is_strict);
    std::array<std::string, field_count> fields;
    for (auto& field : fields) {
        field = words.next();
        if (field.empty()) throw ConfigError("bad field count");
    }
    spec.name = fields[0];
    spec.type = fields[1];
    spec.private_field = fields[2];
    spec.unprivileged_field = fields[3];
    spec.chroot_field = fields[4];
    spec.wakeup = fields[5];
    spec.max_processes = fields[6];
    spec.command = fields[7];
    if (is_strict) {
        if (std::ranges::find(types, spec.type) == types.end())
            throw ConfigError(fmt::format("bad transport type: {}", spec.type));
        const auto bad = [](std::string_view what, std::string_view value) {
            throw ConfigError(fmt::format("field \"{}\": bad value: \"{}\"", what, value));
        };
        if (!is_flag(spec.private_field)) bad("private", spec.private_field);
        if (!is_flag(spec.unprivileged_field)) bad("unprivileged", spec.unprivileged_field);
        if (!is_flag(spec.chroot_field)) bad("chroot", spec.chroot_field);
        if (!is_wakeup(spec.wakeup)) bad("wakeup", spec.wakeup);
        if (spec.max_processes != "-" && !is_number(spec.max_processes)) bad("process_limit", spec.max_processes);
        if (spec.type == "inet" && spec.private_field != "n")
            throw ConfigError("inet service cannot be private");
        if (spec.command.find('/') != std::string::npos)
            throw ConfigError(fmt::format("field \"command\": bad value: \"{}\"", spec.command));
    }
    spec.is_private = spec.private_field != "n";
    spec.is_unprivileged = spec.unprivileged_field != "n";
    spec.is_chroot = spec.chroot_field == "y";  // "-" is n since Postfix 3.0
    std::vector<int> lines;
    for (auto word = words.next(); !word.empty(); word = words.next()) {
        lines.push_back(line.line_at(words.offset()));
        spec.raw_arguments.emplace_back(word);
        spec.arguments.push_back(unwrapped(word));
    }
    read_options(spec, lines, is_strict);
    spec.line = line.line;
    return spec;
}

}  // namespace

int ServiceSpec::process_limit(int fallback) const
{
    return base::parse_number<int>(max_processes).value_or(fallback);
}

std::vector<ServiceSpec> parse_master_cf(std::string_view text, const std::string& path, bool is_strict)
{
    std::vector<ServiceSpec> services;
    for (const auto& line : split_logical_lines(text, path)) {
        if (line.starts_blank) continue;  // Postfix warns (settings) and goes on without it
        try {
            services.push_back(parse_entry(line, is_strict));
        } catch (const ConfigError& error) {
            throw ConfigError(fmt::format("{}: line {}: {}", path, line.line, error.what()), {path, line.line});
        }
        services.back().file = path;
    }
    return services;
}

std::vector<ServiceSpec> read_master_cf(const std::string& path, bool is_strict)
{
    return parse_master_cf(read_config_file(path), path, is_strict);
}

bool is_disabled(const ServiceSpec& service, std::string_view master_service_disable)
{
    for (std::string_view word : base::split_any(master_service_disable)) {
        const bool keeps = word.starts_with('!');
        if (keeps) word.remove_prefix(1);
        const std::size_t at = word.find_last_of("/.");
        const bool has_name = at != word.npos;
        if (word.substr(has_name ? at + 1 : 0) != service.type) continue;
        if (!has_name || word.substr(0, at) == service.name) return !keeps;
    }
    return false;
}

}  // namespace ekiden::config
