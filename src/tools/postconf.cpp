#include "config/docs.hpp"
#include "table/table.hpp"
#include "tools/commands.hpp"
#include "tools/postconf.hpp"

#include "base/text.hpp"
#include "config/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include <getopt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <memory>

// Without the table library (a test program, say) postconf -m has nothing to list.
namespace ekiden::table {
__attribute__((weak)) std::vector<std::string_view> known_types();
}

namespace ekiden::tools::postconf {

namespace {

constexpr std::string_view usage =
    "usage: {} [-a (server SASL types)] [-A (client SASL types)] [-b (bounce templates)] [-c config_dir] [-c param_class] "
    "[-d (parameter defaults)] [-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)] [-h (no names)] "
    "[-H (no values)] [-j (JSON format)] [-l (lock types)] [-m (map types)] [-M (master.cf)] [-n (non-default parameters)] "
    "[-o name=value (override parameter value)] [-p (main.cf, default)] [-P (master.cf parameters)] [-q (no warnings)] [-t (bounce templates)] "
    "[-T compile-version|run-version|public-key-algorithms] [-v (verbose)] [-x (expand parameter values)] [-X (exclude)] "
    "[-# (comment-out)] [name...]";

// As in Postfix, options end at the first word that is none: `postconf -e a=b -n` sets a parameter called "-n" no more than it lists.
constexpr std::string_view letters = "+aAbc:C:defFhHjlmMno:pPqtT:vxX#";

void print_lines(const std::vector<std::string_view>& lines)
{
    for (const auto line : lines) fmt::print("{}\n", line);
}

// Listing options that need no file at all; false if `letter` is none of them.
bool list_types(char letter)
{
    switch (letter) {
    case 'a': print_lines({"cyrus", "dovecot", "ekiden"}); return true;
    case 'A': print_lines({"cyrus"}); return true;
    case 'l': print_lines({"flock", "fcntl", "dotlock"}); return true;
    case 'm':
        if (table::known_types != nullptr) print_lines(table::known_types());
        return true;
    default: return false;
    }
}

// What of TLS the library under us has.
void print_tls(std::string_view what)
{
    if (what == "compile-version") {
        fmt::print("{}\n", OPENSSL_VERSION_TEXT);
    } else if (what == "run-version") {
        fmt::print("{}\n", ::OpenSSL_version(OPENSSL_VERSION));
    } else if (what == "public-key-algorithms") {
        for (const auto& [name, type] : {std::pair("dsa", EVP_PKEY_DSA),
                                         {"ecdsa", EVP_PKEY_EC},
                                         {"ed25519", EVP_PKEY_ED25519},
                                         {"ed448", EVP_PKEY_ED448},
                                         {"rsa", EVP_PKEY_RSA}}) {
            if (const auto context = std::unique_ptr<EVP_PKEY_CTX, decltype(&::EVP_PKEY_CTX_free)>(
                    ::EVP_PKEY_CTX_new_id(type, nullptr), ::EVP_PKEY_CTX_free))
                fmt::print("{}\n", name);
        }
    } else {
        throw Fatal(fmt::format(
            "unknown 'postconf -T' mode: {}; want compile-version, run-version or public-key-algorithms", what));
    }
}

// "specify one of -e -X": by letter, capitals behind small ones, `#` last.
[[noreturn]] void refuse_both(char one, char other)
{
    const auto rank = [](char c) { return c == '#' ? 1000 : 2 * (c | 0x20) + (c < 'a'); };
    if (rank(one) > rank(other)) std::swap(one, other);
    throw Fatal(fmt::format("specify one of -{} -{}", one, other));
}

void set_mode(Options& options, char& chosen, char mode)
{
    if (chosen != 0 && chosen != mode) refuse_both(chosen, mode);
    chosen = options.mode = mode;
}

void check_edit(const Options& options, char act)
{
    const std::pair<char, bool> others[] = {
        {'d', options.shows_defaults},     {'f', options.folds},   {'h', options.hides_names},
        {'H', options.hides_values},       {'j', options.is_json}, {'n', options.only_set},
        {'o', !options.overrides.empty()}, {'x', options.expands}};
    for (const auto& [letter, is_set] : others)
        if (is_set) refuse_both(act, letter);
    if (options.mode == 'F' && act != 'e') throw Fatal(fmt::format("with option -F, do not specify -{}", act));
    if (options.mode == 'P' && act == '#') throw Fatal("with option -P, do not specify -#");
    if (!options.names.empty()) return;
    throw Fatal(act == 'e'            ? "-e requires name=value argument"
                : options.mode != 'p' ? "missing service argument"
                                      : fmt::format("-{} requires name argument", act));
}

// Which options go with which kind of work, told apart before anything is read.
void check_combination(const Options& options)
{
    const std::string acts =
        std::string(options.is_edit ? "e" : "") + (options.is_removal ? "X" : "") + (options.is_comment ? "#" : "");
    if (acts.size() > 1) refuse_both(acts[0], acts[1]);
    if (acts.size() == 1) check_edit(options, acts[0]);
    if (options.mode == 'M' && options.hides_names) throw Fatal("with option -M, do not specify -h");
    if (options.mode == 'M' && options.hides_values) throw Fatal("with option -M, do not specify -H");
    if (options.mode != 'p' && options.shows_defaults)
        throw Fatal(fmt::format("with option -{}, do not specify -d", options.mode));
    if (options.mode != 'p' && options.only_set)
        throw Fatal(fmt::format("with option -{}, do not specify -n", options.mode));
    if (options.hides_names && options.hides_values) refuse_both('h', 'H');
    for (const auto& [letter, is_set] :
         {std::pair('f', options.folds), {'h', options.hides_names}, {'H', options.hides_values}})
        if (options.is_json && is_set) refuse_both(letter, 'j');
    if (options.is_json && options.mode == 'M') throw Fatal("with option -M, do not specify -j; use -F");
    if (options.shows_defaults && options.only_set) refuse_both('d', 'n');
    static constexpr std::array<std::string_view, 4> classes{"builtin", "service", "user", "all"};
    for (const auto name : base::split_any(options.classes))
        if (std::ranges::none_of(classes, [&](auto known) { return base::equal_ignoring_case(known, name); }))
            throw Fatal(fmt::format("unknown -C option value \"{}\" in \"{}\"", name, options.classes));
}

int run(Options& options, int argc, char** argv)
{
    if (argc == 3 && std::strcmp(argv[1], "--ekiden-docs") == 0) {
        fmt::print("{}", config::generate_page(argv[2]));
        return 0;
    }
    std::string config_directory;
    char chosen = 0, template_mode = 0;
    ::optind = 0;  // glibc: start anew, also in a process that has parsed before
    for (int letter; (letter = ::getopt(argc, argv, letters.data())) != -1;) {
        switch (letter) {
        case 'c': config_directory = ::optarg; break;
        case 'C': options.classes = ::optarg; break;
        case 'd': options.shows_defaults = true; break;
        case 'e': options.is_edit = true; break;
        case 'f': options.folds = true; break;
        case 'h': options.hides_names = true; break;
        case 'H': options.hides_values = true; break;
        case 'n': options.only_set = true; break;
        case 'j': options.is_json = true; break;
        case 'q': options.is_quiet = true; break;
        case 'x': options.expands = true; break;
        case 'X': options.is_removal = true; break;
        case '#': options.is_comment = true; break;
        case 'M':
        case 'F':
        case 'P':
        case 'p': set_mode(options, chosen, static_cast<char>(letter)); break;
        case 'o': {
            std::string error;
            const auto pair = config::split_name_value(::optarg, error);
            if (!pair)
                throw Fatal(fmt::format("invalid parameter override: {}: {}", ::optarg,
                                        std::string_view(error).substr(0, error.find(':'))));
            options.overrides.emplace_back(pair->name, pair->value);
            break;
        }
        case 'v': break;
        case 'b':
        case 't':
            template_mode = template_mode == 0 || template_mode == letter ? static_cast<char>(letter) : '?';
            break;
        case 'T': print_tls(::optarg); return 0;
        default:
            if (list_types(static_cast<char>(letter))) return 0;
            throw Fatal(fmt::format(fmt::runtime(usage), options.program));
        }
    }
    for (int i = ::optind; i < argc; ++i) options.names.emplace_back(argv[i]);
    options.directory = config::find_config_directory(config_directory);
    if (template_mode != 0) {
        show_templates(options, template_mode);
        return 0;
    }
    // `postconf name=value` is meant as an edit.
    const bool lists = !options.is_changing() && !options.only_set && !options.shows_defaults;
    if (lists &&
        std::ranges::any_of(options.names, [](const std::string& name) { return name.find('=') != std::string::npos; }))
        options.is_edit = true;
    check_combination(options);
    if (options.is_changing()) {
        if (options.mode == 'p')
            edit_main(options);
        else
            edit_master(options);
        return 0;
    }
    const auto files = read_files(options);
    // What is odd about one value is found again for each value that mentions it.
    std::set<std::string, std::less<>> said;
    for (const auto& problem : files.settings->problems())
        // Defaults that compare levels are looked at where values are expanded, and nowhere else.
        if (problem.level == config::Problem::Level::warning && said.insert(problem.text).second &&
            (options.expands || !problem.text.starts_with("malformed compatibility level")))
            warn(options, problem.text);
    for (const auto& text : files.undefined) warn(options, text);
    if (options.mode == 'p')
        list_parameters(options, files);
    else
        list_services(options, files);
    for (const auto& text : files.unused) warn(options, text);
    return 0;
}

}  // namespace

}  // namespace ekiden::tools::postconf

namespace ekiden::tools {

int postconf_main(int argc, char** argv)
{
    postconf::Options options;
    options.program = argc > 0 ? argv[0] : "postconf";
    std::string fatal;
    try {
        const int status = postconf::run(options, argc, argv);
        if (std::fflush(stdout) != 0) throw postconf::Fatal(Error::from_errno("write", "output").text());
        return status;
    } catch (const postconf::Fatal& error) {
        fatal = error.what();
    } catch (const config::ConfigError& error) {
        fatal = error.what();
    }
    std::fflush(stdout);
    fmt::print(stderr, "{}: fatal: {}\n", options.program, fatal);
    return 1;
}

}  // namespace ekiden::tools
