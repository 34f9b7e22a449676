#include "daemon/spawn_service.hpp"

#include "control/request.hpp"
#include "daemon/privileges.hpp"
#include "daemon/process.hpp"
#include "daemon/services.hpp"
#include "daemon/spawn_line.hpp"
#include "daemon/spawn_process.hpp"
#include "net/listener.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

namespace ekiden::daemon {
namespace {

constexpr int backlog = 128;
constexpr std::chrono::seconds first_pause{1}, longest_pause{60};
constexpr std::chrono::seconds young{10};
constexpr int stop_patience = 250;    // of 20 ms each; the process itself gives its commands two seconds

}  // namespace

SpawnSocket::~SpawnSocket()
{
    if (path_.empty()) return;
    const AsOwner as_owner(owner_);
    ::unlink(path_.c_str());
}

Result<std::shared_ptr<SpawnSocket>> SpawnServices::listen_unix(const config::Settings& settings,
                                                                const config::ServiceSpec& service, const Owner& owner)
{
    const std::string name = (service.is_private ? "private/" : "public/") + service.name;
    const std::string path = settings.str("queue_directory") + "/" + name;
    if (name == control::socket_name)
        return fail(ErrorCode::refused, fmt::format("{}: line {}: the socket {} is the mail system's own", service.file,
                                                    service.line, name));
    if (auto open = known_[path].lock()) return open;
    const AsOwner as_owner(owner);
    EKIDEN_TRY_VALUE(socket, net::listen_unix(path, backlog, 0666));
    auto made = std::make_shared<SpawnSocket>(std::move(socket), path, owner);
    known_[path] = made;
    return made;
}

Result<SpawnServices::Sockets> SpawnServices::bind(const config::Settings& settings, const Owner& owner)
{
    std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
    Sockets sockets;
    for (const config::ServiceSpec& service : settings.services()) {
        if (role_of(service.command) != Role::spawner) continue;
        if (service.type == "unix") {
            EKIDEN_TRY_VALUE(socket, listen_unix(settings, service, owner));
            sockets.push_back({spawn_name(service), std::move(socket)});
        }
        if (service.type != "inet") continue;
        for (const net::Endpoint& endpoint : endpoints_of(settings, service)) {
            const std::string place = net::format_endpoint(endpoint);
            auto open = known_[place].lock();
            if (!open) {
                auto socket = net::listen_tcp(endpoint, backlog);
                if (!socket)
                    return fail(socket.error().code(),
                                fmt::format("bind {} port {}: {}", net::format_address(endpoint.address), endpoint.port,
                                            std::strerror(socket.error().os_error())));
                open = std::make_shared<SpawnSocket>(std::move(*socket), "", owner);
                known_[place] = open;
            }
            sockets.push_back({spawn_name(service), std::move(open)});
        }
    }
    return sockets;
}

void SpawnServices::start()
{
    restart_at_.reset();
    if (sockets_.empty()) return;
    const LogFiles logs = open_log_();
    std::vector<std::pair<int, int>> descriptors;
    std::vector<std::string> names;
    int number = channel_number;
    for (const Listening& listening : sockets_) {
        descriptors.emplace_back(listening.socket->get(), number++);
        names.push_back(listening.name);
    }
    auto arguments = spawn_arguments(*settings_, names, bool(logs.lines));
    if (logs.lines) descriptors.emplace_back(logs.lines.get(), number++);
    if (logs.json) {
        descriptors.emplace_back(logs.json.get(), number);
        arguments.emplace_back("-j");
    }
    const auto pid = spawn_self(arguments, descriptors);
    started_at_ = base::steady_now();
    if (pid) {
        pid_ = *pid;
        return;
    }
    logger_.error("cannot start the spawn process: {}", pid.error().text());
    restart_at_ = started_at_ + longest_pause;
}

void SpawnServices::drain()
{
    if (pid_ == 0) return;
    ::kill(pid_, SIGUSR1);
    leaving_.insert(std::exchange(pid_, 0));
}

void SpawnServices::use(const config::SettingsPtr& settings, Sockets sockets)
{
    drain();
    settings_ = settings;
    sockets_ = std::move(sockets);
    pause_ = first_pause;
    start();
}

bool SpawnServices::on_child(pid_t pid, const std::string& how)
{
    if (leaving_.erase(pid) > 0) return true;
    if (pid_ == 0 || pid != pid_) return false;
    logger_.warning("process spawn pid {} {}", pid, how);
    pid_ = 0;
    const SteadyTime now = base::steady_now();
    if (now - started_at_ >= young) pause_ = first_pause;
    restart_at_ = now + pause_;
    pause_ = std::min(pause_ * 2, longest_pause);
    return true;
}

void SpawnServices::tick()
{
    if (restart_at_ && base::steady_now() >= *restart_at_) start();
}

void SpawnServices::renew()
{
    if (pid_ == 0) return;
    drain();
    start();
}

void SpawnServices::stop()
{
    if (pid_ != 0) leaving_.insert(std::exchange(pid_, 0));
    std::ranges::for_each(leaving_, [](pid_t pid) { ::kill(pid, SIGTERM); });
    sockets_.clear();
    restart_at_.reset();
    for (int tries = 0; !leaving_.empty(); ++tries) {
        std::erase_if(leaving_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
        if (tries == stop_patience) std::ranges::for_each(leaving_, [](pid_t pid) { ::kill(pid, SIGKILL); });
        if (!leaving_.empty()) ::usleep(20'000);
    }
}

}  // namespace ekiden::daemon
