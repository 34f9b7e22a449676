#include "deliver/pipe_options.hpp"

#include "base/text.hpp"
#include "deliver/mailbox_file.hpp"
#include "mail/address.hpp"

#include <algorithm>
#include <optional>

namespace ekiden::deliver {

namespace {

// eol=\r\n
std::string unescape(std::string_view text)
{
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            result += text[i];
            continue;
        }
        char c = text[++i];
        constexpr std::string_view letters = "abfnrtv", values = "\a\b\f\n\r\t\v";
        if (auto at = letters.find(c); at != letters.npos) {
            result += values[at];
        } else if (c >= '0' && c <= '7') {
            int value = 0;
            std::size_t end = std::min(text.size(), i + 3);
            for (; i < end && text[i] >= '0' && text[i] <= '7'; ++i) value = value * 8 + (text[i] - '0');
            --i;
            result += static_cast<char>(value);
        } else {
            result += c;
        }
    }
    return result;
}

struct Flag {
    char letter;
    bool PipeOptions::* option;
};
constexpr Flag flags[] = {
    {'B', &PipeOptions::ends_with_blank_line}, {'D', &PipeOptions::has_delivered_to}, {'F', &PipeOptions::has_from_line},
    {'O', &PipeOptions::has_original_to},      {'R', &PipeOptions::has_return_path},  {'X', &PipeOptions::is_final},
    {'h', &PipeOptions::folds_domain},         {'q', &PipeOptions::quotes_addresses}, {'u', &PipeOptions::folds_local},
    {'.', &PipeOptions::quotes_dots},          {'>', &PipeOptions::quotes_from},
};

std::string shown_recipient(const PipeOptions& options, std::string_view address)
{
    auto parts = mail::split_address(address);
    std::string local = options.folds_local ? base::lower(parts.local) : std::string(parts.local);
    if (options.quotes_addresses) local = mail::quote_local_part(local);
    if (!parts.has_domain) return local;
    return local + "@" + (options.folds_domain ? base::lower(parts.domain) : std::string(parts.domain));
}

// A macro's value for `recipient`; nothing for a name that is unknown.
std::optional<std::string> macro(std::string_view name, const PipeOptions& options, const Job& job,
                                 const mail::Recipient& recipient, std::string_view delimiter)
{
    const mail::Envelope& envelope = *job.envelope;
    auto parts = mail::split_address(recipient.address);
    auto [user, extension] = mail::split_extension(parts.local, delimiter);
    auto folded = [](std::string_view text, bool folds) { return folds ? base::lower(text) : std::string(text); };
    if (name == "sender") {
        if (envelope.sender.empty())
            return options.quotes_addresses && !options.null_sender.empty() ? mail::quote_address(options.null_sender)
                                                                            : options.null_sender;
        return options.quotes_addresses ? mail::quote_address(envelope.sender) : envelope.sender;
    }
    if (name == "recipient") return shown_recipient(options, recipient.address);
    if (name == "original_recipient")
        return shown_recipient(options, recipient.original.empty() ? recipient.address : recipient.original);
    if (name == "user") return folded(user, options.folds_local);
    if (name == "extension")
        return folded(extension.substr(std::min<std::size_t>(1, extension.size())), options.folds_local);
    if (name == "mailbox") return folded(parts.local, options.folds_local);
    if (name == "domain") return folded(parts.domain, options.folds_domain);
    if (name == "nexthop") return folded(job.next_hop, options.folds_domain);
    if (name == "size") return std::to_string(job.content->size());
    if (name == "queue_id") return format(envelope.id);
    if (name == "client_address") return envelope.origin.client_address;
    if (name == "client_helo") return envelope.origin.helo_name;
    if (name == "client_hostname") return envelope.origin.client_name;
    if (name == "client_port") return envelope.origin.client_port;
    if (name == "client_protocol") return envelope.origin.protocol;
    if (name == "sasl_method") return envelope.origin.sasl_method;
    if (name == "sasl_sender") return envelope.origin.sasl_sender;
    if (name == "sasl_username") return envelope.origin.sasl_username;
    return std::nullopt;
}

constexpr std::string_view all_macros[] = {
    "sender",         "recipient",   "original_recipient", "user",            "extension",   "mailbox",
    "domain",         "nexthop",     "size",               "queue_id",        "client_address", "client_helo",
    "client_hostname", "client_port", "client_protocol",    "sasl_method",     "sasl_sender", "sasl_username",
};
constexpr std::string_view recipient_macros[] = {"recipient", "original_recipient", "user", "extension", "mailbox",
                                                 "domain"};

struct Piece {
    std::string_view text;     // literal text, or a macro's name
    bool is_macro = false;
};

