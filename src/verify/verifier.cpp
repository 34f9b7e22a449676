#include "verify/verifier.hpp"

#include "base/text.hpp"
#include "mail/address.hpp"
#include "net/cores.hpp"
#include "verify/journal.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace ekiden::verify {

namespace {

constexpr std::size_t buckets_at_a_time = 4096;       // of the cache, while others wait for it
constexpr std::size_t longest_address = 1024;         // longer ones are not worth a place in memory
constexpr std::size_t largest_backlog = 8u << 20;  // bytes of lines that a file which cannot be written leaves behind
constexpr std::size_t spare_lines = 1000;             // a journal of twice the answers, and these, is written anew

constexpr auto in_progress = "Address verification in progress";

Verifier::Known known_of(const Answer& answer)
{
    using State = Verifier::Known::State;
    switch (answer.standing) {
    case Standing::deliverable: return {State::deliverable, answer.text};
    case Standing::deferred: return {State::deferred, answer.text};
    case Standing::undeliverable: return {State::undeliverable, answer.text};
    }
    return {State::deferred, answer.text};
}

std::optional<std::string> path_of(const config::Settings& settings)
{
    auto path = journal_path(settings.str("address_verify_map"));
    if (!path) throw config::ConfigError(path.error().text(), settings.location("address_verify_map"));
    return std::move(*path);
}

}  // namespace

Verifier::Verifier(net::Executor home, net::BlockingPool& pool) : home_(std::move(home)), pool_(pool), gate_(home_) {}

void Verifier::check(const config::Settings& settings) { (void)path_of(settings); }

void Verifier::use(config::SettingsPtr settings, std::shared_ptr<const rewrite::Intake> intake)
{
    const config::Settings& s = *settings;
    auto fresh = std::make_shared<Options>();
    fresh->log = Logger(s.str("syslog_name") + "/verify");
    fresh->sender = ProbeSender::from(s, intake->resolver());
    fresh->map = s.str("address_verify_map");
    if (fresh->map.empty()) fresh->map = "internal:verify";
    fresh->path = path_of(s);
    fresh->cleanup_interval = s.time("address_verify_cache_cleanup_interval");
    fresh->intake = std::move(intake);

    CachePolicy policy;
    policy.positive_expire = s.time("address_verify_positive_expire_time");
    policy.positive_refresh = s.time("address_verify_positive_refresh_time");
    policy.negative_expire = s.time("address_verify_negative_expire_time");
    policy.negative_refresh = s.time("address_verify_negative_refresh_time");
    policy.keeps_negative = s.boolean("address_verify_negative_cache");
    policy.pending_limit = static_cast<std::size_t>(s.integer("address_verify_pending_request_limit"));

    bool has_other_file = false;
    {
        const std::lock_guard guard(lock_);
        has_other_file = !options_ || options_->path != fresh->path;
        options_ = fresh;
        cache_.use(policy);
    }
    if (has_other_file && fresh->path) load(*fresh);
}

void Verifier::load(const Options& options)
{
    const std::lock_guard file_guard(file_lock_);
    auto bytes = load_journal(*options.path);
    if (!bytes) {
        if (!bytes.error().is(ErrorCode::not_found)) {
            options.log.warning("{}: {}; what was verified before is asked again", options.map, bytes.error().text());
        }
        return;
    }
    const std::lock_guard guard(lock_);
    JournalReader reader;
    reader.on_answer = [&](std::string address, Answer answer) { cache_.put(address, std::move(answer)); };
    reader.on_cleaned = [&](WallTime at) { cleaned_at_ = std::max(cleaned_at_, at); };
    if (auto read = reader.read(*bytes); !read)
        options.log.warning("{}: {}: {}", options.map, *options.path, read.error().text());
    if (reader.damaged > 0)
        options.log.warning("{}: {} of {} lines are damaged and were left out", options.map, reader.damaged,
                            reader.lines);
    lines_in_file_ = reader.lines;
}

Verifier::OptionsPtr Verifier::options() const
{
    const std::lock_guard guard(lock_);
    return options_;
}

Verifier::Known Verifier::ask(const std::string& address)
{
    if (address.size() > longest_address) return {Known::State::deferred, "address too long to be verified"};
    clean_if_due();
    const WallTime now = base::wall_now();
    Known known;
    bool must_probe = false;
    {
        const std::lock_guard guard(lock_);
        const Cache::Found found = cache_.find(address, now);
        must_probe = found.is_due && cache_.begin_probe(address, now);
        if (found.answer) known = known_of(*found.answer);
        else if (found.is_pending || must_probe) known = {Known::State::pending, in_progress};
        else known = {Known::State::deferred, "too many addresses are being verified"};
    }
    if (must_probe) start_probe(address);
    return known;
}

void Verifier::learn(const std::string& address, Standing standing, std::string text)
{
    const WallTime now = base::wall_now();
    Answer answer{standing, now, std::move(text)};
    std::string line = answer_line(address, {standing, now, answer.text.substr(0, longest_text)});
    const std::lock_guard guard(lock_);
    const bool is_kept = cache_.learn(address, std::move(answer), now);
    if (!is_kept || !options_ || !options_->path) return;
    unwritten_ += line;
    ++lines_in_file_;
    write_later();
}

// ---- Probes

