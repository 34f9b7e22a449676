#include "tls/context.hpp"

#include "base/locked.hpp"
#include "base/privileged_read.hpp"
#include "base/text.hpp"
#include "net/blocking.hpp"
#include "tls/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <unordered_map>

namespace ekiden::tls {

namespace {

// Chains by server name that are kept ready, and sessions that are remembered for clients without tickets.
constexpr std::size_t most_named_chains = 1000;
constexpr long most_sessions = 4096;
constexpr std::size_t longest_chain_value = 1u << 20;

std::atomic<net::BlockingPool*> pool{nullptr};

const EVP_CIPHER* ticket_cipher(const std::string& name)
{
    const EVP_CIPHER* cipher = EVP_get_cipherbyname(name.c_str());
    if (!cipher || EVP_CIPHER_get_mode(cipher) != EVP_CIPH_CBC_MODE || EVP_CIPHER_get_block_size(cipher) != 16)
        return nullptr;
    const int bytes = EVP_CIPHER_get_key_length(cipher);
    return bytes >= 16 && bytes <= 32 ? cipher : nullptr;
}

int on_verify(int is_good, X509_STORE_CTX* store)
{
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    if (SslOwner* owner = owner_of(ssl))
        owner->note_certificate(X509_STORE_CTX_get_error_depth(store), is_good == 1, store);
    // A client is not turned away here: what its certificate is worth is for the access rules.
    return 1;
}

int on_choose_chain(SSL* ssl, void*)
{
    SslOwner* owner = owner_of(ssl);
    return !owner || owner->choose_identities() ? 1 : -1;
}

int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher_context, EVP_MAC_CTX* mac,
              int is_sealing)
{
    const auto* context = static_cast<const Context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    const EVP_CIPHER* cipher = ticket_cipher(context->options().ticket_cipher);
    const auto lifetime = context->options().session_limit;
    const SteadyTime now = base::steady_now();
    auto& keys = TicketKeys::of_process();

    TicketKey key;
    int answer = 1;
    if (is_sealing) {
        auto current = keys.current(now, lifetime);
        if (!current || RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher)) != 1) return -1;
        key = *current;
        std::memcpy(name, key.name.data(), key.name.size());
    } else {
        auto found = keys.find(name, now, lifetime);
        if (!found) return 0;
        key = found->key;
        if (!found->is_current) answer = 2;
    }
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.digest.data(), key.digest.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    if (EVP_MAC_CTX_set_params(mac, parameters) != 1) return -1;
    if (EVP_CipherInit_ex(cipher_context, cipher, nullptr, key.cipher.data(), iv, is_sealing) != 1) return -1;
    if (SslOwner* owner = owner_of(ssl)) {
        const auto left = std::chrono::duration_cast<std::chrono::seconds>(key.made_at + lifetime - now);
        owner->note_ticket(is_sealing != 0, static_cast<long>(base::to_seconds(base::wall_now()) + left.count()));
    }
    return answer;
}

template <class Use>
bool with_stack(const std::vector<UniqueCertificate>& chain, Use use)
{
    STACK_OF(X509)* stack = sk_X509_new_null();
    bool is_done = stack != nullptr;
    for (const auto& certificate : chain) is_done = is_done && sk_X509_push(stack, certificate.get()) > 0;
    is_done = is_done && use(stack);
    sk_X509_free(stack);
    return is_done;
}

void choose_dh(SSL_CTX* context, const ServerOptions& options, std::vector<std::string>& warnings)
{
    if (!options.dh_file.empty()) {
        base::PrivilegedRead guard;
        UniqueBio bio(BIO_new_file(options.dh_file.c_str(), "r"));
        EVP_PKEY* parameters = bio ? PEM_read_bio_Parameters(bio.get(), nullptr) : nullptr;
        if (parameters && SSL_CTX_set0_tmp_dh_pkey(context, parameters) == 1) return;
        const std::string reason = bio ? take_openssl_reason("no parameters in it") : std::string(std::strerror(errno));
        EVP_PKEY_free(parameters);
        ERR_clear_error();
        warnings.push_back(fmt::format("error opening DH parameter file \"{}\": {} -- OpenSSL's own are used",
                                       options.dh_file, reason));
    }
    SSL_CTX_set_dh_auto(context, 1);
}

