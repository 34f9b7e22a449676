// smtp-sink's capture files: one file per message (-d) or one file for all (-D); the format is in smtp-sink.1.
//
// A message that never reaches its final dot leaves nothing behind. Thread: one.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tools {

struct DumpSettings {
    std::string file_template;  // strftime(3); empty: no capture
    bool is_single_file = false;
    std::string start_text;     // -S, escapes already resolved
    explicit operator bool() const { return !file_template.empty(); }
};

// The -S argument: C escapes, as echo -e knows them, with up to three octal digits.
std::string resolve_escapes(std::string_view text);

struct DumpEnvelope {
    std::string protocol = "SMTP";
    std::string helo;            // the whole argument
    bool has_helo = false;
    std::string sender;          // argument of MAIL without FROM:
    std::vector<std::string> recipients;

    void greet(std::string_view protocol_name, std::string_view argument);
    // What follows the colon of "FROM:<path> parameters"; the whole argument if there is none.
    static std::string_view path_of(std::string_view argument);
};

class Dump {
public:
    static Result<std::unique_ptr<Dump>> open(const DumpSettings& settings, const DumpEnvelope& envelope,
                                              std::string_view client_address, std::string_view host_name);
    ~Dump();

    // Content as it came: dots are unstuffed and CR LF becomes LF here.
    Result<void> content(std::string_view bytes);
    Result<void> finish();

private:
    Dump() = default;
    Result<void> write(std::string_view bytes);
    Result<void> append_to_common_file();

    std::string path_;
    Fd file_;
    bool is_single_file_ = false;
    bool is_finished_ = false;
    bool is_line_start_ = true;
    bool has_cr_ = false;
    std::string pending_;
};

}  // namespace ekiden::tools
