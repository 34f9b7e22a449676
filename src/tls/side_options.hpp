// What the TLS settings of servers (smtpd_) and clients (smtp_, lmtp_) have in common. Reads settings only; thread: any.
#pragma once

#include "config/settings.hpp"
#include "tls/credentials.hpp"
#include "tls/words.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::tls {

// `<prefix>tls_chain_files`, or else the pairs of `<prefix>tls_cert_file` and the like, a key without a name being in its
// certificate's file. `prefix` is "smtpd_", "smtp_" or "lmtp_".
CredentialFiles credential_files(const config::Settings& settings, std::string_view prefix);

CipherLists cipher_lists(const config::Settings& settings);

// Names of groups that OpenSSL knows, as it wants them; `warnings` receives the others.
std::string group_list(const std::vector<std::string>& names, std::vector<std::string>& warnings);

// tls_ssl_options and tls_disable_workarounds as OpenSSL's bits.
struct OptionBits {
    std::uint64_t set = 0, cleared = 0;
};
OptionBits option_bits(const config::Settings& settings, std::vector<std::string>& warnings);

}  // namespace ekiden::tls
