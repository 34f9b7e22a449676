#include "tools/queue_shape.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ekiden::tools {

namespace {

constexpr std::string_view null_sender = "MAILER-DAEMON";    // as listings show it
constexpr std::size_t shortest_name = 18;    // a sign and 17 bytes

// The string that begins at `at`, behind its quotation mark. Only what tells names apart is needed: an escaped character
// stands for itself, and \uXXXX stays as it is.
std::string string_at(std::string_view line, std::size_t at)
{
    std::string text;
    for (; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\' && at + 1 < line.size() && line[at + 1] != 'u') ++at;
        text += line[at];
    }
    return text;
}

std::optional<std::string> field(std::string_view line, std::string_view name)
{
    const std::string key = fmt::format("\"{}\": \"", name);
    const std::size_t at = line.find(key);
    if (at == line.npos) return std::nullopt;
    return string_at(line, at + key.size());
}

}  // namespace

std::optional<QueuedMessage> parse_queued(std::string_view line)
{
    // No quotation mark inside a string is bare, so that none of these keys can be part of one.
    constexpr std::string_view time_key = "\"arrival_time\": ", address_key = "{\"address\": \"";
    const auto queue = field(line, "queue_name"), sender = field(line, "sender");
    const std::size_t at = line.find(time_key);
    if (!queue || !sender || at == line.npos) return std::nullopt;
    QueuedMessage message{*queue, *sender};
    const std::string_view digits = line.substr(at + time_key.size());
    const auto seconds = base::parse_number<std::int64_t>(digits.substr(0, digits.find_first_not_of("0123456789")));
    if (!seconds) return std::nullopt;
    message.arrival_time = *seconds;
    message.id = field(line, "queue_id").value_or("");
    for (std::size_t next = line.find(address_key); next != line.npos; next = line.find(address_key, next + 1))
        message.recipients.push_back(string_at(line, next + address_key.size()));
    return message;
}

QueueShape::QueueShape(ShapeOptions options) : options_(options), total_(options.buckets + 1)
{
    for (std::size_t i = 1; i < options_.buckets; ++i) {
        limits_.push_back(options_.is_linear ? options_.first_minutes * static_cast<std::int64_t>(i)
                                             : options_.first_minutes << (i - 1));
    }
}

void QueueShape::count(std::string_view address, std::size_t bucket)
{
    const std::size_t at = address.rfind('@');
    std::string domain = address == null_sender ? std::string(null_sender)
                         : at == address.npos   ? std::string("local")
                                                : base::lower(address.substr(at + 1));
    Counts& counts = domains_.try_emplace(std::move(domain), options_.buckets + 1).first->second;
    for (Counts* each : {&counts, &total_}) ++(*each)[0], ++(*each)[bucket + 1];
}

void QueueShape::add(const QueuedMessage& message, std::int64_t now)
{
    const std::int64_t minutes = std::max<std::int64_t>(0, now - message.arrival_time) / 60;
    const auto bucket = static_cast<std::size_t>(std::ranges::upper_bound(limits_, minutes) - limits_.begin());
    if (options_.by_sender) return count(message.sender, bucket);
    for (const std::string& recipient : message.recipients) count(recipient, bucket);
}

// Parents of enough domains, with a dot in front; top-level domains are no parents.
std::map<std::string, QueueShape::Counts> QueueShape::with_parents() const
{
    struct Parent {
        Counts counts;
        std::size_t children = 0;
    };
    std::map<std::string, Parent> parents;
    for (const auto& [domain, counts] : domains_) {
        for (std::size_t dot = domain.find('.'); dot != domain.npos; dot = domain.find('.', dot + 1)) {
            if (domain.find('.', dot + 1) == domain.npos) break;
            Parent& parent = parents[domain.substr(dot)];
            parent.counts.resize(counts.size());
            ++parent.children;
            for (std::size_t i = 0; i < counts.size(); ++i) parent.counts[i] += counts[i];
        }
    }
    auto rows = domains_;
    for (auto& [name, parent] : parents) {
        if (parent.children >= options_.min_subdomains) rows.emplace(name, std::move(parent.counts));
    }
    return rows;
}

std::string QueueShape::table() const
{
    std::vector<std::string> heads{"T"};
    for (const std::int64_t limit : limits_) heads.push_back(std::to_string(limit));
    heads.push_back(limits_.empty() ? "0+" : fmt::format("{}+", limits_.back()));
    std::vector<std::size_t> widths;
    std::size_t used = 0;
    for (std::size_t i = 0; i < heads.size(); ++i) {
        widths.push_back(std::max({heads[i].size(), std::to_string(total_[i]).size(), std::size_t{2}}));
        used += 1 + widths.back();
    }
    const std::size_t room = std::max(shortest_name, options_.width > used ? options_.width - used : 0);

    auto all = options_.has_parents ? with_parents() : domains_;
    std::vector<std::pair<std::string, Counts>> rows(all.begin(), all.end());
    std::ranges::sort(rows, [](const auto& a, const auto& b) {
        return a.second[0] != b.second[0] ? a.second[0] > b.second[0] : a.first < b.first;
    });
    if (options_.most_rows > 0 && rows.size() > options_.most_rows) rows.resize(options_.most_rows);

    std::string out(room, ' ');
    for (std::size_t i = 0; i < heads.size(); ++i) out += fmt::format(" {:>{}}", heads[i], widths[i]);
    out += '\n';
    const auto print = [&](std::string name, const Counts& counts) {
        if (name.size() > room) {
            const bool is_parent = name.starts_with('.');
            name = (is_parent ? ".+" : "+") + name.substr(name.size() - (shortest_name - (is_parent ? 2 : 1)));
        }
        out += fmt::format("{:>{}}", base::printable(name), room);
        for (std::size_t i = 0; i < counts.size(); ++i) out += fmt::format(" {:>{}}", counts[i], widths[i]);
        out += '\n';
    };
    print("TOTAL", total_);
    for (const auto& [name, counts] : rows) print(name, counts);
    return out;
}

}  // namespace ekiden::tools
