// What the tests of tables share: a folder of their own, files in it, and answers as one word.
#pragma once

#include "table/openers.hpp"
#include "table/table.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ekiden::table {

class TemporaryFolder {
public:
    TemporaryFolder()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "ekiden-table.XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    std::string file(const std::string& name, std::string_view content) const
    {
        const std::string path = path_ + "/" + name;
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }
    std::string path(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

// "value", "(absent)" or "(trouble) why".
inline std::string shown(const Answer& answer)
{
    if (!answer) return "(trouble) " + answer.error().text();
    return *answer ? **answer : "(absent)";
}

inline std::string ask(std::string_view spec, std::string_view key, const OpenOptions& options = {})
{
    auto table = open_table(spec, options);
    if (!table) return "(not opened) " + table.error().text();
    return shown((*table)->lookup(key));
}

// A logger's lines, kept.
class KeptLog {
public:
    KeptLog();
    ~KeptLog();
    std::vector<std::string> lines();
};

}  // namespace ekiden::table
