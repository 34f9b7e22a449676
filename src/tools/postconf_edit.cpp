#include "tools/postconf.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"
#include "config/main_cf.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::tools::postconf {

using config::ServiceSpec;

namespace {

void check_result(const Result<void>& result)
{
    if (!result) throw Fatal(result.error().text());
}

bool is_number(std::string_view text) { return !text.empty() && std::ranges::all_of(text, base::is_digit); }

// "-oa=b" and "-v -o { a = b }" as postconf writes them: one word -o, then name=value without needless blanks.
void normalise_options(ServiceSpec& service)
{
    std::vector<std::string> words;
    const auto add_value = [&](const std::string& word) {
        std::string text = word;
        if (const auto inside = config::inside_braces(word)) text = *inside;
        std::string error;
        if (const auto pair = config::split_name_value(text, error)) {
            text = fmt::format("{}={}", pair->name, pair->value);
            const bool has_blank = text.find_first_of(" \t\r\n") != std::string::npos;
            if (has_blank || (text.contains(',') && word.starts_with('{')))
                text = fmt::format("{{{}}}", text);
        } else {
            text = word;
        }
        words.push_back(std::move(text));
    };
    auto& raw = service.raw_arguments;
    std::size_t i = 0;
    for (; i < raw.size() && raw[i].size() > 1 && raw[i].front() == '-'; ++i) {
        const auto o = raw[i].find('o');
        if (o == std::string::npos || !std::ranges::all_of(raw[i].substr(1, o - 1), base::is_alpha)) {
            words.push_back(raw[i]);
            continue;
        }
        if (o > 1) words.push_back(raw[i].substr(0, o));
        words.emplace_back("-o");
        if (o + 1 < raw[i].size())
            add_value(raw[i].substr(o + 1));
        else if (i + 1 < raw.size())
            add_value(raw[++i]);
    }
    for (; i < raw.size(); ++i) {
        const auto inside = config::inside_braces(raw[i]);
        words.push_back(inside && inside->contains(' ') ? fmt::format("{{{}}}", *inside) : raw[i]);
    }
    raw = std::move(words);
}

}  // namespace

void check_field(std::string_view field, std::string_view value, std::string_view context)
{
    static constexpr std::array<std::string_view, 5> types{"inet", "unix", "fifo", "pass", "unix-dgram"};
    bool is_valid = true;
    if (field == "type") is_valid = std::ranges::find(types, value) != types.end();
    if (field == "private" || field == "unprivileged" || field == "chroot")
        is_valid = value == "-" || value == "y" || value == "n";
    if (field == "process_limit") is_valid = value == "-" || is_number(value);
    if (field == "wakeup") {
        auto number = value;
        if (number.ends_with('?')) number.remove_suffix(1);
        is_valid = value == "-" || value == "?" || is_number(number);
    }
    if (!is_valid) throw Fatal(fmt::format("invalid {} field \"{}\" in \"{}\"", field, value, context));
}

ServiceSpec parse_service(const std::string& text, const std::string& path)
{
    auto parsed = config::parse_master_cf(text, path, false);
    if (parsed.size() != 1) throw Fatal(fmt::format("bad field count: \"{}\"", text));
    auto service = std::move(parsed.front());
    check_field("type", service.type, text);
    check_field("private", service.private_field, text);
    check_field("unprivileged", service.unprivileged_field, text);
    check_field("chroot", service.chroot_field, text);
    check_field("wakeup", service.wakeup, text);
    check_field("process_limit", service.max_processes, text);
    normalise_options(service);
    return service;
}

std::vector<ServiceSpec> read_services(const Options& options)
{
    const auto path = options.directory + "/master.cf";
    std::string text;
    try {
        text = config::read_config_file(path);
    } catch (const config::ConfigError& error) {
        // main.cf alone can be shown without it.
        if (options.mode != 'p' || access(path.c_str(), F_OK) == 0) throw;
        warn(options, error.what());
        return {};
    }
    std::vector<ServiceSpec> services;
    for (const auto& line : config::split_logical_lines(text, path)) {
        if (line.starts_blank) {
            warn(options, fmt::format("{}: logical line must not start with whitespace: \"{}\"", path, line.text));
            continue;
        }
        try {
            services.push_back(parse_service(line.text, path));
        } catch (const config::ConfigError&) {
            throw Fatal(fmt::format("file {}: line {}: bad field count", path, line.line));
        }
        services.back().line = line.line;
    }
    return services;
}

