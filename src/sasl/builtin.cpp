#include "sasl/builtin.hpp"

#include "base/text.hpp"
#include "sasl/base64.hpp"
#include "sasl/builtin_file.hpp"
#include "sasl/builtin_names.hpp"
#include "sasl/builtin_work.hpp"
#include "sasl/crypt_hash.hpp"
#include "sasl/saslprep.hpp"

#include <utility>

namespace ekiden::sasl {

namespace {

constexpr const char* wrong = "authentication failure";
constexpr const char* malformed = "bad protocol / cancel";
constexpr const char* no_mechanism = "no mechanism available";

Result<bool> compare(const Login& login, const Secret& password)
{
    if (const auto* hash = std::get_if<std::string>(&login.verifier)) return compare_with_crypt_hash(*hash, password);
    const auto prepared = prepare(password.view());
    const bool is_same = matches(std::get<ScramVerifier>(login.verifier), prepared ? *prepared : password);
    return is_same && prepared.has_value();
}

struct Shared {
    explicit Shared(BuiltinOptions options)
        : file(FollowedFile::of(options.path, options.log)),
          hashes(HashQueue::of(*options.pool, options.max_working, options.max_waiting, options.time_limit)),
          pool(*options.pool),
          log(std::move(options.log))
    {
    }
    std::shared_ptr<FollowedFile> file;
    std::shared_ptr<HashQueue> hashes;
    net::BlockingPool& pool;
    Logger log;
};
using SharedPtr = std::shared_ptr<Shared>;

// Looks for a changed file first, when it is time; while that is not possible the file counts as it was last read.
Task<Result<PasswordFilePtr>> current_file(SharedPtr shared)
{
    if (shared->file->claims_look()) {
        std::function<Result<bool>()> look = [shared] {
            shared->file->look();
            return Result<bool>(true);
        };
        const auto ignored = co_await shared->hashes->run(std::move(look));
        if (!ignored) shared->log.debug("looking for a changed password file: {}", ignored.error().text());
    }
    co_return shared->file->latest();
}

Answer challenge(std::string_view text) { return {Answer::Kind::challenge, encode_base64(text), {}, {}}; }
Answer failure(const char* text, std::string user = {}) { return {Answer::Kind::failure, text, std::move(user), {}}; }
Answer success(std::string user) { return {Answer::Kind::success, {}, std::move(user), {}}; }
Answer try_later(std::string text, std::string user = {})
{
    return {Answer::Kind::try_later, std::move(text), std::move(user), {}};
}
Answer no_file() { return try_later("the password file cannot be read"); }

// Everything but `name` is the caller's to keep across the call; `password` is taken.
Task<Answer> check_password(SharedPtr shared, std::string realm, std::string name, std::string authorization,
                            Secret password)
{
    auto file = co_await current_file(shared);
    if (!file) co_return no_file();
    const Candidate candidate = look_up(std::move(*file), name, realm);
    const auto login = std::make_shared<const Login>(candidate.login ? *candidate.login : decoy_login(candidate));
    const auto kept = std::make_shared<const Secret>(std::move(password));
    std::function<Result<bool>()> work = [login, kept] { return compare(*login, *kept); };
    const auto is_same = co_await shared->hashes->run(std::move(work));
    if (!is_same) co_return try_later(is_same.error().text(), candidate.name());
    if (!*is_same || !candidate.login) co_return failure(wrong, candidate.name());
    if (!authorization.empty() && !candidate.is_called(authorization)) co_return failure(wrong, candidate.name());
    co_return success(candidate.login->name);
}

// A response as bytes; an initial one may be "=" for an empty one.
std::optional<Secret> decode(const Secret& response, bool is_initial)
{
    if (is_initial && response.view() == "=") return Secret();
    return decode_base64(response.view());
}

class Steps : public Exchange {
public:
    Steps(SharedPtr shared, Peer peer) : shared_(std::move(shared)), peer_(std::move(peer)) {}

protected:
    SharedPtr shared_;
    Peer peer_;
    bool is_first_ = true;
};

// RFC 4616: [authzid] NUL authcid NUL passwd.
class Plain : public Steps {
public:
    using Steps::Steps;
    Task<Answer> step(std::optional<Secret> response) override
    {
        const bool is_initial = std::exchange(is_first_, false);
        if (!response) co_return is_initial ? challenge("") : failure(malformed);
        auto message = decode(*response, is_initial);
        if (!message) co_return failure(malformed);
        const std::string_view text = message->view();
        const auto first = text.find('\0');
        const auto second = first == text.npos ? text.npos : text.find('\0', first + 1);
        if (second == text.npos || second == first + 1 || second + 1 == text.size() ||
            text.find('\0', second + 1) != text.npos) {
            co_return failure(malformed);
        }
        std::string authorization(text.substr(0, first));
        std::string name(text.substr(first + 1, second - first - 1));
        Secret password(text.substr(second + 1));
        auto answer = co_await check_password(shared_, peer_.realm, std::move(name), std::move(authorization),
                                              std::move(password));
        co_return answer;
    }
};

// What everybody does, though it was never a standard: name and password, each asked for. The name may come first.
class LoginSteps : public Steps {
public:
    using Steps::Steps;
    Task<Answer> step(std::optional<Secret> response) override
    {
        const bool is_initial = std::exchange(is_first_, false);
        if (!response) co_return is_initial ? challenge("Username:") : failure(malformed);
        auto text = decode(*response, is_initial);
        if (!text || text->view().find('\0') != std::string_view::npos) co_return failure(malformed);
        if (!name_) {
            if (is_initial && text->is_empty()) co_return challenge("Username:");
            if (text->is_empty()) co_return failure(malformed);
            name_ = std::string(text->view());
            co_return challenge("Password:");
        }
        if (text->is_empty())
            co_return failure(wrong, look_up(std::make_shared<const PasswordFile>(), *name_, peer_.realm).name());
        std::string name = *name_;
        Secret password = std::move(*text);
        auto answer = co_await check_password(shared_, peer_.realm, std::move(name), {}, std::move(password));
        co_return answer;
    }

private:
    std::optional<std::string> name_;
};

class Scram : public Steps {
public:
    Scram(SharedPtr shared, Peer peer, bool is_plus)
        : Steps(std::move(shared), std::move(peer)),
          server_({is_plus, peer_.tls_exporter, peer_.tls_server_end_point, encode_base64(random_bytes(18))})
    {
    }

