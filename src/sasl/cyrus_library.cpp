#include "sasl/cyrus_library.hpp"

#include "base/text.hpp"
#include "sasl/cyrus_glue.hpp"
#include "sasl/cyrus_sasldb.hpp"
#include "sasl/lost_sockets.hpp"

#include <fmt/format.h>
#include <sasl/saslutil.h>

#include <algorithm>
#include <mutex>

namespace ekiden::sasl {
namespace {

constexpr std::size_t longest_user = 1000;
CyrusOptions opened;    // set once in open_cyrus()

Result<CyrusConnection> connect(const AuthRequest& request)
{
    sasl_conn_t* connection = nullptr;
    const int status = ::sasl_server_new(
        request.service.c_str(), opened.hostname.c_str(), request.realm.empty() ? nullptr : request.realm.c_str(),
        request.local.empty() ? nullptr : request.local.c_str(),
        request.remote.empty() ? nullptr : request.remote.c_str(), log_callbacks, 0, &connection);
    if (status != SASL_OK) return fail(ErrorCode::system, ::sasl_errstring(status, nullptr, nullptr));
    return CyrusConnection(connection);
}

std::vector<std::string> list(Properties security)
{
    std::vector<std::string> names;
    AuthRequest any;
    any.service = "smtp";
    auto connection = connect(any);
    const char* text = nullptr;
    if (!connection || demand(connection->get(), security) != SASL_OK ||
        ::sasl_listmech(connection->get(), nullptr, "", " ", "", &text, nullptr, nullptr) != SASL_OK) {
        return names;
    }
    for (const auto name : base::split_any(text ? text : "", " ")) names.emplace_back(name);
    return names;
}

// Not the client's fault: it may try again.
bool is_temporary(int status)
{
    static constexpr int temporary[] = {SASL_FAIL,    SASL_NOMEM,   SASL_BUFOVER, SASL_NOTDONE,   SASL_BADPARAM,
                                        SASL_TRYAGAIN, SASL_NOTINIT, SASL_UNAVAIL, SASL_CONFIGERR, SASL_BADVERS};
    return std::ranges::find(temporary, status) != std::end(temporary);
}

// Now and then, while there are logins. Much longer than a thread needs to close what the other side has closed.
void close_lost_sockets()
{
    static std::mutex mutex;
    static LostSockets lost(std::chrono::seconds(60));
    static SteadyTime next{};
    const std::unique_lock lock(mutex, std::try_to_lock);
    const SteadyTime now = base::steady_now();
    if (!lock || now < next) return;
    next = now + std::chrono::seconds(20);
    lost.close_lost(now);
}

class LibraryLogin final : public CyrusLogin {
public:
    explicit LibraryLogin(AuthRequest request) : request_(std::move(request)) {}

