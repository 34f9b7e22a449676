#include "tls/side_options.hpp"

#include <openssl/evp.h>
#include <openssl/objects.h>

#include <fmt/format.h>

namespace ekiden::tls {

CredentialFiles credential_files(const config::Settings& settings, std::string_view prefix)
{
    const auto name = [&](std::string_view suffix) { return std::string(prefix) + std::string(suffix); };
    CredentialFiles files;
    files.chain_files = settings.list(name("tls_chain_files"));
    if (!files.chain_files.empty()) return files;
    constexpr struct {
        const char *kind, *certificate, *key;
    } pairs[] = {{"RSA", "tls_cert_file", "tls_key_file"},
                 {"ECDSA", "tls_eccert_file", "tls_eckey_file"},
                 {"DSA", "tls_dcert_file", "tls_dkey_file"}};
    for (const auto& pair : pairs) {
        const std::string certificate = settings.str(name(pair.certificate)), key = settings.str(name(pair.key));
        if (!certificate.empty()) files.pairs.push_back({pair.kind, certificate, key.empty() ? certificate : key});
    }
    return files;
}

CipherLists cipher_lists(const config::Settings& settings)
{
    return {settings.str("tls_high_cipherlist"), settings.str("tls_medium_cipherlist"),
            settings.str("tls_low_cipherlist"), settings.str("tls_export_cipherlist"),
            settings.str("tls_null_cipherlist")};
}

std::string group_list(const std::vector<std::string>& names, std::vector<std::string>& warnings)
{
    std::string groups;
    for (const std::string& name : names) {
        const bool is_group = EC_curve_nist2nid(name.c_str()) != NID_undef || OBJ_sn2nid(name.c_str()) != NID_undef ||
                              name.starts_with("ffdhe");
        if (!is_group) warnings.push_back(fmt::format("ignoring unknown ECDHE curve \"{}\"", name));
        else groups += (groups.empty() ? "" : ":") + name;
    }
    return groups;
}

OptionBits option_bits(const config::Settings& settings, std::vector<std::string>& warnings)
{
    OptionBits bits;
    std::vector<std::string> unknown;
    const auto complain = [&](const char* parameter) {
        for (const std::string& word : unknown)
            warnings.push_back(
                fmt::format("unknown {} value \"{}\" in \"{}\"", parameter, word, settings.str(parameter)));
        unknown.clear();
    };
    bits.set = parse_ssl_options(settings.list("tls_ssl_options"), unknown);
    complain("tls_ssl_options");
    bits.cleared = parse_workarounds(settings.list("tls_disable_workarounds"), unknown);
    complain("tls_disable_workarounds");
    return bits;
}

}  // namespace ekiden::tls