    Task<Answer> step(std::optional<Secret> response) override
    {
        const bool is_initial = std::exchange(is_first_, false);
        if (!response) co_return is_initial ? challenge("") : failure(malformed);
        const auto message = decode(*response, is_initial);
        if (!message) co_return failure(malformed);
        if (stage_ == Stage::first) {
            std::string text(message->view());
            auto answer = co_await begin(std::move(text));
            co_return answer;
        }
        if (stage_ == Stage::final) co_return finish(message->view());
        // The client has seen that we know it, too, and has nothing to add.
        if (stage_ != Stage::proven || !message->is_empty()) co_return failure(malformed, candidate_.name());
        stage_ = Stage::ended;
        co_return success(candidate_.login->name);
    }

private:
    enum class Stage { first, final, proven, ended };

    Answer refuse(const Error& why)
    {
        stage_ = Stage::ended;
        shared_->log.debug("SCRAM: {}", why.text());
        return failure(why.is(ErrorCode::protocol) ? malformed : wrong, candidate_.name());
    }

    Task<Answer> begin(std::string message)
    {
        stage_ = Stage::ended;
        auto names = server_.read_first(message);
        if (!names) co_return refuse(names.error());
        auto file = co_await current_file(shared_);
        if (!file) co_return no_file();
        candidate_ = look_up(std::move(*file), names->user, peer_.realm);
        authorization_ = std::move(names->authorization);
        const auto* verifier = candidate_.login ? std::get_if<ScramVerifier>(&candidate_.login->verifier) : nullptr;
        has_verifier_ = verifier != nullptr;
        stage_ = Stage::final;
        co_return challenge(server_.challenge(verifier ? *verifier : decoy_verifier(candidate_)));
    }

    Answer finish(std::string_view message)
    {
        auto proof = server_.read_final(message);
        if (!proof) {
            Answer answer = refuse(proof.error());
            if (candidate_.login && !has_verifier_) {
                answer.log.push_back("info: " + candidate_.name() +
                                     " has a crypt(3) hash, which fits PLAIN and LOGIN only, and tried SCRAM");
            }
            return answer;
        }
        if (!has_verifier_) return refuse(Error(ErrorCode::refused, "a name that is not known"));
        if (!authorization_.empty() && !candidate_.is_called(authorization_))
            return refuse(Error(ErrorCode::refused, "another's authorization identity"));
        stage_ = Stage::proven;
        return challenge(*proof);
    }

