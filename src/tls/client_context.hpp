// The parts of a TLS client: an SSL_CTX for one state of its files with the sessions that were made from it, and one
// handshake's view of the server's certificate. For client.cpp. Thread: any; a verdict belongs to its connection.
#pragma once

#include "base/clock.hpp"
#include "base/locked.hpp"
#include "tls/client_options.hpp"
#include "tls/openssl.hpp"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace ekiden::tls {

using UniqueSession = std::unique_ptr<SSL_SESSION, Release<SSL_SESSION_free>>;

// What verification found; complete after the handshake, also when the session was resumed.
struct Verdict {
    std::string chain_problem;      // "self-signed certificate", "untrusted issuer /CN=…"; "" = the chain is good
    int name_error = 0;             // X509_V_ERR_…; 0 = a name matched, or none was asked for
    bool is_good() const { return chain_problem.empty() && name_error == 0; }
};

class ClientContext {
public:
    static constexpr std::size_t most_sessions = 4096;
    // Reads the files; blocking.
    static Result<std::shared_ptr<const ClientContext>> make(const ClientOptions& options,
                                                             std::vector<std::string>& warnings);

    // An SSL for one connection under `policy`, with the session to resume, if there is one. The error's text is Postfix's:
    // "invalid cipher grade: "zzz"". The context outlives it.
    Result<UniqueSsl> begin(const ClientPolicy& policy, std::string session_key) const;
    // After a handshake that ended well.
    static Verdict finish(SSL* ssl, const ClientPolicy& policy);
    // A session with which a handshake failed is not tried again.
    void forget(const std::string& session_key) const;

private:
    struct Remembered {
        UniqueSession session;
        Verdict verdict;
        SteadyTime until{};
    };
    explicit ClientContext(const ClientOptions& options) : session_limit_(options.session_limit), lists_(options.lists)
    {
    }
    static int on_new_session(SSL* ssl, SSL_SESSION* session);

    const std::chrono::seconds session_limit_;
    const CipherLists lists_;
    UniqueContext handle_;
    mutable base::Locked<std::unordered_map<std::string, Remembered>> sessions_;
};

// "num=62:hostname mismatch"
std::string name_error_text(int error);

}  // namespace ekiden::tls
