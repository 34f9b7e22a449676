#include "sasl/client_token.hpp"

#include "base/fd.hpp"
#include "base/privileged_read.hpp"
#include "base/text.hpp"
#include "sasl/base64.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cerrno>

namespace ekiden::sasl {
namespace {

constexpr std::size_t longest_file = 65536;
constexpr std::string_view oauth_bearer = "OAUTHBEARER", xoauth2 = "XOAUTH2";

// The members of one JSON object, as far as needed: strings are read, everything else is stepped over.
class JsonObject {
public:
    explicit JsonObject(std::string_view text) : rest_(text) {}

    // The string value of `name` at the top; nothing when it is not there or the text is no object.
    std::optional<Secret> find_string(std::string_view name)
    {
        if (!take('{')) return std::nullopt;
        while (!take('}')) {
            const auto key = read_string();
            if (!key || !take(':')) return std::nullopt;
            skip_space();
            if (key->view() == name) return read_string();
            if (!skip_value()) return std::nullopt;
            if (!take(',') && !rest_.starts_with('}')) return std::nullopt;
        }
        return std::nullopt;
    }

private:
    void skip_space()
    {
        const auto start = rest_.find_first_not_of(" \t\r\n");
        rest_.remove_prefix(start == rest_.npos ? rest_.size() : start);
    }
    bool take(char c)
    {
        skip_space();
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        skip_space();
        return true;
    }
    // A token is printable ASCII: of the escapes only those of such characters are known.
    std::optional<Secret> read_string()
    {
        if (!take_quote()) return std::nullopt;
        Secret value;
        std::string& text = value.buffer();
        text.reserve(rest_.size());
        for (std::size_t i = 0; i < rest_.size(); ++i) {
            char c = rest_[i];
            if (c == '"') {
                rest_.remove_prefix(i + 1);
                return value;
            }
            if (c == '\\') {
                if (++i >= rest_.size()) return std::nullopt;
                c = rest_[i];
                if (c == 'u') {
                    const auto code = base::parse_number<unsigned>(rest_.substr(i + 1, 4), 16);
                    c = code && *code < 128 ? static_cast<char>(*code) : '?';
                    i += 4;
                } else if (c != '"' && c != '\\' && c != '/') {
                    c = ' ';
                }
            }
            text += c;
        }
        return std::nullopt;
    }
    bool take_quote()
    {
        if (!rest_.starts_with('"')) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool skip_value()
    {
        int depth = 0;
        while (!rest_.empty()) {
            const char c = rest_.front();
            if (depth == 0 && (c == ',' || c == '}')) return true;
            if (c == '"') {
                if (!read_string()) return false;
                continue;
            }
            if (c == '{' || c == '[') ++depth;
            if (c == '}' || c == ']') --depth;
            rest_.remove_prefix(1);
        }
        return false;
    }
    std::string_view rest_;
};

Result<Secret> read_token_file(const std::string& path)
{
    Secret content;
    content.buffer().resize(longest_file);
    std::size_t size = 0;
    {
        base::PrivilegedRead guard;
        base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
        if (file.get() < 0) return fail(Error::from_errno("open token file " + path));
        while (size < longest_file) {
            const ssize_t count = ::read(file.get(), content.buffer().data() + size, longest_file - size);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return fail(Error::from_errno("read token file " + path));
            if (count == 0) break;
            size += static_cast<std::size_t>(count);
        }
    }
    auto token = parse_token(content.view().substr(0, size));
    if (!token) return fail(ErrorCode::syntax, "token file " + path + ": " + token.error().text());
    return token;
}

// RFC 5801: what separates in the header of OAUTHBEARER is escaped in names.
std::string escape_name(std::string_view name)
{
    std::string text;
    for (char c : name) {
        if (c == ',') text += "=2C";
        else if (c == '=') text += "=3D";
        else text += c;
    }
    return text;
}

class TokenClient final : public Client {
public:
    TokenClient(ClientRequest request, net::BlockingPool* pool) : request_(std::move(request)), pool_(pool) {}

    Task<Result<ClientStart>> start(std::string mechanisms) override
    {
        ClientStart start;
        start.mechanism = token_mechanism(mechanisms);
        // The token is all that is needed to act as the user, just like a password.
        if (start.mechanism.empty() || (request_.security & (plaintext | strengths)))
            co_return fail(ErrorCode::refused, "no mechanism available");
        if (request_.password.view().starts_with('/')) {
            const std::string path(request_.password.view());
            std::optional<Result<Secret>> read;
            if (pool_) co_await pool_->run([&path, &read] { read.emplace(read_token_file(path)); });
            else read.emplace(read_token_file(path));
            if (!*read) {
                log_.push_back("SASL authentication problem: " + read->error().text());
                co_return fail(ErrorCode::system, "generic failure");
            }
            request_.password = std::move(**read);
        }
        is_bearer_ = start.mechanism == oauth_bearer;
        Secret message;
        message.buffer().reserve(request_.password.size() + request_.user.size() * 3 + request_.host.size() + 100);
        const auto out = std::back_inserter(message.buffer());
        if (is_bearer_)
            fmt::format_to(out,
                           "n,a={},\x01host={}\x01port={}\x01"
                           "auth=Bearer {}\x01\x01",
                           escape_name(request_.user), request_.host, request_.port, request_.password.view());
        else fmt::format_to(out, "user={}\x01" "auth=Bearer {}\x01\x01", request_.user, request_.password.view());
        start.response.emplace(encode_base64(message.view()));
        co_return start;
    }

    // The only challenge there is says why the token was refused; the answer to it is that we have read it.
    Task<Result<Secret>> step(std::string challenge) override
    {
        if (std::exchange(was_refused_, true)) co_return fail(ErrorCode::protocol, "bad protocol / cancel");
        if (const auto text = decode_base64(challenge); text && text->size() > 0 && text->size() < 500) {
            log_.push_back("SASL authentication failure: the server says " + base::printable(text->view()));
        }
        co_return Secret(is_bearer_ ? encode_base64("\x01") : std::string());
    }

    bool is_satisfied() const override { return true; }
    std::vector<std::string> take_log() override { return std::exchange(log_, {}); }

private:
    ClientRequest request_;
    net::BlockingPool* pool_;
    std::vector<std::string> log_;
    bool is_bearer_ = false, was_refused_ = false;
};

}  // namespace

std::string token_mechanism(std::string_view offered)
{
    for (std::string_view known : {oauth_bearer, xoauth2}) {
        for (std::string_view word : base::split_any(offered, " ")) {
            if (base::equal_ignoring_case(word, known)) return std::string(known);
        }
    }
    return {};
}

Result<Secret> parse_token(std::string_view content)
{
    Secret token;
    content = base::trim(content);
    if (content.starts_with('{')) {
        auto value = JsonObject(content).find_string("access_token");
        if (!value) return fail(ErrorCode::syntax, "no access_token in it");
        token = std::move(*value);
    } else {
        token = Secret(base::trim(content.substr(0, content.find_first_of("\r\n"))));
    }
    if (token.is_empty()) return fail(ErrorCode::syntax, "no token in it");
    if (token.size() > longest_token) return fail(ErrorCode::too_long, "the token is too long");
    for (char c : token.view()) {
        if (c <= 32 || c > 126) return fail(ErrorCode::syntax, "what is in it is no token");
    }
    return token;
}

std::unique_ptr<Client> make_token_client(ClientRequest request, net::BlockingPool* pool)
{
    return std::make_unique<TokenClient>(std::move(request), pool);
}

}  // namespace ekiden::sasl
