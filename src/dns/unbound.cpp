// The real resolver: libunbound forwarding to the configured servers, in a thread of its own (libunbound's), with one
// more thread that takes its answers and hands each to the core that asked.
#include "base/fd.hpp"
#include "base/text.hpp"
#include "base/ttl_cache.hpp"
#include "dns/hosts_file.hpp"
#include "dns/rdata.hpp"
#include "net/deadline.hpp"

#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unbound.h>
#include <unistd.h>

namespace ekiden::dns {

namespace {

// Everything a peer can make us ask for is bounded.
constexpr std::size_t queries_in_flight = 2000;
constexpr std::size_t cached_answers = 20000;
constexpr std::size_t records_per_answer = 256;
constexpr std::uint32_t longest_ttl = 3600;   // seconds

struct ResolvConf {
    std::vector<std::string> servers;
    int timeout = 5;    // seconds per attempt
    int attempts = 2;
};

ResolvConf read_resolv_conf(const std::string& path)
{
    ResolvConf conf;
    const auto content = base::read_file(path, 1 << 20);
    if (content) {
        for (std::string_view line : base::split(*content, '\n')) {
            const auto words = base::split_any(line.substr(0, line.find_first_of("#;")), " \t\r");
            if (words.size() < 2) continue;
            if (words[0] == "nameserver" && conf.servers.size() < 3) conf.servers.emplace_back(words[1]);
            if (words[0] != "options") continue;
            for (std::string_view option : words) {
                if (option.starts_with("timeout:"))
                    conf.timeout = base::parse_number<int>(option.substr(8)).value_or(5);
                if (option.starts_with("attempts:"))
                    conf.attempts = base::parse_number<int>(option.substr(9)).value_or(2);
            }
        }
    }
    if (conf.servers.empty()) conf.servers.emplace_back("127.0.0.1");   // resolv.conf(5)
    return conf;
}

// "address", "address@port", "address:port", "[address]:port" → libunbound's "address@port".
std::optional<std::string> unbound_server(std::string_view text)
{
    std::string_view host = text;
    std::string_view port;
    if (const std::size_t at = text.find('@'); at != text.npos) {
        host = text.substr(0, at);
        port = text.substr(at + 1);
    } else if (!net::parse_address(text)) {
        const std::size_t colon = text.rfind(':');
        if (colon == text.npos) return std::nullopt;
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
    }
    const auto address = net::parse_address(host);
    if (!address) return std::nullopt;
    std::string server = net::format_address(*address);
    if (port.data() == nullptr) return server;
    const auto number = base::parse_number<std::uint16_t>(port);
    if (!number || *number == 0) return std::nullopt;
    return server + "@" + std::to_string(*number);
}

// The answer slot of one query: filled by the reaper thread or by the deadline, whichever comes first, on the asking
// core. Shared by the waiting coroutine and the list of what libunbound was asked.
class UnboundResolver;
struct Query {
    explicit Query(net::Executor e) : executor(e), timer(e) {}
    net::Executor executor;
    net::Timer timer;
    std::optional<Result<Answer>> result;
    std::string name;
    Type type{};
    UnboundResolver* resolver = nullptr;
};

Result<Answer> answer_of(const Query& query, int error, const ub_result* result)
{
    if (error != 0 || !result || result->bogus) return std::unexpected(trouble_with(query.name, query.type));
    Answer answer;
    answer.is_secure = result->secure != 0;
    answer.ttl = static_cast<std::uint32_t>(std::max(0, result->ttl));
    if (result->nxdomain) {
        answer.absence = Absence::no_such_name;
        return answer;
    }
    if (result->rcode != 0) return std::unexpected(trouble_with(query.name, query.type));
    if (!result->havedata) {
        answer.absence = Absence::no_such_record;
        return answer;
    }
    bool has_malformed = false;
    for (int i = 0; result->data[i] && answer.records.size() < records_per_answer; ++i) {
        auto record =
            parse_rdata(query.type, std::string_view(result->data[i], static_cast<std::size_t>(result->len[i])));
        if (record) answer.records.push_back(std::move(*record));
        else has_malformed = true;
    }
    if (answer.records.empty() && has_malformed) {
        return fail(ErrorCode::protocol, "Host or domain name not found. Name service error for name=" + query.name +
                                             " type=" + std::string(name_of(query.type)) +
                                             ": Malformed or unexpected name server reply");
    }
    return answer;
}

class UnboundResolver : public Resolver {
public:
    UnboundResolver(const ResolverOptions& options, ub_ctx* context, std::chrono::seconds time_limit)
        : context_(context), time_limit_(time_limit), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
    {
        if (options.uses_hosts_file) hosts_.emplace(options.hosts_file);
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        reaper_ = std::thread([this] { reap(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    ~UnboundResolver() override
    {
        const std::uint64_t one = 1;
        (void)!::write(stop_.get(), &one, sizeof one);
        reaper_.join();
        ub_ctx_delete(context_);   // ends libunbound's thread; no callback comes after it
    }

    Task<Result<Answer>> query(std::string name, Type type) override
    {
        if (hosts_) {
            if (auto answer = hosts_->find(without_dot(name), type)) co_return std::move(*answer);
        }
        co_return co_await query_dns(std::move(name), type);
    }

    Task<Result<Answer>> query_dns(std::string name, Type type) override
    {
        if (!is_askable(name)) {
            Answer absent;
            absent.absence = Absence::no_such_name;
            co_return absent;
        }
        std::string key = base::lower(without_dot(name));
        key.push_back('/');
        key += name_of(type);
        {
            const std::lock_guard lock(cache_mutex_);
            if (auto known = cache_.find(key)) co_return *std::move(known);
        }
        auto query = std::make_shared<Query>(co_await asio::this_coro::executor);
        query->name = name;
        query->type = type;
        query->resolver = this;
        if (!add_asked(query)) co_return std::unexpected(trouble_with(name, type));
        int id = 0;
        if (ub_resolve_async(context_, name.c_str(), static_cast<int>(type), 1, query.get(), on_answer, &id) != 0) {
            (void)take_asked(query.get());
            co_return std::unexpected(trouble_with(name, type));
        }
        query->timer.expires_after(time_limit_);
        boost::system::error_code ignored;
        while (!query->result && query->timer.expiry() > std::chrono::steady_clock::now()) {
            co_await query->timer.async_wait(asio::redirect_error(use_task, ignored));
        }
        // An answer that comes later still fills libunbound's cache; nobody waits for it here.
        if (!query->result) co_return std::unexpected(trouble_with(name, type));
        if (*query->result && (*query->result)->ttl > 0) {
            const std::chrono::seconds ttl(std::min((*query->result)->ttl, longest_ttl));
            const std::lock_guard lock(cache_mutex_);
            cache_.put(std::move(key), **query->result, ttl);
        }
        co_return std::move(*query->result);
    }

private:
    static std::string_view without_dot(std::string_view name)
    {
        if (name.ends_with('.')) name.remove_suffix(1);
        return name;
    }

    bool add_asked(const std::shared_ptr<Query>& query)
    {
        const std::lock_guard lock(asked_mutex_);
        return asked_.size() < queries_in_flight && asked_.emplace(query.get(), query).second;
    }
    std::shared_ptr<Query> take_asked(Query* query)
    {
        const std::lock_guard lock(asked_mutex_);
        auto node = asked_.extract(query);
        return std::move(node.mapped());
    }

    static void on_answer(void* data, int error, ub_result* result)
    {
        auto* asked = static_cast<Query*>(data);
        std::shared_ptr<Query> query = asked->resolver->take_asked(asked);
        auto answer = answer_of(*query, error, result);
        ub_resolve_free(result);
        const net::Executor executor = query->executor;
        asio::post(executor, [query = std::move(query), answer = std::move(answer)]() mutable {
            query->result = std::move(answer);
            query->timer.cancel();
        });
    }

    void reap()
    {
        pthread_setname_np(pthread_self(), "dns");
        std::array<pollfd, 2> watched{pollfd{ub_fd(context_), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
        for (;;) {
            ::poll(watched.data(), watched.size(), -1);
            if (watched[1].revents != 0) return;
            if (watched[0].revents != 0) ub_process(context_);
        }
    }

    ub_ctx* context_;
    const std::chrono::seconds time_limit_;
    std::optional<HostsFile> hosts_;
    Fd stop_;
    std::mutex asked_mutex_;
    std::unordered_map<Query*, std::shared_ptr<Query>> asked_;   // by libunbound not answered yet
    std::mutex cache_mutex_;
    base::TtlCache<Answer> cache_{cached_answers};
    std::thread reaper_;
};

struct Option {
    const char* name;
    const char* value;
};
constexpr Option context_options[] = {
    {"do-not-query-localhost:", "no"},   // a resolver on this machine is the usual case
    {"unblock-lan-zones:", "yes"},       // names of private networks are the server's business
    {"qname-minimisation:", "no"},       // the forwarder does that, if anybody
    {"harden-below-nxdomain:", "no"},    // one name's absence says nothing about another's
    {"infra-keep-probing:", "yes"},      // there is no other server to go to
    {"infra-host-ttl:", "60"},
    {"use-syslog:", "no"},
};
// Zones that libunbound answers by itself unless told otherwise; /etc/hosts and the server know better.
constexpr const char* builtin_zones[] = {
    "localhost.", "test.", "127.in-addr.arpa.",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa.",
};

}  // namespace

Result<std::unique_ptr<Resolver>> open_resolver(const ResolverOptions& options)
{
    ResolvConf conf = read_resolv_conf(options.resolv_conf);
    if (!options.server.empty()) {
        conf.servers.clear();
        for (std::string_view server : base::split_any(options.server)) conf.servers.emplace_back(server);
    }
    std::unique_ptr<ub_ctx, decltype(&ub_ctx_delete)> owner(ub_ctx_create(), ub_ctx_delete);
    ub_ctx* context = owner.get();
    if (!context) return fail(ErrorCode::unavailable, "cannot start the DNS resolver library");
    ub_ctx_debugout(context, nullptr);
    for (const Option& option : context_options) ub_ctx_set_option(context, option.name, option.value);
    if (options.trust_anchor_file.empty()) {
        ub_ctx_set_option(context, "module-config:", "iterator");
    } else if (const int error = ub_ctx_add_ta_file(context, options.trust_anchor_file.c_str()); error != 0) {
        return fail(ErrorCode::not_found, "trust anchor file " + options.trust_anchor_file + ": " + ub_strerror(error));
    }
    for (const std::string& text : conf.servers) {
        const auto server = unbound_server(text);
        if (!server) {
            if (options.server.empty()) continue;   // resolv.conf(5) skips what it cannot read
            return fail(ErrorCode::syntax, "bad DNS server address: " + base::printable(text));
        }
        if (ub_ctx_set_fwd(context, server->c_str()) != 0) {
            return fail(ErrorCode::syntax, "bad DNS server address: " + base::printable(text));
        }
    }
    ub_ctx_async(context, 1);
    for (const char* zone : builtin_zones) ub_ctx_zone_remove(context, zone);
    const auto attempts = static_cast<std::size_t>(std::clamp(conf.attempts, 1, 5));
    const auto time_limit = std::chrono::seconds(std::clamp(conf.timeout, 1, 30)) * attempts * conf.servers.size();
    const auto bounded =
        std::clamp<std::chrono::seconds>(time_limit, std::chrono::seconds(2), std::chrono::seconds(15));
    return std::make_unique<UnboundResolver>(options, owner.release(), bounded);
}

}  // namespace ekiden::dns
