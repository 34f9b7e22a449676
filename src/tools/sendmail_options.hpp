// The command line of sendmail(1): Postfix's options, in one struct. Also what mailq and newaliases take.
#pragma once

#include "mail/envelope.hpp"
#include "tools/support.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ekiden::tools {

struct SendmailOptions {
    enum class Mode { enqueue, verify, stand_alone, list_queue, make_aliases, flush, daemon, ignore };
    Mode mode = Mode::enqueue;
    std::string config_directory;               // -C; empty: the default
    std::optional<std::string> sender;          // -f, -r, as typed
    std::optional<std::string> full_name;       // -F
    std::vector<std::string> recipients;        // as typed
    std::vector<std::string> aliases;           // -oA
    std::string flush_id, flush_site;           // -qI, -qR
    mail::BodyType body = mail::BodyType::unspecified;
    mail::DsnReturn dsn_return = mail::DsnReturn::unspecified;
    std::uint8_t notify = mail::notify_default;
    std::string envid;
    bool dots_are_content = false;              // -i
    bool is_gateway = false;                    // -G
    bool reads_recipients = false;              // -t
    int verbosity = 0;                          // -v; once: a delivery report is wanted
    std::optional<std::string>
        verp_delimiters;  // -XV: a sender address for each recipient; "": the configured delimiters
};

// Reads -C only, so that the rest can be judged with the configuration at hand.
std::string find_config_option(int argc, char** argv);
// Everything; ends the program where sendmail refuses. `config_directory` is what find_config_option() said, `verp_filter`
// what verp_delimiter_filter says.
SendmailOptions parse_sendmail_options(const Voice& voice, std::string config_directory, int argc, char** argv,
                                       std::string_view verp_filter = "-=+");

}  // namespace ekiden::tools
