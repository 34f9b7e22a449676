// The client's side of SCRAM-SHA-256, written from RFC 5802 alone (nothing of src/sasl but base64), so that a mistake of
// the server cannot hide behind the same mistake here.
#pragma once

#include "sasl/base64.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace ekiden::sasl {

struct ScramClient {
    std::string password, user = "user", gs2 = "n,,", binding = {}, nonce = "rOprNGfwEbeRWgbNEkqO",
                          first_extension = {}, final_extension = {};
    std::string auth_message = {}, server_key = {};    // after answer()

    std::string first() const { return gs2 + first_bare(); }

    // The client-final-message for the server's challenge.
    std::string answer(std::string_view server_first)
    {
        const std::string text(server_first);
        const std::string full_nonce = between(text, "r=", ",");
        const std::string salt(decode_base64(between(text, ",s=", ","))->view());
        const int iterations = std::stoi(text.substr(text.rfind(",i=") + 3));
        std::string salted(32, '\0');
        PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                          reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                          iterations, EVP_sha256(), 32, reinterpret_cast<unsigned char*>(salted.data()));
        const std::string client_key = mac(salted, "Client Key");
        const std::string without_proof = "c=" + encode_base64(gs2 + binding) + ",r=" + full_nonce + final_extension;
        auth_message = first_bare() + "," + text + "," + without_proof;
        const std::string signature = mac(hash(client_key), auth_message);
        std::string proof = client_key;
        for (std::size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ signature[i]);
        server_key = mac(salted, "Server Key");
        return without_proof + ",p=" + encode_base64(proof);
    }

    // What the server must say then.
    std::string server_final() const { return "v=" + encode_base64(mac(server_key, auth_message)); }

    std::string first_bare() const { return "n=" + user + ",r=" + nonce + first_extension; }
    static std::string between(const std::string& text, const std::string& begin, const std::string& end)
    {
        const auto at = text.find(begin);
        if (at == std::string::npos) throw std::runtime_error("the server's message lacks " + begin);
        const auto from = at + begin.size();
        return text.substr(from, text.find(end, from) - from);
    }
    static std::string mac(const std::string& key, const std::string& text)
    {
        std::string out(32, '\0');
        HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(),
             reinterpret_cast<unsigned char*>(out.data()), nullptr);
        return out;
    }
    static std::string hash(const std::string& text)
    {
        std::string out(32, '\0');
        EVP_Digest(text.data(), text.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr, EVP_sha256(),
                   nullptr);
        return out;
    }
};

}  // namespace ekiden::sasl
