// sqlite:/etc/postfix/x.cf (sqlite_table(5)): the file says which database and which query.
//
// One read-only connection a table, opened when the table is, behind a lock; a query has a time limit, results have
// bounds. Lookups block, so Maps moves them to the blocking pool. The database may change at any time; the .cf file is
// noticed like any other table's.
#include "table/match_list.hpp"
#include "table/openers.hpp"
#include "table/query_template.hpp"

#include "base/clock.hpp"
#include "base/fold.hpp"
#include "base/locked.hpp"
#include "base/privileged_read.hpp"
#include "base/text.hpp"

#include <sqlite3.h>

#include <charconv>
#include <map>

namespace ekiden::table {

namespace {

constexpr auto time_limit = std::chrono::seconds(10);
constexpr std::size_t max_answer_bytes = std::size_t{1} << 20;

struct Closer {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Handle = std::unique_ptr<sqlite3, Closer>;
using Statement = std::unique_ptr<sqlite3_stmt, Closer>;

struct SqliteSettings {
    std::string path, query, result_format = "%s", domain;
    std::size_t expansion_limit = 0;
};

int is_late(void* deadline) { return base::steady_now() >= *static_cast<const SteadyTime*>(deadline) ? 1 : 0; }

// Quotes end a string in SQL; nothing else does.
std::string quoted(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (c == '\'') out += c;
        if (c != '\0') out += c;
    }
    return out;
}

class SqliteTable final : public FileTable {
public:
    SqliteTable(const OpenRequest& request, FileStamp stamp, SqliteSettings settings, Handle handle)
        : FileTable(request, stamp), settings_(std::move(settings)), folds_(request.options.fold_keys),
          domains_(MatchList::open("domain", settings_.domain, MatchList::Kind::names, false, request.options)),
          handle_(std::move(handle))
    {
    }
    bool may_block() const override { return true; }

    Answer lookup(std::string_view given) const override
    {
        const std::string key = folds_ ? base::fold_case(given) : std::string(given);
        if (!domains_.is_empty()) {
            const std::size_t at = key.rfind('@');
            if (at == key.npos) return std::nullopt;
            EKIDEN_TRY_VALUE(is_ours, domains_.matches_name_now(std::string_view(key).substr(at + 1)));
            if (!is_ours) return std::nullopt;
        }
        const auto query = expand_query(settings_.query, key, quoted);
        if (!query) return std::nullopt;
        return ask(*query, key);
    }

private:
    std::unexpected<Error> trouble(sqlite3* handle, std::string_view what) const
    {
        return fail(ErrorCode::unavailable, spec() + ": " + std::string(what) + ": " + sqlite3_errmsg(handle));
    }

    Answer ask(const std::string& query, const std::string& key) const
    {
        auto handle = handle_.lock();
        sqlite3* const db = handle->get();
        SteadyTime deadline = base::steady_now() + time_limit;
        sqlite3_progress_handler(db, 1000, is_late, &deadline);
        struct NoMore {
            sqlite3* db;
            ~NoMore() { sqlite3_progress_handler(db, 0, nullptr, nullptr); }
        } no_more{db};
        base::PrivilegedRead guard;
        sqlite3_stmt* raw = nullptr;
        if (sqlite3_prepare_v2(db, query.c_str(), static_cast<int>(query.size()), &raw, nullptr) != SQLITE_OK)
            return trouble(db, "prepare query");
        const Statement statement(raw);
        if (!statement) return fail(ErrorCode::syntax, spec() + ": the query is empty");

        std::optional<std::string> answer;
        std::size_t expansions = 0;
        for (;;) {
            const int step = sqlite3_step(raw);
            if (step == SQLITE_DONE) return answer;
            if (step != SQLITE_ROW) return trouble(db, "query");
            for (int column = 0; column < sqlite3_column_count(raw); ++column) {
                const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw, column));
                if (!text || *text == '\0') continue;
                const auto value = expand_result(
                    settings_.result_format,
                    std::string_view(text, static_cast<std::size_t>(sqlite3_column_bytes(raw, column))), key);
                if (!value) continue;
                if (settings_.expansion_limit > 0 && ++expansions > settings_.expansion_limit)
                    return fail(ErrorCode::too_long, spec() + ": expansion limit exceeded for key: '" + key + "'");
                if (answer) answer->append(",").append(*value);
                else answer = *value;
                if (answer->size() > max_answer_bytes)
                    return fail(ErrorCode::too_long, spec() + ": the answer is too long for key: '" + key + "'");
            }
        }
    }

    const SqliteSettings settings_;
    const bool folds_;
    const MatchList domains_;
    mutable base::Locked<Handle> handle_;
};

Result<SqliteSettings> parse_settings(const OpenRequest& request, std::string_view text)
{
    std::map<std::string, std::string, std::less<>> values;
    SourceLines lines(text, request.name, request.warn());
    for (SourceLines::Line line; lines.next(line);) {
        const std::size_t equals = line.text.find('=');
        if (equals == line.text.npos)
            return fail(ErrorCode::syntax, request.name + ", line " + std::to_string(line.number) +
                                               ": missing '=' after attribute name: \"" + line.text + "\"");
        std::string value(base::trim(std::string_view(line.text).substr(equals + 1)));
        for (char& c : value)
            if (c == '\n') c = ' ';
        values[std::string(base::trim(std::string_view(line.text).substr(0, equals)))] = std::move(value);
    }
    if (lines.error()) return fail(*lines.error());

    SqliteSettings settings;
    const auto take = [&](std::string_view name, std::string& into) {
        if (const auto at = values.find(name); at != values.end()) into = at->second;
    };
    take("dbpath", settings.path);
    take("query", settings.query);
    take("result_format", settings.result_format);
    take("domain", settings.domain);
    std::string limit;
    take("expansion_limit", limit);
    if (const auto [end, error] = std::from_chars(limit.data(), limit.data() + limit.size(), settings.expansion_limit);
        !limit.empty() && (error != std::errc() || end != limit.data() + limit.size()))
        return fail(ErrorCode::syntax, request.name + ": bad numerical configuration: expansion_limit = " + limit);
    if (settings.query.empty()) {   // how it was said before Postfix 2.2
        std::string select, table, where, more;
        take("select_field", select);
        take("table", table);
        take("where_field", where);
        take("additional_conditions", more);
        if (!select.empty() && !table.empty() && !where.empty())
            settings.query = "SELECT " + select + " FROM " + table + " WHERE " + where + " = '%s' " + more;
    }
    if (settings.path.empty()) return fail(ErrorCode::syntax, request.name + ": dbpath is not set");
    if (settings.query.empty()) return fail(ErrorCode::syntax, request.name + ": query is not set");
    return settings;
}

}  // namespace

Result<TablePtr> open_sqlite(const OpenRequest& request)
{
    EKIDEN_TRY_VALUE(source, read_source(request.name));
    EKIDEN_TRY_VALUE(settings, parse_settings(request, source.text));
    sqlite3* raw = nullptr;
    int code = 0;
    {
        base::PrivilegedRead guard;
        code = sqlite3_open_v2(settings.path.c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
    }
    Handle handle(raw);
    if (code != SQLITE_OK)
        return fail(ErrorCode::unavailable,
                    "open " + settings.path + ": " + (raw ? sqlite3_errmsg(raw) : sqlite3_errstr(code)));
    sqlite3_busy_timeout(raw, static_cast<int>(std::chrono::milliseconds(time_limit).count() / 2));
    return std::make_shared<SqliteTable>(request, source.stamp, std::move(settings), std::move(handle));
}

}  // namespace ekiden::table
