// Lookup tables: `type:name` → something that answers keys.
//
// An answer is one of three: a value, nothing, or trouble (Result's error). Trouble means "try later" to every caller
// (451/defer), never "not found". Tables are immutable once opened or synchronise inside: lookups come from any thread.
//
// Most types answer from memory or a mapped file at once. Types that may wait for another process (tcp, socketmap,
// SQL, LDAP) say may_block(); code on an event loop therefore goes through Maps::find(), which moves those to the
// blocking pool, and never calls lookup() directly.
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::table {

using Answer = Result<std::optional<std::string>>;

class Table {
public:
    virtual ~Table() = default;

    virtual Answer lookup(std::string_view key) const = 0;

    virtual bool may_block() const { return false; }
    // For types that may block: the answer if it can be given without waiting, else nothing.
    virtual std::optional<Answer> lookup_at_once(std::string_view key) const
    {
        if (may_block()) return std::nullopt;
        return lookup(key);
    }
    // regexp, pcre, cidr: the key is matched against rules, so callers must not try partial keys (user@, @domain …)
    // and $1 substitution may produce the value.
    virtual bool has_patterns() const { return false; }
    // The file changed under us and the table should be opened anew (checked by the owner about once a second).
    virtual bool is_stale() const { return false; }

    // Every key and value, for types that hold them in memory and whose keys are no patterns (postmap -s).
    virtual std::optional<std::vector<std::pair<std::string, std::string>>> list() const { return std::nullopt; }

    const std::string& spec() const { return spec_; }  // "hash:/etc/aliases", for messages

protected:
    explicit Table(std::string spec) : spec_(std::move(spec)) {}

private:
    std::string spec_;
};

using TablePtr = std::shared_ptr<const Table>;

// Opens `type:name` (name may hold `{ … }` for inline and the combining types). Errors carry Postfix's words:
// "open database /etc/x.db: No such file or directory", "unsupported dictionary type: foo".
// Lookup keys of indexed types are folded to lower case, as Postfix's DICT_FLAG_FOLD_FIX does, unless
// `fold_keys` is false (postmap -f).
struct OpenOptions {
    bool fold_keys = true;
    bool forbids_substitution = false;  // $1 in results refused (security: alias maps, mailbox command maps…)
    std::optional<Logger> log{};        // for warnings about bad lines and old files; else the tag "postfix"
    bool may_load = true;  // an indexed file may be read into memory: pays for many look-ups, not for a command's few
};
Result<TablePtr> open_table(std::string_view spec, const OpenOptions& options = {});

// Is `type` known to open_table? For postfix check and start-up refusal.
bool is_known_type(std::string_view type);
// All known type names, sorted (postconf -m).
std::vector<std::string_view> known_types();

}  // namespace ekiden::table