void choose_session_rules(SSL_CTX* context, const ServerOptions& options)
{
    // Sessions of one service are worth nothing at another, or where clients are asked for other things.
    const std::string scope =
        fmt::format("{}/{}/{}/{}", options.scope, options.asks_certificate, options.ca_file, options.ca_path);
    unsigned char id[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_Digest(scope.data(), scope.size(), id, &length, EVP_sha256(), nullptr);
    SSL_CTX_set_session_id_context(context, id, std::min<unsigned>(length, SSL_MAX_SID_CTX_LENGTH));
    SSL_CTX_set_timeout(context, static_cast<long>(options.session_limit.count()));
    if (options.has_session_cache) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
        SSL_CTX_sess_set_cache_size(context, most_sessions);
    } else if (options.always_issues_ids) {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
    } else {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    }
    // Mail clients open one connection at a time: one ticket is enough.
    SSL_CTX_set_num_tickets(context, options.ticket_cipher.empty() ? 0 : 1);
    if (options.ticket_cipher.empty()) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    else SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

// A value made by "postmap -F": the files' content in base64.
std::optional<std::string> decode_content(std::string_view value)
{
    if (value.empty() || value.size() > longest_chain_value || value.size() % 4 != 0) return std::nullopt;
    std::string content(value.size() / 4 * 3, '\0');
    const int length =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(content.data()),
                        reinterpret_cast<const unsigned char*>(value.data()), static_cast<int>(value.size()));
    if (length < 0 || content.find("-----BEGIN ") == content.npos) {
        ERR_clear_error();
        OPENSSL_cleanse(content.data(), content.size());
        return std::nullopt;
    }
    return content;
}

// A chain of tls_server_sni_maps, kept by the value that named it, so that a new value is a new chain.
struct NamedChain {
    IdentitiesPtr identities;
    std::vector<std::string> files;     // none: the value holds everything
    std::string state;                  // of the files, when they were read
};
using NamedChains = base::Locked<std::unordered_map<std::string, NamedChain>>;

// One that needs no look at files.
IdentitiesPtr find_ready(NamedChains& chains, const std::string& value)
{
    auto all = chains.lock();
    const auto at = all->find(value);
    return at != all->end() && at->second.files.empty() ? at->second.identities : nullptr;
}

Result<IdentitiesPtr> load_named(NamedChains& chains, const std::string& value)
{
    NamedChain chain;
    auto content = decode_content(value);
    if (!content) {
        for (auto word : base::split_any(value)) chain.files.emplace_back(word);
        if (chain.files.empty()) return fail(ErrorCode::syntax, "empty value");
        chain.state = state_of_files(chain.files);
        auto all = chains.lock();
        if (auto at = all->find(value); at != all->end() && at->second.state == chain.state)
            return at->second.identities;
    }
    auto loaded =
        content ? parse_identities(*content, "the table") : load_identities({.chain_files = chain.files, .pairs = {}});
    if (content) OPENSSL_cleanse(content->data(), content->size());
    if (!loaded) return fail(std::move(loaded).error());
    chain.identities = std::make_shared<const Identities>(std::move(*loaded));
    IdentitiesPtr result = chain.identities;
    auto all = chains.lock();
    if (all->size() >= most_named_chains) all->clear();
    all->insert_or_assign(value, std::move(chain));
    return result;
}

int owner_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

}  // namespace

void use_blocking_pool(net::BlockingPool* new_pool) { pool.store(new_pool); }
net::BlockingPool* blocking_pool() { return pool.load(); }

Result<Identities> load_named_identities(const std::string& value)
{
    if (auto content = decode_content(value)) {
        auto loaded = parse_identities(*content, "the table");
        OPENSSL_cleanse(content->data(), content->size());
        return loaded;
    }
    std::vector<std::string> files;
    for (const auto word : base::split_any(value)) files.emplace_back(word);
    if (files.empty()) return fail(ErrorCode::syntax, "empty value");
    return load_identities({.chain_files = std::move(files), .pairs = {}});
}

bool is_ticket_cipher(const std::string& name) { return ticket_cipher(name) != nullptr; }

void set_owner(SSL* ssl, SslOwner* owner) { SSL_set_ex_data(ssl, owner_index(), owner); }
SslOwner* owner_of(const SSL* ssl) { return static_cast<SslOwner*>(SSL_get_ex_data(ssl, owner_index())); }

bool use_identities(SSL* ssl, const Identities& identities)
{
    SSL_certs_clear(ssl);
    for (const Identity& identity : identities) {
        const bool is_used = with_stack(identity.chain, [&](STACK_OF(X509)* chain) {
            return SSL_use_cert_and_key(ssl, identity.leaf.get(), identity.key.get(), chain, 1) == 1;
        });
        if (!is_used) return false;
    }
    return true;
}

Result<void> load_authorities(SSL_CTX* context, const std::string& ca_file, const std::string& ca_path,
                              bool trusts_default)
{
    if (!ca_file.empty() || !ca_path.empty()) {
        base::PrivilegedRead guard;
        if ((!ca_file.empty() && SSL_CTX_load_verify_file(context, ca_file.c_str()) != 1) ||
            (!ca_path.empty() && SSL_CTX_load_verify_dir(context, ca_path.c_str()) != 1)) {
            const std::string reason = take_openssl_reason("it cannot be read");
            std::string where;
            if (!ca_file.empty()) where += fmt::format(", CAfile=\"{}\"", ca_file);
            if (!ca_path.empty()) where += fmt::format(", CApath=\"{}\"", ca_path);
            return fail(ErrorCode::system,
                        fmt::format("cannot load Certification Authority data{} ({})", where, reason));
        }
    }
    if (trusts_default && SSL_CTX_set_default_verify_paths(context) != 1) {
        return fail(ErrorCode::system,
                    "cannot load the system's Certification Authority data: " + take_openssl_reason("unknown reason"));
    }
    ERR_clear_error();
    return {};
}

