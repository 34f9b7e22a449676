// link: sasl net base
// Whole AUTH exchanges as they come from the wire: the first line names the mechanism, each further one is a response
// ("-": none). Every exchange ends or asks again, says why in words, and lets nobody in: the file has a login, but of a
// verifier that no password fits.
#include "base/log_sinks.hpp"
#include "net/blocking.hpp"
#include "sasl/base64.hpp"
#include "sasl/builtin.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <unistd.h>

namespace {

using namespace ekiden;

struct World {
    net::BlockingPool pool{1};
    std::string path = "/tmp/ekiden-fuzz-logins-" + std::to_string(::getpid());
    sasl::BackendPtr backend;

    World()
    {
        base::use_sink(base::function_sink([](base::LogLevel, std::string_view, std::string) {}));
        const std::string key = sasl::encode_base64(std::string(32, 'k'));
        std::ofstream(path) << "alice:SCRAM-SHA-256$4096:" << sasl::encode_base64("sixteen bytes...") << "$" << key
                            << ":" << key << "\n";
        sasl::BuiltinOptions options;
        options.path = path;
        options.pool = &pool;
        backend = sasl::make_builtin(options);
    }
    ~World() { std::remove(path.c_str()); }
};

sasl::Answer answer_to(sasl::Exchange& exchange, std::optional<sasl::Secret> response)
{
    asio::io_context loop(1);
    sasl::Answer answer;
    asio::co_spawn(loop, exchange.step(std::move(response)), [&](std::exception_ptr error, sasl::Answer given) {
        if (error) std::abort();
        answer = std::move(given);
    });
    loop.run();
    return answer;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static World world;
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    auto next = [&rest] {
        const auto end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        return line;
    };
    sasl::Peer peer;
    peer.realm = "example.test";
    std::string mechanism(next());
    if (mechanism.ends_with("!")) {
        mechanism.pop_back();
        peer.tls_exporter = "exported";
    }
    const auto exchange = world.backend->begin(mechanism, peer);
    for (int steps = 0; steps < 6 && !rest.empty(); ++steps) {
        const std::string_view line = next();
        const auto answer = answer_to(*exchange, line == "-" ? std::nullopt : std::optional<sasl::Secret>(line));
        using Kind = sasl::Answer::Kind;
        if (answer.kind == Kind::success) std::abort();
        if (answer.user.size() > 255 + 1 + peer.realm.size()) std::abort();
        if (answer.kind == Kind::challenge) {
            if (!sasl::decode_base64(answer.text)) std::abort();
            continue;
        }
        if (answer.text.empty()) std::abort();
        break;
    }
    return 0;
}
