#include "receive/pickup.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "mail/log_address.hpp"
#include "mail/maildrop.hpp"
#include "mail/queue_id.hpp"
#include "receive/options.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_map>

namespace ekiden::receive {

namespace {

constexpr std::size_t files_per_look = 10'000;
constexpr std::size_t messages_at_once = 32;     // each waits for its commit; together they share syncs
constexpr std::size_t piece_size = 65536;
constexpr auto look_interval = std::chrono::seconds(60);
constexpr auto retry_refused_after = std::chrono::hours(1);
constexpr auto stale_after = std::chrono::hours(24 * 7);    // half-written files whose writer is gone

struct OpenFile {
    Fd fd;
    uid_t owner = 0;
    WallTime written_at{};
};

// The names that are complete, oldest ids first as names sort; removes what was abandoned half-written.
std::vector<std::string> list_files(const std::string& directory)
{
    std::vector<std::string> names;
    DIR* handle = ::opendir(directory.c_str());
    if (!handle) return names;
    while (const dirent* entry = ::readdir(handle)) {
        const std::string_view name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (!name.starts_with('.')) {
            names.emplace_back(name);
            if (names.size() == files_per_look) break;
            continue;
        }
        struct stat found{};
        const auto oldest =
            base::to_seconds(base::wall_now()) - std::chrono::duration_cast<std::chrono::seconds>(stale_after).count();
        if (::fstatat(::dirfd(handle), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode) &&
            found.st_mtime < oldest) {
            ::unlinkat(::dirfd(handle), entry->d_name, 0);
        }
    }
    ::closedir(handle);
    std::ranges::sort(names);
    return names;
}

// Anybody may put names into this folder: only plain files with one name are taken, and no link is followed.
Result<OpenFile> open_drop(const std::string& path)
{
    auto opened = base::open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!opened) {
        // A link or a socket will never be a message, however often it is looked at.
        const int error = opened.error().os_error();
        if (error == ELOOP || error == ENXIO) return fail(ErrorCode::syntax, path + ": not a plain file with one name");
        return std::unexpected(opened.error());
    }
    Fd fd = std::move(*opened);
    struct stat found{};
    if (::fstat(fd.get(), &found) != 0) return fail(Error::from_errno("fstat", path));
    if (!S_ISREG(found.st_mode) || found.st_nlink != 1)
        return fail(ErrorCode::syntax, path + ": not a plain file with one name");
    OpenFile file;
    file.owner = found.st_uid;
    const auto written = std::chrono::seconds(found.st_mtim.tv_sec) +
                         std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(found.st_mtim.tv_nsec));
    file.written_at = std::min(WallTime(written), base::wall_now());
    file.fd = std::move(fd);
    return file;
}

// Whoever hands mail in himself may put anything into an address, and addresses become lines: of headers, of mailboxes.
std::string on_its_line(std::string text)
{
    std::ranges::replace_if(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
    return text;
}

Result<std::string> read_piece(int fd, off_t offset)
{
    std::string piece(piece_size, '\0');
    EKIDEN_TRY_VALUE(count, base::read_at(fd, std::span(piece.data(), piece.size()), offset));
    piece.resize(count);
    return piece;
}

}  // namespace

struct Pickup::State : std::enable_shared_from_this<Pickup::State> {
    using Timer = asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                                             net::Executor>;
    using Watch = asio::posix::basic_stream_descriptor<net::Executor>;

    State(net::Core& core, net::BlockingPool& p, std::string folder)
        : home(core), pool(p), directory(std::move(folder)), gate(core.executor()), timer(core.executor()),
          watch(core.executor())
    {
    }

    void use(IntakePtr fresh, const config::SettingsPtr& own)
    {
        const config::Settings& settings = own ? *own : *fresh->settings();
        overrides = ReceiveOverrides::from(settings);
        log_tag = settings.str("syslog_name") + "/pickup";
        size_limit = static_cast<std::uint64_t>(settings.integer("message_size_limit"));
        intake = std::move(fresh);
    }

    Logger logger() const { return Logger(log_tag); }

    static Task<void> run(std::shared_ptr<State> self)
    {
        auto pass = self->gate.enter();
        while (!self->gate.is_closed()) {
            self->has_been_woken = false;
            co_await self->collect();
            if (self->has_been_woken || self->gate.is_closed()) continue;
            self->timer.expires_after(look_interval);
            boost::system::error_code ignored;
            co_await self->timer.async_wait(asio::redirect_error(use_task, ignored));
        }
    }

