// static, inline, fail, internal, debug, unionmap, pipemap, randmap: tables whose content stands in their name; and rules that do.
#include "table/dictionary_table.hpp"
#include "table/openers.hpp"

#include "base/random.hpp"
#include "base/text.hpp"

#include <algorithm>

namespace ekiden::table {

namespace {

class StaticTable final : public Table {
public:
    StaticTable(const OpenRequest& request, std::string value) : Table(request.spec), value_(std::move(value)) {}
    Answer lookup(std::string_view) const override { return value_; }

private:
    std::string value_;
};

class FailTable final : public Table {
public:
    explicit FailTable(const OpenRequest& request) : Table(request.spec) {}
    Answer lookup(std::string_view) const override { return fail(ErrorCode::unavailable, std::string(no_reason)); }
};

// internal: a table in memory that lives as long as a process and starts empty. Nobody fills those that parameters name.
class InternalTable final : public Table {
public:
    explicit InternalTable(const OpenRequest& request) : Table(request.spec) {}
    Answer lookup(std::string_view) const override { return std::nullopt; }
};

// debug:type:name logs each key and what came of it.
class DebugTable final : public Table {
public:
    DebugTable(const OpenRequest& request, TablePtr table)
        : Table(request.spec), table_(std::move(table)),
          log_(request.options.log ? *request.options.log : Logger("postfix"))
    {
    }
    Answer lookup(std::string_view key) const override { return said(key, table_->lookup(key)); }
    bool may_block() const override { return table_->may_block(); }
    std::optional<Answer> lookup_at_once(std::string_view key) const override
    {
        auto answer = table_->lookup_at_once(key);
        if (answer) return said(key, std::move(*answer));
        return std::nullopt;
    }
    bool has_patterns() const override { return table_->has_patterns(); }
    bool is_stale() const override { return table_->is_stale(); }

private:
    Answer said(std::string_view key, Answer answer) const
    {
        if (!answer) log_.info("{} lookup: \"{}\" = error", table_->spec(), key);
        else if (!*answer) log_.info("{} lookup: \"{}\" = not_found", table_->spec(), key);
        else log_.info("{} lookup: \"{}\" = \"{}\"", table_->spec(), key, **answer);
        return answer;
    }
    TablePtr table_;
    Logger log_;
};

class RandomTable final : public Table {
public:
    RandomTable(const OpenRequest& request, std::vector<std::string> values)
        : Table(request.spec), values_(std::move(values))
    {
    }
    Answer lookup(std::string_view) const override { return values_[base::random_below(values_.size())]; }

private:
    std::vector<std::string> values_;
};

// unionmap joins what every table answers with commas; pipemap asks each table with the answer of the one before.
class CombinedTable final : public Table {
public:
    CombinedTable(const OpenRequest& request, std::vector<TablePtr> parts)
        : Table(request.spec), is_pipe_(request.type == "pipemap"), parts_(std::move(parts))
    {
    }
    Answer lookup(std::string_view key) const override { return is_pipe_ ? pipe(key) : unite(key); }
    bool may_block() const override { return std::ranges::any_of(parts_, &Table::may_block); }
    bool has_patterns() const override { return std::ranges::any_of(parts_, &Table::has_patterns); }
    bool is_stale() const override { return std::ranges::any_of(parts_, &Table::is_stale); }

private:
    Answer pipe(std::string_view key) const
    {
        std::optional<std::string> value(key);
        for (const auto& part : parts_) {
            auto answer = part->lookup(*value);
            if (!answer || !*answer) return answer;
            value = std::move(*answer);
        }
        return value;
    }
    Answer unite(std::string_view key) const
    {
        std::optional<std::string> value;
        for (const auto& part : parts_) {
            auto answer = part->lookup(key);
            if (!answer) return answer;
            if (!*answer) continue;
            if (value) value->append(",").append(**answer);
            else value = std::move(*answer);
        }
        return value;
    }
    bool is_pipe_;
    std::vector<TablePtr> parts_;
};

// The text between the braces of `{ … }`.
std::optional<std::string_view> inside_braces(std::string_view text)
{
    text = base::trim(text);
    if (text.size() < 2 || text.front() != '{' || text.back() != '}') return std::nullopt;
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '{') ++depth;
        if (text[i] == '}' && --depth == 0 && i + 1 < text.size()) return std::nullopt;  // "{a}{b}"
    }
    if (depth != 0) return std::nullopt;
    return base::trim(text.substr(1, text.size() - 2));
}

