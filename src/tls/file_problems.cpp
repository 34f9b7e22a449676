#include "tls/file_problems.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"
#include "config/source.hpp"
#include "tls/openssl.hpp"

#include <fmt/format.h>

#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <set>

#include <sys/stat.h>

namespace ekiden::tls {

namespace {

constexpr std::size_t largest_file = 1 << 20;
constexpr int most_certificates = 100;      // of one file

// What follows smtpd_tls_, smtp_tls_ and lmtp_tls_.
constexpr std::array<std::string_view, 7> file_suffixes{"cert_file",  "key_file",  "eccert_file", "eckey_file",
                                                        "dcert_file", "dkey_file", "chain_files"};

// Days until `when`: less than zero once it has passed.
std::optional<std::int64_t> seconds_until(const ASN1_TIME* when, std::time_t now)
{
    std::tm parts{};
    if (!when || ASN1_TIME_to_tm(when, &parts) != 1) return std::nullopt;
    return static_cast<std::int64_t>(::timegm(&parts)) - now;
}

std::string date_of(const ASN1_TIME* when)
{
    std::tm parts{};
    char text[32]{};
    if (!when || ASN1_TIME_to_tm(when, &parts) != 1) return "an unreadable date";
    std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
    return text;
}

class Finder {
public:
    Finder(const config::Settings& settings, base::WallTime now) : settings_(settings), now_(base::to_seconds(now)) {}

    std::vector<config::Problem> run()
    {
        for (const config::ServiceSpec& service : settings_.services()) {
            const bool is_server = service.command == "smtpd";
            if (!is_server && service.command != "smtp" && service.command != "lmtp") continue;
            const std::string prefix = is_server ? "smtpd" : service.command;
            try {
                look_at(service.overrides.empty() ? settings_ : *settings_.for_service(service), prefix);
            } catch (const config::ConfigError&) {
                // A value of that line is of no use, which another message says.
            }
        }
        return std::move(problems_);
    }

private:
    void look_at(const config::Settings& own, const std::string& prefix)
    {
        const std::string level = own.str(prefix + "_tls_security_level");
        const bool is_off = level.empty() ? !own.boolean(prefix + "_use_tls") && !own.boolean(prefix + "_enforce_tls")
                                          : level == "none";
        if (is_off && !own.boolean(prefix + "_tls_wrappermode")) return;
        const bool has_chain = !own.list(prefix + "_tls_chain_files").empty();
        for (const std::string_view suffix : file_suffixes) {
            // A list of chains takes the place of all others.
            if (has_chain != (suffix == "chain_files")) continue;
            const std::string parameter = fmt::format("{}_tls_{}", prefix, suffix);
            for (const std::string& path : own.list(parameter)) {
                if (!path.starts_with('/') || !seen_.insert(path).second) continue;
                look_at_file(path, parameter, source_.find(own.location(parameter), path));
            }
        }
    }

    void add(const config::Location& at, std::string_view parameter, std::string_view text, std::string_view advice)
    {
        problems_.push_back(config::make_problem(config::Problem::Level::warning, at, text, parameter, advice));
    }

    void look_at_file(const std::string& path, const std::string& parameter, const config::Location& at)
    {
        // That it cannot be read is another message's.
        const auto text = base::read_file(path, largest_file);
        if (!text) return;
        struct stat status{};
        if (text->contains("PRIVATE KEY-----") && ::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH))
            add(at, parameter,
                fmt::format("{}: everybody on this machine can read the private key in {}", parameter, path),
                fmt::format("chmod o-r {}", path));
        const UniqueBio bio(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
        for (int count = 0; bio && count < most_certificates; ++count) {
            const UniqueCertificate certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
            if (!certificate) break;
            look_at_dates(*certificate, path, parameter, at, count > 0);
        }
        (void)take_openssl_errors();
    }

    void look_at_dates(const X509& certificate, const std::string& path, const std::string& parameter,
                       const config::Location& at, bool is_issuer)
    {
        const std::string which =
            fmt::format("{}: {} in {}", parameter, is_issuer ? "a certificate of the chain" : "the certificate", path);
        const ASN1_TIME* end = X509_get0_notAfter(&certificate);
        const auto left = seconds_until(end, now_);
        const auto before = seconds_until(X509_get0_notBefore(&certificate), now_);
        if (before && *before > 0)
            add(at, parameter,
                fmt::format("{} is not valid before {}", which, date_of(X509_get0_notBefore(&certificate))),
                "is the clock right?");
        if (!left) return;
        constexpr std::int64_t day = 24 * 60 * 60;
        if (*left < 0) add(at, parameter, fmt::format("{} expired on {}", which, date_of(end)), "renew it");
        else if (*left < expiry_notice.count() * day)
            add(at, parameter, fmt::format("{} expires on {}, in {} days", which, date_of(end), *left / day),
                "renew it");
    }

    const config::Settings& settings_;
    const std::time_t now_;
    config::Source source_;
    std::set<std::string> seen_;
    std::vector<config::Problem> problems_;
};

}  // namespace

std::vector<config::Problem> find_file_problems(const config::Settings& settings, base::WallTime now)
{
    return Finder(settings, now).run();
}

}  // namespace ekiden::tls
