// link: sasl net base
// Password files of any content: what is accepted is bounded, is found by its name, and a verifier that was read is
// written the same way again.
#include "sasl/crypt_hash.hpp"
#include "sasl/password_file.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden::sasl;
    const std::string_view content(reinterpret_cast<const char*>(data), size);
    const PasswordFile file = PasswordFile::parse(content);
    for (const Login& login : file.logins()) {
        if (file.find(login.name) != &login) std::abort();
        if (!check_login_name(login.name)) std::abort();
        if (const auto* hash = std::get_if<std::string>(&login.verifier)) {
            if (!check_crypt_hash(*hash)) std::abort();
            continue;
        }
        const auto& verifier = std::get<ScramVerifier>(login.verifier);
        if (verifier.iterations < min_iterations || verifier.iterations > max_iterations || verifier.salt.size() > 64)
            std::abort();
        const auto again = parse_verifier(format_verifier(verifier));
        if (!again || again->salt != verifier.salt || again->stored_key != verifier.stored_key ||
            again->server_key != verifier.server_key)
            std::abort();
    }
    for (const auto& problem : file.problems()) {
        if (problem.line == 0 || problem.text.empty() || problem.text.size() > 200) std::abort();
    }
    if (file.problems().size() > 21) std::abort();
    return 0;
}
