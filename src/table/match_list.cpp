#include "table/match_list.hpp"

#include "base/fold.hpp"
#include "base/text.hpp"
#include "base/watcher.hpp"
#include "table/maps.hpp"
#include "table/source_lines.hpp"

#include <algorithm>

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

// A name as it is compared, in lower case. Names are short: those of domains need no memory.
class Lowered {
public:
    explicit Lowered(std::string_view text)
    {
        if (text.size() > sizeof short_ || !base::is_ascii(text)) {
            long_ = base::fold_case(text);
            view_ = long_;
            return;
        }
        std::ranges::transform(text, short_, base::to_lower);
        view_ = {short_, text.size()};
    }
    Lowered(const Lowered&) = delete;
    Lowered& operator=(const Lowered&) = delete;
    const std::string_view* view() const { return &view_; }

private:
    char short_[256];
    std::string long_;
    std::string_view view_;
};

}  // namespace

// One pass over a list. Where a table has to be awaited the pass ends with nothing, saying what it wants to know; it is
// begun again with that answer, and the few before it, at hand.
struct MatchList::Walk {
    bool may_block = false;
    struct Known {
        const void* item;
        std::string key;
        Answer answer;
    };
    std::vector<Known> known;
    const Maps* wanted_table = nullptr;
    const void* wanted_item = nullptr;
    std::string wanted_key;
};

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
            item.text = base::fold_case(word);
            if (network) item.network = *network;
            else problems.push_back(item.why = parameter + ": " + network.error().text());
        } else if (word.find(':') != word.npos && !word.starts_with('[')) {
            item.kind = Item::Kind::table;
            item.text = word;
            item.table = Maps::open(parameter, word, options);
            problems.insert(problems.end(), item.table.problems().begin(), item.table.problems().end());
        } else {
            item.text = base::fold_case(word);
        }
        items.push_back(std::move(item));
    }

    void add_file(const std::string& path, bool negated)
    {
        if (file_depth >= max_file_depth)
            return add_broken(parameter + ": " + path + ": files are nested too deep", negated);
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

    using Match = std::optional<Result<bool>>;   // nothing: the walk wants an answer first

    Match ask(const Item& item, std::string_view key, Walk& walk) const
    {
        std::optional<Answer> answer;
        for (const auto& known : walk.known)
            if (known.item == &item && known.key == key) answer = known.answer;
        if (!answer && walk.may_block) answer = item.table.find_now(key);
        if (!answer) answer = item.table.find_at_once(key);
        if (!answer) {
            walk.wanted_table = &item.table;
            walk.wanted_item = &item;
            walk.wanted_key = key;
            return std::nullopt;
        }
        if (!*answer) return fail(ErrorCode::unavailable, parameter + ": " + item.text + ": table lookup problem");
        return (*answer)->has_value();
    }

    Match matches_host(const Item& item, std::string_view name, Walk& walk) const
    {
        if (name.empty()) return false;
        const bool has_domains = kind != Kind::names;
        if (item.kind == Item::Kind::table) {
            Match found = ask(item, name, walk);
            if (!found || !*found || **found || !has_domains) return found;
            // Parent domains: "example.com" or ".example.com", as parent_domain_matches_subdomains says.
            for (std::size_t dot = name.find('.', 1); dot != name.npos; dot = name.find('.', dot + 1)) {
                found = ask(item, name.substr(matches_parent ? dot + 1 : dot), walk);
                if (!found || !*found || **found) return found;
            }
            return false;
        }
        if (item.text == name) return true;
        if (item.kind != Item::Kind::name || !has_domains || item.text.empty()) return false;
        if (item.text.starts_with('.'))
            return !matches_parent && name.size() > item.text.size() && name.ends_with(item.text);
        return matches_parent && name.size() > item.text.size() && name.ends_with(item.text) &&
               name[name.size() - item.text.size() - 1] == '.';
    }

    Match matches_host(const Item& item, const net::Address& address, Walk& walk) const
    {
        if (item.kind == Item::Kind::network) return item.network.contains(address);
        if (item.kind == Item::Kind::table) return ask(item, net::format_address(address), walk);
        return false;
    }

    Match match(const std::string_view* name, const net::Address* address, Walk& walk) const
    {
        for (const Item& item : items) {
            // Order matters: what stands before a broken item may still decide.
            if (item.kind == Item::Kind::broken || (item.kind == Item::Kind::bad_network && address)) {
                return fail(ErrorCode::unavailable, item.why);
            }
            Match is_match = false;
            if (name) is_match = matches_host(item, *name, walk);
            if (is_match && *is_match && !**is_match && address) is_match = matches_host(item, *address, walk);
            if (!is_match || !*is_match) return is_match;
            if (!**is_match) continue;
            if (base::Watcher* watcher = base::watcher()) {
                const bool is_name = name && !name->empty() && item.kind != Item::Kind::network;
                const std::string asked = is_name   ? std::string(*name)
                                          : address ? net::format_address(*address)
                                                    : std::string();
                watcher->note("match", parameter, asked, item.is_negated ? "no" : "yes", item.text);
            }
            return !item.is_negated;
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

Task<Result<bool>> MatchList::walk(std::shared_ptr<const Items> items, std::optional<std::string> name,
                                   std::optional<net::Address> address)
{
    if (!items) co_return false;
    const std::string lowered = name ? base::fold_case(*name) : std::string();
    const std::string_view view = lowered;
    for (Walk walk;;) {
        const Items::Match match = items->match(name ? &view : nullptr, address ? &*address : nullptr, walk);
        if (match) co_return *match;
        Answer answer =
            co_await walk.wanted_table->find(walk.wanted_key, items->options.log ? &*items->options.log : nullptr);
        walk.known.push_back({walk.wanted_item, std::move(walk.wanted_key), std::move(answer)});
    }
}

Task<Result<bool>> MatchList::matches_name(std::string name) const
{
    return walk(items_, std::move(name), std::nullopt);
}
Task<Result<bool>> MatchList::matches_address(net::Address address) const
{
    return walk(items_, std::nullopt, std::move(address));
}
Task<Result<bool>> MatchList::matches(std::string name, net::Address address) const
{
    return walk(items_, std::move(name), std::move(address));
}

std::optional<Result<bool>> MatchList::matches_name_at_once(std::string_view name) const
{
    if (!items_) return false;
    Walk walk;
    return items_->match(Lowered(name).view(), nullptr, walk);
}

std::optional<Result<bool>> MatchList::matches_address_at_once(const net::Address& address) const
{
    if (!items_) return false;
    Walk walk;
    return items_->match(nullptr, &address, walk);
}

std::optional<Result<bool>> MatchList::matches_at_once(std::string_view name, const net::Address& address) const
{
    if (!items_) return false;
    Walk walk;
    return items_->match(Lowered(name).view(), &address, walk);
}

Result<bool> MatchList::matches_name_now(std::string_view name) const
{
    if (!items_) return false;
    Walk walk{.may_block = true};
    return *items_->match(Lowered(name).view(), nullptr, walk);
}

Result<bool> MatchList::matches_address_now(const net::Address& address) const
{
    if (!items_) return false;
    Walk walk{.may_block = true};
    return *items_->match(nullptr, &address, walk);
}

Result<bool> MatchList::matches_now(std::string_view name, const net::Address& address) const
{
    if (!items_) return false;
    Walk walk{.may_block = true};
    return *items_->match(Lowered(name).view(), &address, walk);
}

bool MatchList::is_empty() const { return !items_ || items_->items.empty(); }

bool MatchList::has_tables() const
{
    return items_ &&
           std::ranges::any_of(items_->items, [](const Item& item) { return item.kind == Item::Kind::table; });
}

const std::vector<std::string>& MatchList::problems() const
{
    static const std::vector<std::string> none;
    return items_ ? items_->problems : none;
}

}  // namespace ekiden::table
