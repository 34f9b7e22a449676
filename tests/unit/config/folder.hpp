// A configuration directory that lives as long as the object.
#pragma once

#include "config/settings.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

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

}  // namespace ekiden::config::test