    CyrusReply step(std::optional<Secret> response) override
    {
        close_lost_sockets();
        CyrusReply reply;
        Listening listening(reply.log, true);
        const bool is_first = !connection_;
        if (is_first) {
            auto made = connect(request_);
            if (!made) {
                reply.text = made.error().text();
                return reply;
            }
            connection_ = std::move(*made);
            if (const int status = demand(connection_.get(), request_.security); status != SASL_OK)
                return finish(std::move(reply), status);
        }

        Secret bytes;
        if (response) {
            unsigned size = 0;
            bytes.buffer().resize(response->size() + 1);    // base64 shrinks; the library adds a NUL
            const int status = ::sasl_decode64(response->view().data(), static_cast<unsigned>(response->size()),
                                               bytes.buffer().data(), static_cast<unsigned>(bytes.size()), &size);
            if (status != SASL_OK) return finish(std::move(reply), status);
            bytes.buffer().resize(size);    // shrinking moves nothing
        }
        const char* challenge = nullptr;
        unsigned challenge_size = 0;
        const auto size = static_cast<unsigned>(bytes.size());
        const int status =
            is_first ? ::sasl_server_start(connection_.get(), request_.mechanism.c_str(),
                                           response ? bytes.view().data() : nullptr, size, &challenge, &challenge_size)
                     : ::sasl_server_step(connection_.get(), bytes.view().data(), size, &challenge, &challenge_size);
        if (status != SASL_CONTINUE) return finish(std::move(reply), status);
        reply.kind = CyrusReply::Kind::challenge;
        reply.text.resize((challenge_size + 2) / 3 * 4 + 1);
        unsigned text_size = 0;
        if (const int encoded = ::sasl_encode64(challenge, challenge_size, reply.text.data(),
                                                static_cast<unsigned>(reply.text.size()), &text_size);
            encoded != SASL_OK) {
            return finish(std::move(reply), encoded);
        }
        reply.text.resize(text_size);
        return reply;
    }

private:
    // A bad base64 ends in SASL_CONTINUE or SASL_BADPROT, and its text is what Postfix prints too.
    CyrusReply finish(CyrusReply reply, int status) const
    {
        const void* name = nullptr;
        if (::sasl_getprop(connection_.get(), SASL_USERNAME, &name) == SASL_OK && name)
            reply.user = static_cast<const char*>(name);
        if (status != SASL_OK && reply.user.size() > longest_user) reply.user.resize(longest_user);  // for the log only
        if (status == SASL_OK) {
            reply.kind = CyrusReply::Kind::success;
            if (reply.user.empty()) return refuse(std::move(reply), SASL_FAIL);    // nobody is no login
            reply.text.clear();
            return reply;
        }
        return refuse(std::move(reply), status);
    }

    static CyrusReply refuse(CyrusReply reply, int status)
    {
        reply.kind = is_temporary(status) ? CyrusReply::Kind::try_later : CyrusReply::Kind::failure;
        // The client must not learn which names exist: "user not found" becomes "authentication failure".
        reply.text = ::sasl_errstring(status == SASL_NOUSER ? SASL_BADAUTH : status, nullptr, nullptr);
        return reply;
    }

    AuthRequest request_;
    CyrusConnection connection_;
};

}  // namespace

Result<void> open_cyrus(CyrusOptions options, std::vector<std::string>& log)
{
    Listening listening(log, true);
    opened = std::move(options);
    give_cyrus_mutexes();
    if (!opened.search_path.empty()) {
        if (const int status = ::sasl_set_path(SASL_PATH_TYPE_CONFIG, opened.search_path.data()); status != SASL_OK) {
            return fail(ErrorCode::system,
                        fmt::format("SASL library path: {}", ::sasl_errstring(status, nullptr, nullptr)));
        }
    }
    static const sasl_callback_t callbacks[] = {
        log_callbacks[0],
        {SASL_CB_VERIFYFILE, as_callback(&skip_sasldb), nullptr},
        {SASL_CB_LIST_END, nullptr, nullptr},
    };
    if (const int status = ::sasl_server_init(callbacks, opened.application.c_str()); status != SASL_OK) {
        return fail(ErrorCode::system,
                    fmt::format("SASL library initialization: {}", ::sasl_errstring(status, nullptr, nullptr)));
    }
    add_sasldb();
    return {};
}

std::vector<Mechanism> cyrus_mechanisms()
{
    std::vector<Mechanism> mechanisms;
    for (std::string& name : list(0)) mechanisms.push_back({std::move(name), 0, false});
    // The library tells no flags, but which mechanisms satisfy each.
    for (const CyrusFlag& row : cyrus_flags) {
        const auto having = list(row.property);
        for (Mechanism& mechanism : mechanisms) {
            const bool is_listed = std::ranges::find(having, mechanism.name) != having.end();
            if (is_listed == ((row.property & strengths) != 0)) mechanism.properties |= row.property;
        }
    }
    return mechanisms;
}

std::unique_ptr<CyrusLogin> begin_cyrus_login(AuthRequest request)
{
    return std::make_unique<LibraryLogin>(std::move(request));
}

}  // namespace ekiden::sasl