    ScramServer server_;
    Stage stage_ = Stage::first;
    Candidate candidate_;
    std::string authorization_;
    bool has_verifier_ = false;
};

class NoMechanism : public Exchange {
public:
    Task<Answer> step(std::optional<Secret>) override { co_return failure(no_mechanism); }
};

// The strongest first: many clients take the first that they know. Properties as Cyrus has them.
enum class Kind { scram_plus, scram, plain, login };
struct Offer {
    const char* name;
    Properties properties;
    Kind kind;
};
constexpr Properties scram_properties = dictionary | mutual_auth, plain_properties = plaintext | active | dictionary;
constexpr Offer offers[] = {
    {"SCRAM-SHA-256-PLUS", scram_properties, Kind::scram_plus},
    {"SCRAM-SHA-256", scram_properties, Kind::scram},
    {"PLAIN", plain_properties, Kind::plain},
    {"LOGIN", plain_properties, Kind::login},
};

class Builtin : public Backend {
public:
    explicit Builtin(BuiltinOptions options) : shared_(std::make_shared<Shared>(std::move(options))) {}

    Task<Result<MechanismList>> mechanisms() override
    {
        // Where nobody logs in any more, a greeting is what notices a changed file: the next one goes by it.
        if (shared_->file->claims_unwaited_look())
            shared_->pool.post([file = shared_->file] { file->look_unwaited(); });
        // A client that prefers SCRAM would fail for good where nobody has a verifier for it.
        const auto file = shared_->file->latest();
        const bool has_scram = !file || !(*file)->has_only_hashes();
        co_return has_scram ? all_ : hashes_;
    }

    std::unique_ptr<Exchange> begin(std::string mechanism, Peer peer) override
    {
        for (const Offer& offer : offers) {
            if (!base::equal_ignoring_case(offer.name, mechanism)) continue;
            const Mechanism named{offer.name, offer.properties, false};
            if (!is_allowed(named, peer.security) || !is_possible(named, peer)) break;
            switch (offer.kind) {
            case Kind::plain: return std::make_unique<Plain>(shared_, std::move(peer));
            case Kind::login: return std::make_unique<LoginSteps>(shared_, std::move(peer));
            case Kind::scram:
            case Kind::scram_plus:
                return std::make_unique<Scram>(shared_, std::move(peer), offer.kind == Kind::scram_plus);
            }
        }
        return std::make_unique<NoMechanism>();
    }

private:
    static MechanismList list_offers(bool has_scram)
    {
        auto list = std::make_shared<std::vector<Mechanism>>();
        for (const Offer& offer : offers) {
            if (has_scram || offer.properties == plain_properties)
                list->push_back({offer.name, offer.properties, false});
        }
        return list;
    }
    SharedPtr shared_;
    const MechanismList all_ = list_offers(true), hashes_ = list_offers(false);
};

}  // namespace

BackendPtr make_builtin(BuiltinOptions options)
{
    if (!options.pool) return nullptr;
    return std::make_shared<Builtin>(std::move(options));
}

bool is_possible(const Mechanism& mechanism, const Peer& peer)
{
    return !mechanism.name.ends_with("-PLUS") || !peer.tls_exporter.empty() || !peer.tls_server_end_point.empty();
}

std::string builtin_path(std::string_view smtpd_sasl_path, std::string_view config_directory)
{
    if (smtpd_sasl_path.starts_with('/')) return std::string(smtpd_sasl_path);
    const std::string_view name = smtpd_sasl_path.empty() || smtpd_sasl_path == "smtpd" ? "logins" : smtpd_sasl_path;
    return std::string(config_directory) + '/' + std::string(name);
}

std::vector<std::string> builtin_problems(const std::string& path)
{
    struct stat status {};
    const auto content = read_password_file(path, status);
    if (!content)
        return {content.error().text() + (content.error().code() == ErrorCode::not_found
                                              ? ": `ekiden passwd NAME' makes it with its first login"
                                              : "")};
    return doubts_about(path, status, PasswordFile::parse(*content));
}

}  // namespace ekiden::sasl