void replace_config_file(const std::string& path, const std::string& content)
{
    const auto temporary = path + ".tmp";
    struct stat old {};
    const bool is_new = ::stat(path.c_str(), &old) != 0;
    auto file = base::open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (!file) throw Fatal(file.error().text());
    if (!is_new && (::fchmod(file->get(), (old.st_mode & 07777) | S_IWUSR) != 0
                    || (::fchown(file->get(), old.st_uid, old.st_gid) != 0 && geteuid() == 0))) {
        const auto error = Error::from_errno("fchmod", temporary);
        ::unlink(temporary.c_str());
        throw Fatal(error.text());
    }
    auto result = base::write_all(file->get(), content);
    if (result) result = base::sync_file(file->get());
    if (result && ::rename(temporary.c_str(), path.c_str()) != 0)
        result = fail(Error::from_errno(fmt::format("rename {} to {}", temporary, path)));
    if (!result) ::unlink(temporary.c_str());
    check_result(result);
    const auto slash = path.rfind('/');
    check_result(base::sync_folder(slash == std::string::npos ? "." : path.substr(0, slash)));
}

std::vector<Line> read_lines(const std::string& path, std::vector<std::string>& entries)
{
    const auto text = config::read_config_file(path);
    std::vector<Line> lines;
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto newline = rest.find('\n');
        const auto line = rest.substr(0, newline);
        rest.remove_prefix(newline == std::string_view::npos ? rest.size() : newline + 1);
        const auto body = base::trim(line);
        int entry = -1;
        if (!body.empty() && body.front() != '#') {
            const bool continues = base::is_space(line.front()) && !entries.empty();
            if (!continues) entries.emplace_back();
            entries.back() += line;
            entry = static_cast<int>(entries.size()) - 1;
        }
        lines.push_back({std::string(line), entry});
    }
    return lines;
}

void edit_main(const Options& options)
{
    const auto path = options.directory + "/main.cf";
    struct Edit {
        std::string name, value;
        int seen = 0;
    };
    std::vector<Edit> edits;
    for (const auto& argument : options.names) {
        if (argument.find('\n') != std::string::npos) throw Fatal("-e, -X, or -# accepts no multi-line input");
        if (base::trim(argument).starts_with('#')) throw Fatal("-e, -X, or -# accepts no comment input");
        std::string error;
        const auto pair = config::split_name_value(argument, error);
        Edit edit;
        if (options.is_edit) {
            if (!pair) throw Fatal(error);
            edit = {std::string(pair->name), std::string(pair->value)};
        } else {
            if (pair)
                throw Fatal(options.is_removal ? "-X requires names without value" : "-# requires names without value");
            edit.name = base::trim(argument);
        }
        const auto same = std::ranges::find(edits, edit.name, &Edit::name);
        if (same != edits.end())
            *same = edit;
        else
            edits.push_back(edit);
    }
    std::vector<std::string> entries;
    if (access(path.c_str(), F_OK) != 0) throw Fatal(Error::from_errno("open", path).text());
    const auto lines = read_lines(path, entries);
    std::vector<Edit*> edit_of(entries.size(), nullptr);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        std::string error;
        const auto pair = config::split_name_value(entries[i], error);
        if (!pair || base::is_space(entries[i].front())) continue;
        const auto found = std::ranges::find(edits, pair->name, &Edit::name);
        if (found == edits.end()) continue;
        edit_of[i] = &*found;
        if (++found->seen == 2) warn(options, fmt::format("{}: multiple entries for \"{}\"", path, found->name));
    }
    const auto assignment = [](const Edit& edit) {
        return edit.value.empty() ? edit.name + " =\n" : fmt::format("{} = {}\n", edit.name, edit.value);
    };
    std::string out;
    int last = -1;
    for (const auto& line : lines) {
        const auto* edit = line.entry >= 0 ? edit_of[static_cast<std::size_t>(line.entry)] : nullptr;
        const bool is_first = line.entry != last;
        if (line.entry >= 0) last = line.entry;
        if (edit == nullptr)
            out.append(line.text).append("\n");
        else if (options.is_comment)
            out.append("#").append(line.text).append("\n");
        else if (options.is_edit && is_first)
            out += assignment(*edit);
    }
    if (options.is_edit)
        for (const auto& edit : edits)
            if (edit.seen == 0) out += assignment(edit);
    replace_config_file(path, out);
}

}  // namespace ekiden::tools::postconf