std::unexpected<Error> bad_syntax(const OpenRequest& request, std::string_view what, std::string_view members)
{
    return fail(ErrorCode::syntax, std::string(what) + ": \"" + request.spec + "\"; need \"" +
                                       std::string(request.type) + ":{" + std::string(members) + "...}\"");
}

std::optional<std::vector<std::string_view>> members_of(const OpenRequest& request)
{
    const auto inside = inside_braces(request.name);
    if (!inside) return std::nullopt;
    auto members = base::split_quoted_braces(*inside);
    if (members.empty()) return std::nullopt;
    return members;
}

}  // namespace

Result<TablePtr> open_static(const OpenRequest& request)
{
    const auto inside = inside_braces(request.name);
    return std::make_shared<StaticTable>(request, inside ? std::string(*inside) : request.name);
}

Result<TablePtr> open_inline(const OpenRequest& request)
{
    const auto members = members_of(request);
    if (!members) return bad_syntax(request, "bad syntax", "name=value");
    Dictionary entries;
    for (std::string_view member : *members) {
        const std::string_view pair = inside_braces(member).value_or(member);
        const std::size_t equals = pair.find('=');
        if (equals == pair.npos) return bad_syntax(request, "missing '=' after attribute name", "name=value");
        const std::string_view key = base::trim(pair.substr(0, equals));
        const std::string_view value = base::trim(pair.substr(equals + 1));
        entries.set(folded(key, request.options), std::string(value));
    }
    return std::make_shared<DictionaryTable<Table>>(std::move(entries), request.options.fold_keys, request.spec);
}

Result<std::optional<std::string>> inline_rules(const OpenRequest& request)
{
    if (!request.name.starts_with('{')) return std::nullopt;
    const auto members = members_of(request);
    if (!members) return bad_syntax(request, "bad syntax", "{rule}");
    std::string text;
    for (std::string_view member : *members) {
        const auto rule = inside_braces(member);
        if (!rule) return bad_syntax(request, "bad syntax", "{rule}");
        const std::size_t start = text.size();
        text.append(*rule).push_back('\n');
        // One rule, one line: a line end that a folded parameter brought along would start another.
        for (std::size_t i = start; i + 1 < text.size(); ++i) {
            if (text[i] == '\n') text[i] = ' ';
        }
    }
    return text;
}

Result<TablePtr> open_internal(const OpenRequest& request) { return std::make_shared<InternalTable>(request); }

Result<TablePtr> open_debug(const OpenRequest& request)
{
    if (request.name.find(':') == request.name.npos)
        return fail(ErrorCode::syntax, "bad syntax: \"" + request.spec + "\"; need \"debug:type:name\"");
    EKIDEN_TRY_VALUE(table, open_table(request.name, request.options));
    return std::make_shared<DebugTable>(request, std::move(table));
}

Result<TablePtr> open_fail(const OpenRequest& request) { return std::make_shared<FailTable>(request); }

Result<TablePtr> open_combined(const OpenRequest& request)
{
    const auto members = members_of(request);
    if (!members) return bad_syntax(request, "bad syntax", "type:name");
    std::vector<TablePtr> parts;
    for (std::string_view member : *members) {
        const std::string_view spec = inside_braces(member).value_or(member);
        if (spec.find(':') == spec.npos) return bad_syntax(request, "bad syntax", "type:name");
        EKIDEN_TRY_VALUE(part, open_table(spec, request.options));
        parts.push_back(std::move(part));
    }
    return std::make_shared<CombinedTable>(request, std::move(parts));
}

Result<TablePtr> open_random(const OpenRequest& request)
{
    const auto members = members_of(request);
    if (!members) return bad_syntax(request, "bad syntax", "value");
    std::vector<std::string> values;
    for (std::string_view member : *members) values.emplace_back(inside_braces(member).value_or(member));
    return std::make_shared<RandomTable>(request, std::move(values));
}

}  // namespace ekiden::table
