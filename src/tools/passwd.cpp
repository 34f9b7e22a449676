// ekiden passwd: makes, changes, deletes and lists the logins of smtpd_sasl_type = ekiden.
#include "tools/passwd.hpp"

#include "base/log_sinks.hpp"
#include "base/text.hpp"
#include "sasl/builtin.hpp"
#include "sasl/builtin_names.hpp"
#include "sasl/crypt_hash.hpp"
#include "sasl/password_file.hpp"
#include "sasl/saslprep.hpp"
#include "tools/commands.hpp"
#include "tools/support.hpp"

#include <getopt.h>

#include <cstdio>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

constexpr const char* usage =
    "usage: ekiden passwd [-c config_dir] [-f file] [-i iterations] [-p] [--crypt] name[@domain]\n"
    "       ekiden passwd [-c config_dir] [-f file] -d name[@domain]\n"
    "       ekiden passwd [-c config_dir] [-f file] -l";

struct Job {
    std::string directory, file, name;
    unsigned iterations = sasl::default_iterations;
    bool is_piped = false, is_crypt = false, deletes = false, lists = false;
};

[[noreturn]] void refuse_usage(const Voice& voice, const char* why)
{
    std::fprintf(stderr, "%s\n", usage);
    voice.fatal(why);
}

Job parse_options(const Voice& voice, int argc, char** argv)
{
    Job job;
    static char command[] = "ekiden passwd";
    argv[0] = command;
    static const option names[] = {{"crypt", no_argument, nullptr, 'C'}, {nullptr, 0, nullptr, 0}};
    int chosen;
    while ((chosen = ::getopt_long(argc, argv, "+c:df:i:lp", names, nullptr)) != -1) {
        switch (chosen) {
        case 'c': job.directory = optarg; break;
        case 'f': job.file = optarg; break;
        case 'i': {
            const auto count = base::parse_number<unsigned>(optarg);
            if (!count || *count < sasl::min_iterations || *count > sasl::max_iterations) {
                voice.fatal(fmt::format("-i wants a number from {} to {}: {}", sasl::min_iterations,
                                        sasl::max_iterations, optarg));
            }
            job.iterations = *count;
            break;
        }
        case 'C': job.is_crypt = true; break;
        case 'd': job.deletes = true; break;
        case 'l': job.lists = true; break;
        case 'p': job.is_piped = true; break;
        default: refuse_usage(voice, "there is no such option");
        }
    }
    if (optind + (job.lists ? 0 : 1) != argc || (job.lists && job.deletes)) {
        refuse_usage(voice, "expected one name, or -l");
    }
    if (!job.lists) job.name = argv[optind];
    return job;
}

// The file that the server reads, as far as main.cf says; a service of master.cf may have its own (-f then).
std::string default_file(const config::Settings& settings)
{
    const bool is_ours = settings.str("smtpd_sasl_type") == "ekiden";
    return sasl::builtin_path(is_ours ? settings.str("smtpd_sasl_path") : std::string(), settings.directory());
}

int list(const Voice& voice, const std::string& path)
{
    struct stat status {};
    const auto content = sasl::read_password_file(path, status);
    if (!content) voice.fatal(content.error().text());
    const auto file = sasl::PasswordFile::parse(*content);
    for (const auto& login : file.logins()) std::printf("%s\n", login.name.c_str());
    std::fflush(stdout);
    for (const auto& problem : sasl::builtin_problems(path)) voice.warning(problem);
    return std::ferror(stdout) ? 1 : 0;
}

Result<std::string> make_verifier(const Job& job, const sasl::Secret& password)
{
    if (job.is_crypt) return sasl::make_crypt_hash(password);
    const auto prepared = sasl::prepare(password.view());
    if (!prepared || prepared->is_empty()) {
        return fail(ErrorCode::syntax,
                    "the password is not UTF-8, or contains characters that no password may (RFC 4013)");
    }
    return sasl::format_verifier(sasl::make_verifier(*prepared, sasl::random_bytes(16), job.iterations));
}

}  // namespace

int passwd_main(int argc, char** argv)
{
    ::prctl(PR_SET_DUMPABLE, 0);    // a password must not be in a core file
    Voice voice("ekiden passwd", 1, "passwd");
    Job job = parse_options(voice, argc, argv);
    const config::SettingsPtr settings = load_settings(voice, job.directory);
    const std::string path = job.file.empty() ? default_file(*settings) : job.file;
    if (job.lists) return list(voice, path);

    if (const auto prepared = sasl::prepare(job.name)) job.name = prepared->view();
    if (const auto checked = sasl::check_login_name(job.name); !checked)
        voice.fatal(fmt::format("{}: {}", job.name, checked.error().text()));

    std::optional<gid_t> group;
    if (const passwd* owner = ::getpwnam(settings->str("mail_owner").c_str())) group = owner->pw_gid;

    std::function<Result<std::string>(std::string_view)> edit;
    if (job.deletes) {
        edit = [&](std::string_view content) -> Result<std::string> {
            auto rest = without_login(content, job.name);
            if (!rest) return fail(ErrorCode::not_found, path + ": there is no login " + job.name);
            return std::move(*rest);
        };
    } else {
        auto password = job.is_piped ? read_password(STDIN_FILENO) : ask_password(job.name);
        if (!password) voice.fatal(password.error().text());
        auto verifier = make_verifier(job, *password);
        if (!verifier) voice.fatal(verifier.error().text());
        edit = [&job, text = std::move(*verifier)](std::string_view content) -> Result<std::string> {
            return with_login(content, job.name, text);
        };
    }
    if (const auto done = edit_password_file(path, group, edit); !done) voice.fatal(done.error().text());
    for (const auto& problem : sasl::builtin_problems(path)) voice.warning(problem);
    if (voice.has_log()) base::flush_log();
    return 0;
}

}  // namespace ekiden::tools
