// How the process that holds libsasl2 is named: the one place where the master, who binds its socket
// ($queue_directory/private/sasl/NAME), and the backend, who connects to it, agree. Pure.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::sasl {

inline constexpr std::string_view cyrus_socket_directory = "private/sasl";    // below queue_directory, 0700 mail_owner

// One name for each distinct way of setting libsasl2 up: smtpd_sasl_path, cyrus_sasl_config_path, and whether the service
// line says chroot. At most 40 characters of [A-Za-z0-9._-], never beginning with a dot: "smtpd-9f2c51e07a3b4d68".
std::string cyrus_socket_name(std::string_view smtpd_sasl_path, std::string_view config_path, bool is_chrooted);

}  // namespace ekiden::sasl
