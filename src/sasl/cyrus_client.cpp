#include "sasl/cyrus_client.hpp"

#include "base/text.hpp"
#include "sasl/base64.hpp"
#include "sasl/cyrus_glue.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace ekiden::sasl {
namespace {

constexpr std::string_view bad_protocol = "bad protocol / cancel";

// The library wants the password behind its length, in one piece.
class LibrarySecret {
public:
    explicit LibrarySecret(std::string_view password)
        : size_(sizeof(sasl_secret_t) + password.size() + 1),
          secret_(static_cast<sasl_secret_t*>(std::calloc(1, size_)))
    {
        if (!secret_) throw std::bad_alloc();
        secret_->len = password.size();
        std::memcpy(secret_->data, password.data(), password.size());
    }
    ~LibrarySecret()
    {
        wipe(reinterpret_cast<char*>(secret_), size_);
        std::free(secret_);
    }
    LibrarySecret(const LibrarySecret&) = delete;
    LibrarySecret& operator=(const LibrarySecret&) = delete;
    sasl_secret_t* get() const { return secret_; }

private:
    std::size_t size_;
    sasl_secret_t* secret_;
};

class CyrusClient final : public Client {
public:
    CyrusClient(ClientRequest request, net::BlockingPool* pool)
        : request_(std::move(request)), pool_(pool), secret_(request_.password.view()),
          callbacks_{{SASL_CB_USER, as_callback(&on_name), request_.names_authorization ? this : nullptr},
                     {SASL_CB_AUTHNAME, as_callback(&on_name), this},
                     {SASL_CB_PASS, as_callback(&on_password), this},
                     {SASL_CB_LIST_END, nullptr, nullptr}}
    {
    }

    Task<Result<ClientStart>> start(std::string mechanisms) override
    {
        if (!pool_) co_return start_now(mechanisms);
        std::optional<Result<ClientStart>> result;
        co_await pool_->run([this, &mechanisms, &result] { result.emplace(start_now(mechanisms)); });
        co_return std::move(*result);
    }

    Task<Result<Secret>> step(std::string challenge) override
    {
        if (!pool_) co_return step_now(challenge);
        std::optional<Result<Secret>> result;
        co_await pool_->run([this, &challenge, &result] { result.emplace(step_now(challenge)); });
        co_return std::move(*result);
    }

    bool is_satisfied() const override { return is_complete_ || !(request_.security & mutual_auth); }
    std::vector<std::string> take_log() override { return std::exchange(log_, {}); }

private:
    Result<ClientStart> start_now(const std::string& mechanisms)
    {
        EKIDEN_TRY(open_cyrus_client());
        Listening listening(log_);
        sasl_conn_t* connection = nullptr;
        int status = ::sasl_client_new(request_.service.c_str(), request_.host.c_str(), nullptr, nullptr, callbacks_, 0,
                                       &connection);
        if (status != SASL_OK) return refused(status);
        connection_.reset(connection);
        status = demand(connection, request_.security);
        if (status != SASL_OK) return refused(status);

        const char* response = nullptr;
        const char* mechanism = nullptr;
        unsigned size = 0;
        status = ::sasl_client_start(connection, mechanisms.c_str(), nullptr, &response, &size, &mechanism);
        if (status != SASL_OK && status != SASL_CONTINUE) return refused(status);
        is_complete_ = status == SASL_OK;
        ClientStart start;
        start.mechanism = mechanism ? mechanism : "";
        is_scram_ = start.mechanism.starts_with("SCRAM-");
        if (response) start.response.emplace(encode_base64({response, size}));
        return start;
    }

    Result<Secret> step_now(const std::string& challenge)
    {
        Listening listening(log_);
        const auto bytes = decode_base64(challenge);
        if (!connection_ || !bytes) return fail(ErrorCode::protocol, std::string(bad_protocol));
        if (is_scram_ && scram_iterations(bytes->view()) > most_scram_iterations) {
            log_.push_back("SASL authentication failure: the server demands too many iterations");
            return fail(ErrorCode::protocol, std::string(bad_protocol));
        }
        const char* response = nullptr;
        unsigned size = 0;
        const int status = ::sasl_client_step(connection_.get(), bytes->view().data(),
                                              static_cast<unsigned>(bytes->size()), nullptr, &response, &size);
        if (status != SASL_OK && status != SASL_CONTINUE) return refused(status);
        is_complete_ = status == SASL_OK;
        return Secret(encode_base64({response ? response : "", response ? size : 0}));
    }

    static std::unexpected<Error> refused(int status)
    {
        return fail(ErrorCode::refused, ::sasl_errstring(status, nullptr, nullptr));
    }

    // Without a context: on whose behalf, which is the user's own.
    static int on_name(void* context, int, const char** result, unsigned* size)
    {
        static const std::string nobody;
        const std::string& name = context ? static_cast<const CyrusClient*>(context)->request_.user : nobody;
        *result = name.c_str();
        if (size) *size = static_cast<unsigned>(name.size());
        return SASL_OK;
    }
    static int on_password(sasl_conn_t*, void* context, int, sasl_secret_t** result)
    {
        *result = static_cast<const CyrusClient*>(context)->secret_.get();
        return SASL_OK;
    }

    ClientRequest request_;
    net::BlockingPool* pool_;
    LibrarySecret secret_;
    const sasl_callback_t callbacks_[4];
    CyrusConnection connection_;    // goes before what it points to
    std::vector<std::string> log_;
    bool is_scram_ = false, is_complete_ = false;
};

}  // namespace

Result<void> open_cyrus_client()
{
    static const int status = [] {
        give_cyrus_mutexes();
        return ::sasl_client_init(log_callbacks);
    }();
    if (status == SASL_OK) return {};
    return fail(ErrorCode::system,
                std::string("SASL library initialization: ") + ::sasl_errstring(status, nullptr, nullptr));
}

bool cyrus_client_knows(std::string_view mechanism)
{
    if (!open_cyrus_client()) return false;
    const char** names = ::sasl_global_listmech();
    for (; names && *names; ++names) {
        if (base::equal_ignoring_case(*names, mechanism)) return true;
    }
    return false;
}

unsigned long scram_iterations(std::string_view server_first)
{
    for (std::string_view field : base::split_any(server_first, ",")) {
        if (!field.starts_with("i=")) continue;
        field.remove_prefix(2);
        if (field.size() > 15) return most_scram_iterations + 1;
        return base::parse_number<unsigned long>(field).value_or(0);
    }
    return 0;
}

std::unique_ptr<Client> make_cyrus_client(ClientRequest request, net::BlockingPool* pool)
{
    return std::make_unique<CyrusClient>(std::move(request), pool);
}

}  // namespace ekiden::sasl
