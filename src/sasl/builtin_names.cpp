#include "sasl/builtin_names.hpp"

#include "base/text.hpp"
#include "sasl/saslprep.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdint>
#include <cstring>
#include <new>

namespace ekiden::sasl {

std::string random_bytes(std::size_t size)
{
    std::string bytes(size, '\0');
    if (::RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) != 1)
        throw std::bad_alloc();
    return bytes;
}

namespace {

// What is made up for unknown names must be the same each time they are asked for, also after a reload.
std::string invent(std::string_view what, std::string_view name)
{
    static const std::string secret = random_bytes(32);
    const std::string text = std::string(what) + ':' + std::string(name);
    std::string out(EVP_MAX_MD_SIZE, '\0');
    unsigned size = 0;
    if (!::HMAC(EVP_sha512(), secret.data(), static_cast<int>(secret.size()),
                reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                reinterpret_cast<unsigned char*>(out.data()), &size)) {
        throw std::bad_alloc();
    }
    return out;    // 64 bytes
}

std::size_t invent_number(std::string_view what, std::string_view name, std::size_t below)
{
    std::uint64_t number = 0;
    std::memcpy(&number, invent(what, name).data(), sizeof number);
    return number % below;
}

}  // namespace

bool Candidate::is_called(std::string_view other) const { return login && look_up(file, other, realm).login == login; }

Candidate look_up(PasswordFilePtr file, std::string_view name, std::string_view realm)
{
    Candidate found;
    if (const auto prepared = prepare(name)) found.given = prepared->view();
    else found.given = base::printable(name);    // no login is called so
    if (found.given.size() > max_login_name) found.given.resize(max_login_name);
    found.full = found.given;
    if (!realm.empty() && found.given.find('@') == std::string::npos) (found.full += '@') += realm;
    found.login = file->find(found.full);
    if (!found.login && found.full != found.given) found.login = file->find(found.given);
    if (name.size() > max_login_name) found.login = nullptr;
    found.file = std::move(file);
    found.realm = realm;
    return found;
}

Login decoy_login(const Candidate& candidate)
{
    const auto& logins = candidate.file->logins();
    if (!logins.empty()) return logins[invent_number("login", candidate.full, logins.size())];
    return {{},
            ScramVerifier{default_iterations, invent("salt", candidate.full).substr(0, 16), std::string(32, '\0'),
                          std::string(32, '\0')}};
}

ScramVerifier decoy_verifier(const Candidate& candidate)
{
    ScramVerifier decoy;
    std::size_t salt_size = 16;
    const auto& logins = candidate.file->logins();
    if (!logins.empty()) {
        const std::size_t first = invent_number("verifier", candidate.full, logins.size());
        for (std::size_t i = 0; i < logins.size(); ++i) {
            const auto* verifier = std::get_if<ScramVerifier>(&logins[(first + i) % logins.size()].verifier);
            if (!verifier) continue;
            decoy.iterations = verifier->iterations;
            salt_size = verifier->salt.size();
            break;
        }
    }
    decoy.salt = invent("salt", candidate.full).substr(0, salt_size);
    decoy.stored_key = random_bytes(32);
    decoy.server_key = random_bytes(32);
    return decoy;
}

}  // namespace ekiden::sasl
