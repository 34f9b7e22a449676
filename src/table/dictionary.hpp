// An immutable key → value table in memory: what texthash, inline and small database files become when they are opened.
// Lookups take no lock and allocate nothing but the answer. Thread: immutable once filled.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ekiden::table {

class Dictionary {
public:
    // False if the key was there already (the old value stays).
    bool add(std::string key, std::string value)
    {
        return entries_.try_emplace(std::move(key), std::move(value)).second;
    }
    void set(std::string key, std::string value) { entries_.insert_or_assign(std::move(key), std::move(value)); }

    std::optional<std::string> find(std::string_view key) const
    {
        const auto at = entries_.find(key);
        if (at == entries_.end()) return std::nullopt;
        return at->second;
    }
    std::size_t size() const { return entries_.size(); }
    void reserve(std::size_t count) { entries_.reserve(count); }
    const auto& entries() const { return entries_; }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
    };
    std::unordered_map<std::string, std::string, Hash, std::equal_to<>> entries_;
};

}  // namespace ekiden::table