void Verifier::start_probe(std::string address)
{
    asio::post(home_, [self = shared_from_this(), address = std::move(address)]() mutable {
        if (self->gate_.is_closed()) return;
        auto pass = self->gate_.enter();
        asio::co_spawn(self->home_, send_probe(self, std::move(address), std::move(pass)), asio::detached);
    });
}

Task<void> Verifier::send_probe(std::shared_ptr<Verifier> self, std::string address, net::Gate::Pass pass)
{
    const auto held = std::move(pass);
    const OptionsPtr options = self->options();
    rewrite::DraftOptions draft_options;
    draft_options.source = rewrite::Source::probe;
    draft_options.origin.rewrite_context = "local";
    draft_options.checks_content = false;
    rewrite::Draft draft = options->intake->open(std::move(draft_options));
    draft.set_sender(options->sender.at(base::wall_now()));
    draft.envelope().purpose = mail::Purpose::probe;
    mail::Recipient recipient;
    recipient.address = address;
    recipient.original = address;
    recipient.dsn_original = (base::is_ascii(address) ? "rfc822;" : "utf-8;") + mail::quote_address(address);
    draft.add_recipient(std::move(recipient));
    auto queued = co_await draft.submit();
    if (!queued) {
        self->learn(address, Standing::deferred, queued.error().status.text);
    } else if ((*queued)->recipients.size() != 1) {
        // It stands for several, and has been answered on the way in.
        self->learn(address, Standing::deliverable, "aliased to multiple recipients");
    }
}

// ---- The file and the clean-up

void Verifier::clean_if_due()
{
    OptionsPtr due;
    bool is_small = false;
    {
        const std::lock_guard guard(lock_);
        if (!options_ || options_->cleanup_interval.count() <= 0 || is_cleaning_) return;
        if (cleaned_at_ + options_->cleanup_interval > base::wall_now()) return;
        is_cleaning_ = true;
        due = options_;
        is_small = cache_.size() < buckets_at_a_time / 4 && !due->path;
    }
    if (is_small) clean(std::move(due));
    else pool_.post([self = shared_from_this(), due = std::move(due)]() mutable { self->clean(std::move(due)); });
}

// The journal is written anew on the way, with what stays. Answers that come meanwhile are in `unwritten_` and follow.
void Verifier::clean(OptionsPtr options)
{
    const std::lock_guard file_guard(file_lock_);
    const WallTime now = base::wall_now();
    Cache::Cleaning progress;
    std::string lines = cleaned_line(now);
    std::size_t count = 1;
    const Cache::OnKept on_kept = [&](const std::string& address, const Answer& answer) {
        lines += answer_line(address, answer);
        ++count;
    };
    for (bool is_done = false; !is_done;) {
        const std::lock_guard guard(lock_);
        is_done = cache_.clean(progress, buckets_at_a_time, now, options->path ? on_kept : Cache::OnKept());
        if (!is_done) continue;
        cleaned_at_ = now;
        lines_in_file_ = count;
    }
    options->log.info("cache {} full cleanup: retained={} dropped={} entries", options->map, progress.retained,
                      progress.dropped);
    if (options->path) {
        if (auto written = replace_journal(*options->path, lines); !written)
            options->log.warning("{}: {}", options->map, written.error().text());
    }
    const std::lock_guard guard(lock_);
    is_cleaning_ = false;
    has_cleaned_.notify_all();
}

void Verifier::write_later()
{
    if (is_writing_) return;
    is_writing_ = true;
    pool_.post([self = shared_from_this()] { self->write_pending(); });
}

void Verifier::write_pending()
{
    for (;;) {
        OptionsPtr options;
        std::string lines;
        bool is_too_long = false;
        const std::lock_guard file_guard(file_lock_);
        {
            const std::lock_guard guard(lock_);
            options = options_;
            if (unwritten_.empty() || !options || !options->path) {
                is_writing_ = false;
                return;
            }
            lines = std::exchange(unwritten_, {});
            is_too_long = lines_in_file_ > 2 * cache_.size() + spare_lines && !is_cleaning_;
        }
        const auto written = append_journal(*options->path, lines);
        const std::lock_guard guard(lock_);
        if (!written && !std::exchange(has_complained_, true)) {
            options->log.warning("{}: {}; answers are kept in memory until it can be written", options->map,
                                 written.error().text());
        }
        if (!written) {
            // Tried again with the next answer, and not for ever with all of them.
            if (lines.size() + unwritten_.size() <= largest_backlog) unwritten_.insert(0, lines);
            is_writing_ = false;
            return;
        }
        has_complained_ = false;
        // Due at the next question.
        if (is_too_long && options->cleanup_interval.count() > 0) cleaned_at_ = {};
    }
}

namespace {

Task<void> close_gate(net::Gate& gate)
{
    gate.close();
    co_await gate.wait();
}

}  // namespace

Task<void> Verifier::stop()
{
    const auto self = shared_from_this();
    co_await net::run_on(home_, close_gate(gate_));
    co_await pool_.run([self] {
        {
            std::unique_lock guard(self->lock_);
            self->has_cleaned_.wait(guard, [&] { return !self->is_cleaning_; });
            self->is_writing_ = true;
        }
        self->write_pending();
    });
}

}  // namespace ekiden::verify
