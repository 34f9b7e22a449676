// texthash: a map's source file, read into memory.
#include "table/dictionary_table.hpp"
#include "table/entry_grammar.hpp"
#include "table/openers.hpp"

#include "base/text.hpp"

#include <cerrno>

namespace ekiden::table {

Result<TablePtr> parse_texthash(const OpenRequest& request, std::string_view text, FileStamp stamp)
{
    const Warn warn = request.warn();
    Dictionary entries;
    SourceLines lines(text, request.name, warn);
    for (SourceLines::Line line; lines.next(line);) {
        const std::string where = request.name + ", line " + std::to_string(line.number) + ": ";
        auto entry = parse_map_entry(line.text);
        if (!entry) {
            const bool says_ignoring = entry.error().ends_with("ignoring this line");
            warn(where + entry.error() + (says_ignoring ? "" : " -- ignoring this line"));
            continue;
        }
        if (!entry->remark.empty()) warn(where + entry->remark);
        std::string key = folded(entry->key, request.options);
        if (!entries.add(key, std::move(entry->value))) warn(where + "duplicate entry: \"" + key + "\"");
    }
    if (lines.error()) return fail(*lines.error());
    return std::make_shared<DictionaryTable<FileTable>>(std::move(entries), request.options.fold_keys, request, stamp);
}

Result<TablePtr> open_texthash(const OpenRequest& request)
{
    auto source = read_lookup_source(request.name);
    if (!source) {
        // Postfix says "open database" for texthash, though it is a text file.
        if (source.error().os_error() && source.error().os_error() != EISDIR)
            return fail(Error::from_errno(source.error().os_error(), "open database", request.name));
        return std::unexpected(std::move(source).error());
    }
    return parse_texthash(request, source->text, source->stamp);
}

}  // namespace ekiden::table
