#include "table/match_list.hpp"

#include "base/text.hpp"
#include "table/maps.hpp"
#include "table/source_lines.hpp"

#include <set>

namespace ekiden::table {

namespace {

constexpr std::size_t max_items = 1'000'000;
constexpr int max_file_depth = 8;

struct Item {
    enum class Kind { name, network, table, bad_network, broken } kind = Kind::name;
    bool is_negated = false;
    std::string text;  // as written; names in lower case
    std::string why;   // of a broken item
    net::Network network;
    Maps table;
};

// Digits and dots with an optional mask, or an address in brackets: what Postfix takes for a network. A name never is.
bool looks_like_network(std::string_view text)
{
    if (text.starts_with('[')) return true;
    if (text.find_first_not_of("0123456789./") == text.npos) return true;
    return text.find(':') != text.npos && net::parse_network(text).has_value();
}

}  // namespace

struct MatchList::Items {
    std::string parameter;
    Kind kind = Kind::names;
    bool matches_parent = false;
    OpenOptions options;
    std::vector<Item> items;
    std::vector<std::string> problems;
    int file_depth = 0;

    void add_all(std::string_view value, bool is_negated)
    {
        for (std::string_view word : base::split_quoted_braces(value)) {
            bool negated = is_negated;
            if (word.starts_with('#')) {
                const auto offset = static_cast<std::size_t>(word.data() - value.data());
                problems.push_back(parameter + ": comment at end of line is not supported: " +
                                   std::string(base::trim_right(value.substr(offset))));
                return;
            }
            while (word.starts_with('!')) {
                negated = !negated;
                word.remove_prefix(1);
            }
            if (word.empty()) {
                add_broken(parameter + ": no pattern after '!'", negated);
            } else {
                add(word, negated);
            }
        }
    }

    void add(std::string_view word, bool negated)
    {
        if (items.size() >= max_items) {
            if (items.size() == max_items) add_broken(parameter + ": too many patterns", negated);
            return;
        }
        if (word.starts_with('/')) return add_file(std::string(word), negated);
        const bool has_addresses = kind == Kind::addresses || kind == Kind::host_and_address;
        Item item;
        item.is_negated = negated;
        if (has_addresses && looks_like_network(word)) {
            auto network = net::parse_network(word);
            item.kind = network ? Item::Kind::network : Item::Kind::bad_network;
            item.text = base::lower(word);
            if (network) item.network = *network;
            else problems.push_back(item.why = parameter + ": " + network.error().text());
        } else if (word.find(':') != word.npos && !word.starts_with('[')) {
            item.kind = Item::Kind::table;
            item.text = word;
            item.table = Maps::open(parameter, word, options);
            problems.insert(problems.end(), item.table.problems().begin(), item.table.problems().end());
        } else {
            item.text = base::lower(word);
        }
        items.push_back(std::move(item));
    }

    void add_file(const std::string& path, bool negated)
    {
        if (file_depth >= max_file_depth) return add_broken(parameter + ": " + path + ": files are nested too deep", negated);
        const auto source = read_source(path);
        if (!source) return add_broken(parameter + ": " + source.error().text(), negated);
        ++file_depth;
        SourceLines lines(source->text, path, [this](const std::string& text) { problems.push_back(text); });
        for (SourceLines::Line line; lines.next(line);) add_all(line.text, negated);
        --file_depth;
        if (lines.error()) add_broken(parameter + ": " + lines.error()->text(), negated);
    }

    void add_broken(std::string why, bool negated)
    {
        problems.push_back(why);
        Item item;
        item.kind = Item::Kind::broken;
        item.is_negated = negated;
        item.why = std::move(why);
        items.push_back(std::move(item));
    }

    Result<bool> ask(const Item& item, std::string_view key) const
    {
        auto answer = item.table.find_now(key);
        if (!answer) return fail(ErrorCode::unavailable, parameter + ": " + item.text + ": table lookup problem");
        return answer->has_value();
    }

    Result<bool> matches_host(const Item& item, std::string_view name) const
    {
        if (name.empty()) return false;
        const bool has_domains = kind != Kind::names;
        if (item.kind == Item::Kind::table) {
            auto found = ask(item, name);
            if (!found || *found || !has_domains) return found;
            // Parent domains: "example.com" or ".example.com", as parent_domain_matches_subdomains says.
            for (std::size_t dot = name.find('.', 1); dot != name.npos; dot = name.find('.', dot + 1)) {
                found = ask(item, name.substr(matches_parent ? dot + 1 : dot));
                if (!found || *found) return found;
            }
            return false;
        }
        if (item.text == name) return true;
        if (item.kind != Item::Kind::name || !has_domains || item.text.empty()) return false;
        if (item.text.starts_with('.')) return !matches_parent && name.size() > item.text.size() && name.ends_with(item.text);
        return matches_parent && name.size() > item.text.size() && name.ends_with(item.text) &&
               name[name.size() - item.text.size() - 1] == '.';
    }

    Result<bool> matches_host(const Item& item, const net::Address& address) const
    {
        if (item.kind == Item::Kind::network) return item.network.contains(address);
        if (item.kind == Item::Kind::table) return ask(item, net::format_address(address));
        return false;
    }

    Result<bool> match(const std::string* name, const net::Address* address) const
    {
        for (const Item& item : items) {
            // Order matters: what stands before a broken item may still decide.
            if (item.kind == Item::Kind::broken || (item.kind == Item::Kind::bad_network && address)) {
                return fail(ErrorCode::unavailable, item.why);
            }
            Result<bool> is_match = false;
            if (name) is_match = matches_host(item, *name);
            if (is_match && !*is_match && address) is_match = matches_host(item, *address);
            if (!is_match) return is_match;
            if (*is_match) return !item.is_negated;
        }
        return false;
    }
};

MatchList MatchList::open(std::string_view parameter, std::string_view value, Kind kind, bool matches_parent,
                          const OpenOptions& options)
{
    auto items = std::make_shared<Items>();
    items->parameter = parameter;
    items->kind = kind;
    items->matches_parent = matches_parent;
    items->options = options;
    items->add_all(value, false);
    MatchList list;
    list.items_ = std::move(items);
    return list;
}

Result<bool> MatchList::matches_name(std::string_view name) const
{
    if (!items_) return false;
    const std::string lowered = base::lower(name);
    return items_->match(&lowered, nullptr);
}

Result<bool> MatchList::matches_address(const net::Address& address) const
{
    if (!items_) return false;
    return items_->match(nullptr, &address);
}

Result<bool> MatchList::matches(std::string_view name, const net::Address& address) const
{
    if (!items_) return false;
    const std::string lowered = base::lower(name);
    return items_->match(&lowered, &address);
}

bool MatchList::is_empty() const { return !items_ || items_->items.empty(); }

const std::vector<std::string>& MatchList::problems() const
{
    static const std::vector<std::string> none;
    return items_ ? items_->problems : none;
}

}  // namespace ekiden::table