    void wake()
    {
        has_been_woken = true;
        timer.cancel();
    }

    void start_watch()
    {
        const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (fd < 0) return;   // the timer remains
        if (::inotify_add_watch(fd, directory.c_str(), IN_MOVED_TO | IN_ONLYDIR) < 0) {
            ::close(fd);
            return;
        }
        watch.assign(fd);
        wait_for_change();
    }
    void wait_for_change()
    {
        watch.async_wait(Watch::wait_read, [self = shared_from_this()](const boost::system::error_code& error) {
            if (error) return;
            char events[4096];
            while (::read(self->watch.native_handle(), events, sizeof events) > 0) {}
            self->wake();
            self->wait_for_change();
        });
    }

    Task<void> collect()
    {
        const std::string folder = directory;
        auto names = co_await pool.run([&folder] { return list_files(folder); });
        std::erase_if(names, [&](const std::string& name) {
            const auto at = held_off.find(name);
            return at != held_off.end() && at->second > base::steady_now();
        });
        if (names.empty()) co_return;
        // A few at a time, so that they share the syncs of the log instead of waiting for one each.
        net::Gate workers(home.executor());
        std::size_t next = 0;
        for (std::size_t i = 0; i < std::min(messages_at_once, names.size()); ++i) {
            asio::co_spawn(home.executor(), work(*this, names, next, workers.enter()), asio::detached);
        }
        co_await workers.wait();
    }

    // `names`, `next` and the gate belong to collect(), which waits for all of these.
    static Task<void> work(State& self, const std::vector<std::string>& names, std::size_t& next, net::Gate::Pass pass)
    {
        auto held = std::move(pass);
        while (next < names.size() && !self.gate.is_closed()) {
            const std::string name = names[next++];
            try {
                co_await self.take(name);
            } catch (const std::exception& trouble) {
                self.logger().error("maildrop/{}: {}", base::printable(name), trouble.what());
                self.hold_off(name, std::chrono::minutes(5));
            }
        }
    }

    void hold_off(const std::string& name, std::chrono::seconds time)
    {
        if (held_off.size() > files_per_look) held_off.clear();
        held_off[name] = base::steady_now() + time;
    }

    Task<void> take(std::string name)
    {
        const IntakePtr own_intake = intake;
        const Logger log = logger();
        const std::string path = directory + "/" + name;
        auto opened = co_await pool.run([&path] { return open_drop(path); });
        if (!opened) {
            if (opened.error().is(ErrorCode::not_found)) co_return;   // somebody took it back
            if (opened.error().is(ErrorCode::syntax)) {
                set_aside(name, opened.error().text(), log);
                co_return;
            }
            log.warning("{}", opened.error().text());
            hold_off(name, look_interval);
            co_return;
        }
        mail::MaildropParser parser;
        std::optional<rewrite::Draft> draft;
        off_t offset = 0;
        const int fd = opened->fd.get();
        for (;;) {
            auto piece = co_await pool.run([fd, offset] { return read_piece(fd, offset); });
            if (!piece) {
                log.warning("{}: {}", path, piece.error().text());
                hold_off(name, look_interval);
                co_return;
            }
            if (piece->empty()) break;
            offset += static_cast<off_t>(piece->size());
            std::string_view bytes = *piece;
            if (!draft) {
                const auto complete = parser.feed(bytes);
                if (!complete) {
                    set_aside(name, complete.error().text(), log);
                    co_return;
                }
                if (!*complete) continue;
                draft.emplace(open_draft(*own_intake, parser.take(), *opened, log));
            }
            draft->write(bytes);
            if (draft->needs_flush()) (void)co_await draft->flush();   // submit() says what went wrong
        }
        if (!draft) {
            set_aside(name, "maildrop: unexpected end of file", log);
            co_return;
        }
        const mail::Envelope envelope = draft->envelope();
        const std::string id = mail::format(draft->id());
        auto queued = co_await draft->submit();
        if (!queued) {
            rewrite::Refusal why = queued.error();
            const std::string reason = why.status.code + " " + why.status.text;
            const bool is_final = why.smtp_code >= 500;
            const bool is_done = is_final && hook && co_await hook(envelope, std::move(why));
            if (!is_done) {
                log.warning("{}: {}", id, reason);
                hold_off(name, is_final ? std::chrono::duration_cast<std::chrono::seconds>(retry_refused_after)
                                        : std::chrono::seconds(look_interval));
                co_return;
            }
        }
        const int gone = co_await pool.run([&path] { return ::unlink(path.c_str()) == 0 ? 0 : errno; });
        if (gone != 0 && gone != ENOENT) {
            // The message is queued; taking the file again would send it again.
            log.warning("{}", Error::from_errno(gone, "remove", path).text());
            hold_off(name, std::chrono::hours(24 * 365));
        }
    }

