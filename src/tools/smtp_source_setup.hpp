// What smtp-source and smtp-sink share before the first byte flows: messages to the person who runs them, the option
// table, and the endpoint written on the command line. Thread: one.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <getopt.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ekiden::tools {

// Messages on standard error as "argv[0]: warning: text"; counters on standard output, collected and written once per
// round of the loop, so that counting does not slow down what is counted.
class Console {
public:
    explicit Console(std::string program) : program_(std::move(program)) {}
    ~Console() { flush(); }

    void say(std::string_view text) const;
    void warning(std::string_view text) const;
    void error(std::string_view text) const;
    int fatal(std::string_view text);  // flushes the counters, then speaks; returns exit status 1
    void count(std::string_view text) { pending_ += text; }
    void flush();

    const std::string& program() const { return program_; }

private:
    std::string program_;
    std::string pending_;
};

// One row of a program's option table. `apply` fails with the words for the user, or with empty text for "see usage".
template <class Options>
struct OptionRow {
    char letter;            // '\0': the option has only a name
    bool takes_value;
    Result<void> (*apply)(Options& options, std::string_view value);
    const char* name = nullptr;     // "starttls" for --starttls
};

inline std::unexpected<Error> usage_error() { return fail(ErrorCode::syntax, ""); }

// Applies the options of a command line; getopt itself complains about letters and names that are not in the table.
// Returns the index of the first operand.
template <class Options>
Result<int> parse_options(int argc, char** argv, std::span<const OptionRow<Options>> rows, Options& options)
{
    constexpr int first_name = 256;  // above every letter: what getopt_long returns for the row of that index
    std::string letters;
    std::vector<option> names;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto& row = rows[i];
        if (row.name)
            names.push_back({row.name, row.takes_value ? required_argument : no_argument, nullptr,
                             first_name + static_cast<int>(i)});
        if (row.letter == '\0') continue;
        letters += row.letter;
        if (row.takes_value) letters += ':';
    }
    names.push_back({});
    ::optind = 1;
    for (int got; (got = ::getopt_long(argc, argv, letters.c_str(), names.data(), nullptr)) != -1;) {
        const OptionRow<Options>* found =
            got >= first_name ? &rows[static_cast<std::size_t>(got - first_name)] : nullptr;
        for (const auto& row : rows)
            if (row.letter != '\0' && row.letter == got) found = &row;
        if (!found) return usage_error();
        EKIDEN_TRY(found->apply(options, found->takes_value ? std::string_view(::optarg) : std::string_view{}));
    }
    return ::optind;
}

// "bad session count: 0" and the like: `what` is the middle of that sentence.
Result<int> parse_count(std::string_view value, int least, std::string_view what);

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
    int family() const { return storage.ss_family; }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

enum class Purpose { connect, listen };

// "unix:path", "[inet:]host[:port]" (connect; the port is smtp if left out), "[inet:][host]:port" (listen).
// Addresses come in the resolver's order; `family` is AF_UNSPEC, AF_INET or AF_INET6.
Result<std::vector<SocketAddress>> resolve_endpoint(std::string_view endpoint, int family, Purpose purpose);

// "127.0.0.1", "ipv6:::1", "unix": how a capture file names its client.
std::string client_address(const SocketAddress& address);
std::string_view family_name(int family);  // "AF_INET"

// Sets the buffers from which the kernel computes the TCP window; 0 leaves them alone.
void set_window_size(int fd, int window_size);

// As many descriptors as the hard limit allows: a thousand sessions must not fail on a shell's default.
void raise_descriptor_limit();

}  // namespace ekiden::tools
