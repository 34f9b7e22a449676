// A table that answers from a dictionary in memory and can list it. Base: Table, or FileTable where a file was read;
// its constructor gets what follows `folds`. Thread: immutable.
#pragma once

#include "base/fold.hpp"
#include "table/dictionary.hpp"
#include "table/table.hpp"

#include <utility>

namespace ekiden::table {

template <class Base>
class DictionaryTable final : public Base {
public:
    template <class... Origin>
    DictionaryTable(Dictionary entries, bool folds, Origin&&... origin)
        : Base(std::forward<Origin>(origin)...), folds_(folds), entries_(std::move(entries))
    {
    }
    Answer lookup(std::string_view key) const override
    {
        return folds_ ? entries_.find(base::fold_case(key)) : entries_.find(key);
    }
    std::optional<std::vector<std::pair<std::string, std::string>>> list() const override
    {
        return std::vector<std::pair<std::string, std::string>>(entries_.entries().begin(), entries_.entries().end());
    }

private:
    bool folds_;
    Dictionary entries_;
};

}  // namespace ekiden::table
