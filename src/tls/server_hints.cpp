#include "tls/server_hints.hpp"

#include "base/text.hpp"
#include "config/lint_services.hpp"
#include "config/source.hpp"
#include "table/written_entries.hpp"
#include "tls/context.hpp"
#include "tls/server_options.hpp"
#include "tls/side_options.hpp"

#include <fmt/format.h>

#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include <sys/stat.h>

namespace ekiden::tls {

namespace {

constexpr std::size_t most_chains = 20; // that are complained of, of one table
constexpr std::size_t most_names = 5;   // of a certificate, in a message
constexpr table::EntryBounds bounds{.bytes = std::uint64_t{16} << 20, .entries = 1'000};

// The names that the certificate is for, as a person reads them.
std::string names_of(X509* certificate)
{
    std::string text;
    std::size_t count = 0;
    auto* const names =
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); ++i) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS || ++count > most_names) continue;
        const auto* const bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
        const std::string_view whole(bytes, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
        text += (text.empty() ? "" : ", ") + base::printable(whole.substr(0, 255));
    }
    GENERAL_NAMES_free(names);
    if (count > most_names) text += fmt::format(" and {} more", count - most_names);
    if (!text.empty()) return text;
    std::array<char, 256> common{};
    const int length =
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common.data(), common.size());
    return length > 0 ? base::printable(std::string_view(common.data(), static_cast<std::size_t>(length))) : "nobody";
}

bool is_for(X509* certificate, const std::string& name)
{
    return X509_check_host(certificate, name.data(), name.size(), 0, nullptr) == 1;
}

class Finder {
public:
    explicit Finder(const config::Settings& settings) : settings_(settings) {}

    std::vector<config::Problem> run()
    {
        for (const config::ServiceSpec& service : settings_.services()) {
            if (service.command != "smtpd") continue;
            try {
                const auto own = settings_.for_service(service);
                const auto options = ServerOptions::from(*own);
                if (options.is_used()) look_at(*own, options);
            } catch (const config::ConfigError&) {
                // A value of that line is of no use, which another message says.
            }
        }
        (void)take_openssl_errors();
        return std::move(problems_);
    }

private:
    void look_at(const config::Settings& own, const ServerOptions& options)
    {
        look_at_grades(own);
        look_at_digest(own);
        look_at_lists(own);
        look_at_folder(own);
        look_at_chains(own);
        look_at_names(own, options);
    }

    void add(const config::Location& at, std::string_view parameter, std::string_view text,
             std::string_view advice = {})
    {
        config::add_once(problems_,
                         config::make_problem(config::Problem::Level::warning, at, text, parameter, advice));
    }

    void look_at_grades(const config::Settings& own)
    {
        static constexpr config::Words grades{"export", "low", "medium", "high", "null"};
        for (const std::string_view name : {"smtpd_tls_ciphers", "smtpd_tls_mandatory_ciphers"}) {
            const std::string grade = own.str(name);
            if (own.is_set(name) && !config::is_one_of(grade, grades))
                add(own.location(name), name, fmt::format("{} = {}: invalid cipher grade", name, grade),
                    config::is_meant(grade, grades));
        }
    }

    void look_at_digest(const config::Settings& own)
    {
        constexpr std::string_view name = "smtpd_tls_fingerprint_digest";
        const std::string digest = own.str(name);
        if (!own.is_set(name) || EVP_get_digestbyname(digest.c_str())) return;
        add(own.location(name), name, fmt::format("{} = {}: there is no such digest algorithm", name, digest),
            config::is_meant(digest, {"md5", "sha1", "sha256", "sha384", "sha512"}));
    }

    // "tls_medium_cipherlist = hgih"
    void look_at_lists(const config::Settings& own)
    {
        for (const std::string_view name :
             {"tls_high_cipherlist", "tls_medium_cipherlist", "tls_low_cipherlist", "tls_export_cipherlist"}) {
            if (!own.is_set(name)) continue;
            const UniqueContext context(SSL_CTX_new(TLS_server_method()));
            if (context) SSL_CTX_set_security_level(context.get(), 0);
            if (!context || SSL_CTX_set_cipher_list(context.get(), own.str(name).c_str()) == 1) continue;
            add(own.location(name), name,
                fmt::format("{} = {}: OpenSSL knows none of these ciphers", name, own.str(name)), "remove the line");
        }
    }

    void look_at_folder(const config::Settings& own)
    {
        constexpr std::string_view name = "smtpd_tls_CApath";
        const std::string path = own.str(name);
        struct stat status{};
        if (path.empty()) return;
        const bool is_there = ::stat(path.c_str(), &status) == 0;
        if (is_there && S_ISDIR(status.st_mode)) return;
        add(own.location(name), name, fmt::format("{} = {}: {}", name, path, std::strerror(is_there ? ENOTDIR : errno)),
            "it is a folder of certificates, made ready by c_rehash");
    }

    // Who asks for such a name is shown the usual certificate instead.
    void look_at_chains(const config::Settings& own)
    {
        constexpr std::string_view parameter = "tls_server_sni_maps";
        for (const std::string_view spec : base::split_quoted_braces(own.str(parameter))) {
            if (!seen_.emplace(spec).second) continue;
            const config::Location at = source_.find(own.location(parameter), spec);
            std::size_t count = 0;
            table::for_each_written_entry(
                spec,
                [&](const table::WrittenEntry& entry) {
                    if (entry.has_groups) return;
                    const auto loaded = load_named_identities(std::string(entry.value));
                    if (loaded || ++count > most_chains) return;
                    const config::Location place =
                        entry.path.empty() ? at : config::Location{std::string(entry.path), entry.line};
                    add(place, parameter,
                        fmt::format("{}: {}: {}", parameter, base::printable(entry.key.substr(0, 255)),
                                    loaded.error().text()),
                        "clients that ask for that name get the usual certificate");
                },
                bounds);
            if (count > most_chains)
                add(at, parameter, fmt::format("{}: {} more such entries in {}", parameter, count - most_chains, spec));
        }
    }

    // In the greeting we call ourselves so, and many will look for us under that name.
    void look_at_names(const config::Settings& own, const ServerOptions& options)
    {
        const std::string host = own.str("myhostname");
        if (!host.contains('.') || !options.server_names.is_empty()) return;
        const auto loaded = load_identities(options.credentials);
        if (!loaded || loaded->empty()) return; // that is another message's
        const auto is_ours = [&](const Identity& identity) {
            return !identity.leaf || is_for(identity.leaf.get(), host);
        };
        if (std::ranges::any_of(*loaded, is_ours)) return;
        static constexpr std::array<std::string_view, 4> parameters{"smtpd_tls_chain_files", "smtpd_tls_cert_file",
                                                                    "smtpd_tls_eccert_file", "smtpd_tls_dcert_file"};
        const auto used =
            std::ranges::find_if(parameters, [&](std::string_view name) { return !own.str(name).empty(); });
        const std::string_view name = used != parameters.end() ? *used : parameters[0];
        add(own.location(name), name,
            fmt::format("{} = {}: the certificate is for {}, and this server calls itself myhostname = {}", name,
                        own.str(name), names_of(loaded->front().leaf.get()), host),
            "clients that check certificates must know it by a name of the certificate");
    }

    const config::Settings& settings_;
    config::Source source_;
    std::set<std::string, std::less<>> seen_;
    std::vector<config::Problem> problems_;
};

} // namespace

std::vector<config::Problem> find_server_hints(const config::Settings& settings)
{
    return Finder(settings).run();
}

} // namespace ekiden::tls
