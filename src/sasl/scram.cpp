#include "sasl/scram.hpp"

#include "base/text.hpp"
#include "sasl/base64.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>

namespace ekiden::sasl {

namespace {

constexpr std::size_t digest_size = SHA256_DIGEST_LENGTH;
constexpr std::size_t max_message = 4096, max_nonce = 512;

using Digest = std::array<char, digest_size>;

std::string_view view(const Digest& digest) { return {digest.data(), digest.size()}; }
const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// OpenSSL fails here only without memory.
Digest hmac(std::string_view key, std::string_view text)
{
    Digest out;
    unsigned size = 0;
    if (!::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(text), text.size(),
                reinterpret_cast<unsigned char*>(out.data()), &size)) {
        throw std::bad_alloc();
    }
    return out;
}

Digest sha256(std::string_view text)
{
    Digest out;
    ::SHA256(bytes(text), text.size(), reinterpret_cast<unsigned char*>(out.data()));
    return out;
}

struct Keys {
    Digest stored, server;
};

Keys derive(const Secret& password, std::string_view salt, unsigned iterations)
{
    Digest salted;
    if (!::PKCS5_PBKDF2_HMAC(password.view().data(), static_cast<int>(password.size()), bytes(salt),
                             static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(), digest_size,
                             reinterpret_cast<unsigned char*>(salted.data()))) {
        throw std::bad_alloc();
    }
    Digest client_key = hmac(view(salted), "Client Key");
    Keys keys{sha256(view(client_key)), hmac(view(salted), "Server Key")};
    wipe(salted.data(), salted.size());
    wipe(client_key.data(), client_key.size());
    return keys;
}

std::unexpected<Error> protocol(const char* why) { return fail(ErrorCode::protocol, why); }

// Takes what stands before the next `separator` off `rest`; nothing if there is none.
std::optional<std::string_view> cut(std::string_view& rest, char separator)
{
    const auto end = rest.find(separator);
    if (end == rest.npos) return std::nullopt;
    const std::string_view piece = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return piece;
}

// saslname: "=2C" is a comma, "=3D" an equals sign, no other '=' is allowed.
std::optional<std::string> unescape(std::string_view name)
{
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] != '=') {
            out += name[i];
            continue;
        }
        const std::string_view code = name.substr(i, 3);
        if (code != "=2C" && code != "=3D") return std::nullopt;
        out += code == "=2C" ? ',' : '=';
        i += 2;
    }
    if (out.empty() || out.find('\0') != out.npos || !base::is_valid_utf8(out)) return std::nullopt;
    return out;
}

// Attributes that we need not know are passed over (RFC 5802, section 5.1), a mandatory one we must not.
bool are_optional_extensions(std::string_view list)
{
    for (const std::string_view one : base::split(list, ',')) {
        if (one.size() < 3 || !base::is_alpha(one[0]) || one[0] == 'm' || one[1] != '=') return false;
    }
    return true;
}

bool is_nonce(std::string_view text)
{
    return !text.empty() && text.size() <= max_nonce &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127 && c != ','; });
}

std::optional<std::string> decode_exactly(std::string_view text, std::size_t least, std::size_t most)
{
    auto decoded = decode_base64(text);
    if (!decoded || decoded->size() < least || decoded->size() > most) return std::nullopt;
    return std::string(decoded->view());
}

}  // namespace

Result<ScramVerifier> parse_verifier(std::string_view text)
{
    constexpr std::string_view rfc = "SCRAM-SHA-256$", dovecot = "{SCRAM-SHA-256}";
    const bool is_rfc = text.starts_with(rfc);
    if (!is_rfc && !text.starts_with(dovecot))
        return fail(ErrorCode::refused, "SCRAM verifiers are supported for SHA-256 only");
    text.remove_prefix(is_rfc ? rfc.size() : dovecot.size());
    const auto iterations = cut(text, is_rfc ? ':' : ',');
    const auto salt = iterations ? cut(text, is_rfc ? '$' : ',') : std::nullopt;
    const auto stored = salt ? cut(text, is_rfc ? ':' : ',') : std::nullopt;
    if (!stored) return fail(ErrorCode::syntax, "the SCRAM verifier is not complete");

    ScramVerifier verifier;
    const auto count = base::parse_number<unsigned>(*iterations);
    if (!count || *count < min_iterations || *count > max_iterations) {
        return fail(ErrorCode::refused, "the SCRAM verifier has an iteration count that is not between " +
                                            std::to_string(min_iterations) + " and " + std::to_string(max_iterations));
    }
    verifier.iterations = *count;
    auto salt_bytes = decode_exactly(*salt, 8, 64);
    auto stored_bytes = decode_exactly(*stored, digest_size, digest_size);
    auto server_bytes = decode_exactly(text, digest_size, digest_size);
    if (!salt_bytes || !stored_bytes || !server_bytes)
        return fail(ErrorCode::syntax, "the SCRAM verifier has a malformed salt or key");
    verifier.salt = std::move(*salt_bytes);
    verifier.stored_key = std::move(*stored_bytes);
    verifier.server_key = std::move(*server_bytes);
    return verifier;
}

std::string format_verifier(const ScramVerifier& verifier)
{
    return "SCRAM-SHA-256$" + std::to_string(verifier.iterations) + ":" + encode_base64(verifier.salt) + "$" +
           encode_base64(verifier.stored_key) + ":" + encode_base64(verifier.server_key);
}

