// A configuration directory that lives as long as the object.
#pragma once

#include "config/settings.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <stdlib.h>

namespace ekiden::config::test {

class Folder {
public:
    explicit Folder(std::string_view main_cf, std::string_view master_cf = "")
    {
        char name[] = "/tmp/ekiden-config-XXXXXX";
        path_ = mkdtemp(name);
        write("main.cf", main_cf);
        write("master.cf", master_cf);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    void write(const std::string& name, std::string_view content) { std::ofstream(path_ + "/" + name) << content; }
    const std::string& path() const { return path_; }
    LoadOptions options(Checks checks = Checks::server) const
    {
        LoadOptions options;
        options.directory = path_;
        options.checks = checks;
        return options;
    }

private:
    std::string path_;
};

using Texts = std::vector<std::string>;

// What is said of the problems; DIR stands for the directory.
inline Texts texts(const std::vector<Problem>& problems, const std::string& directory)
{
    Texts result;
    for (const auto& problem : problems) {
        auto text = problem.text;
        for (auto at = text.find(directory); at != std::string::npos; at = text.find(directory))
            text.replace(at, directory.size(), "DIR");
        result.push_back((problem.level == Problem::Level::fatal ? "fatal " : "") + text);
    }
    return result;
}

}  // namespace ekiden::config::test
