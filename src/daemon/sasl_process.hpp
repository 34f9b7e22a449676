// The role "sasl": the process that holds libsasl2 for the smtpd services of one way of setting it up. Reads smtpd.conf
// and loads plug-ins as its starter (root), then goes where Postfix's smtpd would go: into $queue_directory if the
// service line says chroot, down to mail_owner with all its groups (saslauthd's socket is often kept for the group
// sasl). It leaves no core file, starts no program, and ends with the master.
#pragma once

#include "base/result.hpp"
#include "config/settings.hpp"
#include "sasl/mechanism.hpp"

#include <optional>
#include <string>
#include <vector>

namespace ekiden::daemon {

// One way of setting libsasl2 up; services that agree on it share a process.
struct SaslSetup {
    std::string application;     // smtpd_sasl_path
    std::string config_path;     // cyrus_sasl_config_path
    std::string hostname;        // myhostname of the first service that uses it
    bool is_chrooted = false;
    config::Location at;         // of smtpd_sasl_path, or of what turns SASL on
    std::string name() const;    // of the socket, below private/sasl
};
// What an smtpd service with these settings needs; none without smtpd_sasl_auth_enable and smtpd_sasl_type = cyrus.
std::optional<SaslSetup> sasl_setup_of(const config::Settings& own, const config::ServiceSpec& service);
// What all services need, each once.
std::vector<SaslSetup> find_sasl_setups(const config::Settings& settings);

// The command line of the role; the process finds its listening socket at channel_number, the mail log's file (if
// with_log) behind it.
std::vector<std::string> sasl_arguments(const config::Settings& settings, const SaslSetup& setup, bool with_log);
int run_sasl(int argc, char** argv);

// What libsasl2 makes of a setup, found out in a process of its own, for a look at the library cannot be undone.
struct SaslOffer {
    std::vector<sasl::Mechanism> mechanisms;
    std::vector<std::string> complaints;    // of the library, in its words
    std::vector<std::string> absences;      // what mail_owner will look for in vain (sasl/cyrus_config)
};
Result<SaslOffer> ask_sasl_offer(const config::Settings& settings, const SaslSetup& setup);

}  // namespace ekiden::daemon