ScramVerifier make_verifier(const Secret& password, std::string salt, unsigned iterations)
{
    const Keys keys = derive(password, salt, iterations);
    return {iterations, std::move(salt), std::string(view(keys.stored)), std::string(view(keys.server))};
}

bool matches(const ScramVerifier& verifier, const Secret& password)
{
    const Keys keys = derive(password, verifier.salt, verifier.iterations);
    return equal_in_constant_time(view(keys.stored), verifier.stored_key);
}

// gs2-cbind-flag: "p=<name>", "n" (the client cannot), "y" (it could, and thinks that the server cannot).
Result<void> ScramServer::read_binding(std::string_view flag)
{
    const bool is_offered = !setup_.tls_exporter.empty() || !setup_.tls_server_end_point.empty();
    if (!setup_.is_plus) {
        if (flag == "n") return {};
        if (flag != "y") return protocol("a channel binding without -PLUS");
        // Somebody in between took -PLUS out of our list.
        if (is_offered) return fail(ErrorCode::refused, "the client did not see that channel bindings are offered");
        return {};
    }
    if (!flag.starts_with("p=")) return protocol("-PLUS without a channel binding");
    const std::string_view name = flag.substr(2);
    const std::string* data = name == "tls-exporter"           ? &setup_.tls_exporter
                              : name == "tls-server-end-point" ? &setup_.tls_server_end_point
                                                               : nullptr;
    if (!data || data->empty()) return fail(ErrorCode::refused, "unsupported channel binding type");
    expected_binding_ = *data;
    return {};
}

Result<ScramServer::Names> ScramServer::read_first(std::string_view message)
{
    if (message.size() > max_message) return protocol("too long");
    std::string_view rest = message;
    const auto flag = cut(rest, ',');
    const auto authorization = flag ? cut(rest, ',') : std::nullopt;
    if (!authorization) return protocol("no GS2 header");
    EKIDEN_TRY(read_binding(*flag));
    expected_binding_.insert(0, message.substr(0, message.size() - rest.size()));
    client_first_bare_ = rest;

    Names names;
    // "a=" without a name is against the grammar, but what GNU SASL sends for an empty one.
    if (!authorization->empty() && *authorization != "a=") {
        auto name = authorization->starts_with("a=") ? unescape(authorization->substr(2)) : std::nullopt;
        if (!name) return protocol("malformed authorization identity");
        names.authorization = std::move(*name);
    }
    if (rest.starts_with("m=")) return protocol("a mandatory extension");
    const auto user = cut(rest, ',');
    auto name = user && user->starts_with("n=") ? unescape(user->substr(2)) : std::nullopt;
    if (!name) return protocol("malformed user name");
    names.user = std::move(*name);
    const std::string_view nonce = rest.substr(0, rest.find(','));
    if (!nonce.starts_with("r=") || !is_nonce(nonce.substr(2))) return protocol("malformed nonce");
    if (nonce.size() < rest.size() && !are_optional_extensions(rest.substr(nonce.size() + 1)))
        return protocol("malformed or mandatory extension");
    nonce_ = std::string(nonce.substr(2)) + setup_.nonce;
    return names;
}

const std::string& ScramServer::challenge(ScramVerifier verifier)
{
    verifier_ = std::move(verifier);
    server_first_ =
        "r=" + nonce_ + ",s=" + encode_base64(verifier_.salt) + ",i=" + std::to_string(verifier_.iterations);
    return server_first_;
}

Result<std::string> ScramServer::read_final(std::string_view message)
{
    if (message.size() > max_message) return protocol("too long");
    const auto end = message.rfind(",p=");
    if (end == message.npos) return protocol("no proof");
    const auto proof = decode_exactly(message.substr(end + 3), digest_size, digest_size);
    if (!proof) return protocol("malformed proof");
    const std::string_view without_proof = message.substr(0, end);

    std::string_view rest = without_proof;
    const auto binding_text = cut(rest, ',');
    if (!binding_text || !binding_text->starts_with("c=")) return protocol("no channel binding");
    const auto binding = decode_base64(binding_text->substr(2));
    if (!binding) return protocol("malformed channel binding");
    const std::string_view nonce = rest.substr(0, rest.find(','));
    if (!nonce.starts_with("r=")) return protocol("no nonce");
    if (nonce.size() < rest.size() && !are_optional_extensions(rest.substr(nonce.size() + 1)))
        return protocol("malformed or mandatory extension");
    if (!equal_in_constant_time(binding->view(), expected_binding_))
        return fail(ErrorCode::refused, "the channel binding does not match");
    if (!equal_in_constant_time(nonce.substr(2), nonce_)) return fail(ErrorCode::refused, "the nonce is not ours");

    const std::string auth_message = client_first_bare_ + ',' + server_first_ + ',' + std::string(without_proof);
    Digest key = hmac(verifier_.stored_key, auth_message);
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>(key[i] ^ (*proof)[i]);
    const bool is_right = equal_in_constant_time(view(sha256(view(key))), verifier_.stored_key);
    wipe(key.data(), key.size());
    if (!is_right) return fail(ErrorCode::refused, "the proof is wrong");
    return "v=" + encode_base64(view(hmac(verifier_.server_key, auth_message)));
}

}  // namespace ekiden::sasl