Result<void> use_identities(SSL_CTX* context, const Identities& identities)
{
    for (const Identity& identity : identities) {
        const bool is_used = with_stack(identity.chain, [&](STACK_OF(X509)* chain) {
            return SSL_CTX_use_cert_and_key(context, identity.leaf.get(), identity.key.get(), chain, 1) == 1;
        });
        if (!is_used)
            return fail(ErrorCode::refused, "cannot use a certificate: " + take_openssl_reason("unknown reason"));
    }
    return {};
}

struct Context::Parts {
    UniqueContext handle;
    ServerOptions options;
    Identities identities;
    mutable NamedChains named;
};

Context::Context(std::unique_ptr<Parts> parts) : parts_(std::move(parts))
{
    SSL_CTX_set_app_data(parts_->handle.get(), this);
}
Context::~Context() = default;

SSL_CTX* Context::handle() const { return parts_->handle.get(); }
const ServerOptions& Context::options() const { return parts_->options; }
const Identities& Context::identities() const { return parts_->identities; }

Task<Result<IdentitiesPtr>> Context::find_identities(std::string server_name) const
{
    // First the name itself, then its parents with a dot in front.
    std::string name = base::lower(server_name);
    std::string key = name;
    for (;;) {
        EKIDEN_CO_TRY_VALUE(answer, co_await parts_->options.server_names.find(key));
        if (answer) {
            const std::string value = *answer;
            if (auto ready = find_ready(parts_->named, value)) co_return ready;
            net::BlockingPool* workers = blocking_pool();
            if (!workers) co_return load_named(parts_->named, value);
            std::optional<Result<IdentitiesPtr>> loaded;
            co_await workers->run([this, &value, &loaded] { loaded = load_named(parts_->named, value); });
            co_return std::move(*loaded);
        }
        const auto dot = name.find('.');
        if (dot == name.npos || dot + 1 == name.size()) break;
        key = name.substr(dot);
        name.erase(0, dot + 1);
    }
    co_return IdentitiesPtr{};
}

Result<ContextPtr> make_context(const ServerOptions& options, std::vector<std::string>& warnings)
{
    if (options.credentials.is_empty())
        return fail(ErrorCode::not_found, "No server certs available. TLS won't be enabled");
    EKIDEN_TRY_VALUE(identities, load_identities(options.credentials));

    auto parts = std::make_unique<Context::Parts>();
    parts->options = options;
    parts->handle.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* context = parts->handle.get();
    if (!context) return fail(ErrorCode::system, "cannot allocate server SSL_CTX: " + take_openssl_reason("no memory"));

    // What a client may use is what the administrator lists below, not what a level of OpenSSL's leaves of it.
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, options.protocols.lowest);
    SSL_CTX_set_max_proto_version(context, options.protocols.highest);
    SSL_CTX_clear_options(context, SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2 |
                                       SSL_OP_NO_TLSv1_3);
    SSL_CTX_set_options(context, (SSL_OP_ALL & ~options.options_cleared) | options.options_set |
                                     options.protocols.forbidden | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_CLEANSE_PLAINTEXT);  // passwords do not stay in freed buffers
    if (options.prefers_own_order) SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_early_data(context, 0);
    if (SSL_CTX_set_cipher_list(context, options.ciphers.c_str()) != 1) {
        return fail(ErrorCode::syntax, fmt::format("error setting cipher grade: \"{}\" ({})", options.grade,
                                                   take_openssl_reason("no cipher match")));
    }
    if (!options.groups.empty() && SSL_CTX_set1_groups_list(context, options.groups.c_str()) != 1) {
        warnings.push_back(fmt::format("curves \"{}\" cannot be used ({}): OpenSSL chooses", options.groups,
                                       take_openssl_reason("unknown reason")));
    }
    choose_dh(context, options, warnings);
    EKIDEN_TRY(use_identities(context, identities));
    parts->identities = std::move(identities);
    EKIDEN_TRY(load_authorities(context, options.ca_file, options.ca_path, options.trusts_default_authorities));
    // The names that clients are told to choose their certificate by.
    if (!options.ca_file.empty() && options.asks_certificate) {
        base::PrivilegedRead guard;
        if (STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(options.ca_file.c_str()))
            SSL_CTX_set_client_CA_list(context, names);
    }
    if (options.asks_certificate) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, on_verify);
        if (options.trusts_server_certificates) SSL_CTX_set_purpose(context, X509_PURPOSE_ANY);
        // Postfix counts the authority's own certificate, OpenSSL does not.
        SSL_CTX_set_verify_depth(context, std::max(0, options.verify_depth - 1));
    }
    choose_session_rules(context, options);
    if (!options.server_names.is_empty()) SSL_CTX_set_cert_cb(context, on_choose_chain, nullptr);
    ERR_clear_error();
    return std::make_shared<const Context>(std::move(parts));
}

}  // namespace ekiden::tls