// "$name", "${name}", "$(name)", "$$". Values are put in as they are: what an address holds is never looked at again.
std::vector<Piece> split_macros(std::string_view text)
{
    std::vector<Piece> pieces;
    while (!text.empty()) {
        std::size_t dollar = text.find('$');
        if (dollar != 0) pieces.push_back({text.substr(0, dollar), false});
        if (dollar == text.npos) return pieces;
        text.remove_prefix(dollar + 1);
        if (text.starts_with('$')) {
            pieces.push_back({text.substr(0, 1), false});
            text.remove_prefix(1);
            continue;
        }
        char close = text.starts_with('{') ? '}' : text.starts_with('(') ? ')' : '\0';
        if (close) {
            std::size_t end = text.find(close);
            if (end == text.npos) end = text.size();
            pieces.push_back({text.substr(1, end - 1), true});
            text.remove_prefix(std::min(text.size(), end + 1));
            continue;
        }
        std::size_t end = 0;
        while (end < text.size() && (base::is_alnum(text[end]) || text[end] == '_')) ++end;
        pieces.push_back({text.substr(0, end), true});
        text.remove_prefix(end);
    }
    return pieces;
}

}  // namespace

PipeOptions PipeOptions::from(const config::ServiceSpec& service)
{
    PipeOptions options;
    auto refuse = [&service](std::string text) {
        throw config::ConfigError(fmt::format("{}: line {}: {}", service.file, service.line, text),
                                  {service.file, service.line});
    };
    const auto& words = service.arguments;
    for (std::size_t i = 0; i < words.size(); ++i) {
        std::string_view word = words[i];
        if (word == "-v") continue;
        if (word == "-o" || word == "-n" || word == "-t") {
            ++i;
            continue;
        }
        std::size_t equals = word.find('=');
        std::string_view name = word.substr(0, equals), value = equals == word.npos ? "" : word.substr(equals + 1);
        if (word.starts_with('-')) continue;
        if (name == "argv") {
            options.command.emplace_back(value);
            options.command.insert(options.command.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                   words.end());
            if (value.empty()) options.command.erase(options.command.begin());
            break;
        }
        if (name == "flags") {
            for (char letter : value) {
                auto flag = std::ranges::find(flags, letter, &Flag::letter);
                if (flag == std::end(flags)) refuse(fmt::format("unknown pipe flag: {}", letter));
                options.*(flag->option) = true;
            }
        } else if (name == "user") {
            std::size_t colon = value.find(':');
            options.user = value.substr(0, colon);
            if (colon != value.npos) options.group = value.substr(colon + 1);
        } else if (name == "directory") {
            options.directory = value;
        } else if (name == "null_sender") {
            options.null_sender = value;
        } else if (name == "eol") {
            options.line_end = unescape(value);
        } else if (name == "size") {
            auto number = base::parse_number<std::uint64_t>(value);
            if (!number) refuse(fmt::format("bad size limit: {}", value));
            options.size_limit = *number;
        } else if (name == "chroot") {
            if (!value.starts_with('/')) refuse(fmt::format("chroot= needs an absolute path: {}", value));
            options.root = value;
        } else {
            refuse(fmt::format("unknown attribute name: {}", name));
        }
    }
    if (options.user.empty()) refuse("missing user= command-line attribute");
    if (options.command.empty()) refuse("missing argv= command-line attribute");
    return options;
}

std::vector<std::string> pipe_arguments(const PipeOptions& options, const Job& job, std::string_view delimiter)
{
    std::vector<std::string> arguments;
    for (const std::string& word : options.command) {
        auto pieces = split_macros(word);
        bool is_for_each = std::ranges::any_of(pieces, [](const Piece& p) {
            return p.is_macro && std::ranges::find(recipient_macros, p.text) != std::end(recipient_macros);
        });
        for (std::uint32_t recipient : job.recipients) {
            std::string argument;
            for (const Piece& piece : pieces) {
                if (!piece.is_macro) argument += piece.text;
                else
                    argument +=
                        macro(piece.text, options, job, job.envelope->recipients[recipient], delimiter).value_or("");
            }
            arguments.push_back(std::move(argument));
            if (!is_for_each) break;
        }
    }
    return arguments;
}

std::string unknown_macro(const PipeOptions& options)
{
    for (const std::string& word : options.command) {
        for (const Piece& piece : split_macros(word)) {
            if (piece.is_macro && std::ranges::find(all_macros, piece.text) == std::end(all_macros))
                return std::string(piece.text);
        }
    }
    return {};
}

std::string pipe_prefix(const PipeOptions& options, const Job& job)
{
    const mail::Recipient& to = job.envelope->recipients[job.recipients.front()];
    std::string sender = job.envelope->sender.empty() ? options.null_sender : mail::quote_address(job.envelope->sender),
                prefix;
    auto line = [&](std::string text) { prefix += text + options.line_end; };
    if (options.has_from_line) {
        std::string text = from_line(job.envelope->sender.empty() ? options.null_sender : job.envelope->sender);
        text.pop_back();
        line(std::move(text));
    }
    if (options.has_return_path) line("Return-Path: <" + sender + ">");
    if (options.has_original_to)
        line("X-Original-To: " + mail::quote_address(to.original.empty() ? to.address : to.original));
    if (options.has_delivered_to) line("Delivered-To: " + mail::quote_address(to.address));
    return prefix;
}

}  // namespace ekiden::deliver