    rewrite::Draft open_draft(const rewrite::Intake& target, mail::Maildrop header, const OpenFile& file,
                              const Logger& log)
    {
        // Only those who could write to the queue anyway are believed about the past of a message.
        const bool is_trusted = file.owner == 0 || file.owner == ::geteuid();
        rewrite::DraftOptions options;
        options.source = rewrite::Source::pickup;
        options.origin.rewrite_context = header.is_gateway ? "remote" : "local";   // sendmail -G
        options.submitter_uid = file.owner;
        options.arrived_at = file.written_at;
        options.size_limit = size_limit;
        options.expands_aliases = overrides.maps_addresses;
        options.checks_content = overrides.checks_content;
        options.asks_milters = overrides.asks_milters;
        if (is_trusted) options.log_ident = header.original_id;
        header.sender = on_its_line(std::move(header.sender));
        auto draft = target.open(std::move(options));
        const std::string orig = is_trusted && !header.original_id.empty() ? " orig_id=" + header.original_id : "";
        log.info("{}: uid={} from=<{}>{}", mail::format(draft.id()), file.owner, mail::log_address(header.sender),
                 orig);
        draft.set_sender(header.sender);
        auto& envelope = draft.envelope();
        envelope.full_name = std::move(header.full_name);
        envelope.dsn_return = header.dsn_return;
        envelope.dsn_envid = on_its_line(std::move(header.dsn_envid));
        envelope.body = header.body;
        envelope.is_smtputf8 = header.is_smtputf8;
        envelope.purpose = header.purpose;
        envelope.verp_delimiters = std::move(header.verp_delimiters);
        for (auto& recipient : header.recipients) {
            recipient.address = on_its_line(std::move(recipient.address));
            draft.add_recipient(std::move(recipient));
        }
        return draft;
    }

    void set_aside(const std::string& name, const std::string& why, const Logger& log)
    {
        const std::string from = directory + "/" + name, to = directory + "/../corrupt/" + name;
        const bool is_moved = ::rename(from.c_str(), to.c_str()) == 0;
        log.warning("maildrop/{}: {}{}", base::printable(name), why,
                    is_moved ? "; moved to corrupt/" : "; left where it is");
        if (!is_moved) hold_off(name, std::chrono::duration_cast<std::chrono::seconds>(retry_refused_after));
    }

    net::Core& home;
    net::BlockingPool& pool;
    const std::string directory;
    IntakePtr intake;                        // home core only
    ReceiveOverrides overrides;
    std::string log_tag;
    std::uint64_t size_limit = 0;
    OnRefused hook;
    net::Gate gate;
    Timer timer;
    Watch watch;
    std::unordered_map<std::string, SteadyTime> held_off;
    bool has_been_woken = false;
};

Pickup::Pickup(net::Core& home, net::BlockingPool& pool, std::string directory, IntakePtr intake,
               config::SettingsPtr settings)
    : state_(std::make_shared<State>(home, pool, std::move(directory)))
{
    state_->use(std::move(intake), settings);
}

Pickup::~Pickup() = default;

void Pickup::on_refused(OnRefused hook) { state_->hook = std::move(hook); }

void Pickup::start()
{
    state_->home.post([state = state_] {
        state->start_watch();
        asio::co_spawn(state->home.executor(), State::run(state), asio::detached);
    });
}

void Pickup::wake()
{
    state_->home.post([state = state_] { state->wake(); });
}

void Pickup::use(IntakePtr intake, config::SettingsPtr settings)
{
    state_->home.post([state = state_, fresh = std::move(intake), own = std::move(settings)]() mutable {
        state->use(std::move(fresh), own);
    });
}

Task<void> Pickup::collect() { co_await state_->collect(); }

namespace {
Task<void> close_gate(net::Gate& gate, std::function<void()> wake)
{
    gate.close();
    wake();
    co_await gate.wait();
}
}  // namespace

Task<void> Pickup::stop()
{
    auto state = state_;
    co_await net::run_on(state->home.executor(), close_gate(state->gate, [state] {
        boost::system::error_code ignored;
        state->watch.close(ignored);
        state->wake();
    }));
}

}  // namespace ekiden::receive
