// Runs tests/dialogues/*.smtp; their README describes the format.
#include "world.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace ekiden::receive::test {
namespace {

struct Step {
    enum class Kind { session, send, expect, close, end, log, queued, set } kind;
    std::string text;
    int line = 0;
};
struct Script {
    std::string name, config;
    std::vector<Step> steps;
};

std::string unescape(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        switch (const char c = text[++i]) {
        case 'r': out += '\r'; break;
        case 'n': out += '\n'; break;
        case 't': out += '\t'; break;
        case '0': out += '\0'; break;
        case 'x':
            out += static_cast<char>(*base::parse_number<unsigned>(text.substr(i + 1, 2), 16));
            i += 2;
            break;
        default: out += c;
        }
    }
    return out;
}

Script read_script(const std::filesystem::path& path)
{
    Script script;
    script.name = path.filename();
    std::ifstream in(path);
    int number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        if (line.empty() || line.starts_with('#')) continue;
        const auto space = std::min(line.find(' '), line.size());
        const std::string word = line.substr(0, space), rest = line.substr(std::min(space + 1, line.size()));
        using enum Step::Kind;
        if (word == "config") script.config += rest + "\n";
        else if (word == "session") script.steps.push_back({session, rest, number});
        else if (word == "C:") script.steps.push_back({send, rest + "\r\n", number});
        else if (word == "C|") script.steps.push_back({send, unescape(rest), number});
        else if (word == "S:") script.steps.push_back({expect, rest, number});
        else if (word == "L:") script.steps.push_back({log, rest, number});
        else if (word == "close") script.steps.push_back({close, "", number});
        else if (word == "end") script.steps.push_back({end, "", number});
        else if (word == "queued") script.steps.push_back({queued, rest, number});
        else if (word == "set") script.steps.push_back({set, rest, number});
        else ADD_FAILURE() << script.name << ":" << number << ": what is this?";
    }
    return script;
}

// `want` with "ID" standing for any queue id.
bool matches(std::string_view want, std::string_view got)
{
    const auto at = want.find("ID");
    const bool is_wildcard = at != std::string_view::npos && (at == 0 || !base::is_alnum(want[at - 1])) &&
                             (at + 2 == want.size() || !base::is_alnum(want[at + 2]));
    if (!is_wildcard) return want == got;
    if (got.substr(0, at) != want.substr(0, at)) return false;
    std::size_t end = at;
    while (end < got.size() && base::is_alnum(got[end])) ++end;
    return end - at >= 8 && want.substr(at + 2) == got.substr(end);
}

// Where the wire breaks: after so many bytes in one direction of the n-th session.
struct Break {
    int session = -1;
    bool is_to_server = true;
    std::size_t after = 0;
};

class Player {
public:
    Player(const Script& script, Break fault) : script_(script), fault_(fault), world_(script.config) {}

    Task<void> play()
    {
        int session_number = -1;
        std::string pending;
        for (std::size_t i = 0; i < script_.steps.size(); ++i) {
            const Step& step = script_.steps[i];
            using enum Step::Kind;
            if (step.kind != send && !pending.empty()) {
                if (client_) (void)co_await client_->write(pending);
                pending.clear();
            }
            switch (step.kind) {
            case session: co_await begin(step.text, ++session_number); break;
            case send:
                sent_.back() += step.text.size();
                pending += step.text;
                break;
            case expect: co_await expect_line(step); break;
            case close: co_await hang_up(); break;
            case end:
                if (!is_broken_)
                    EXPECT_EQ(co_await read_reply(), std::nullopt) << at(step) << ": the server should have closed";
                co_await hang_up();
                break;
            case log: co_await expect_log(step); break;
            case queued:
                if (fault_.session < 0) EXPECT_EQ(std::to_string(world_.store.committed.size()), step.text) << at(step);
                break;
            case set: configure(step.text); break;
            }
        }
        co_await hang_up();
        if (fault_.session < 0) EXPECT_TRUE(log_.empty()) << script_.name << ": not in the script: " << log_.front();
        EXPECT_LE(acknowledged_, world_.store.committed.size())
            << script_.name << ": acknowledged what was not committed";
        EXPECT_EQ(disconnects_, session_number + 1) << script_.name;
    }

    World& world() { return world_; }
    const std::vector<std::size_t>& sent() const { return sent_; }
    const std::vector<std::size_t>& received() const { return received_; }

private:
    std::string at(const Step& step) const
    {
        std::string where = script_.name + ":" + std::to_string(step.line);
        if (fault_.session >= 0)
            where += " (broken " + std::string(fault_.is_to_server ? "to" : "from") + " the server after " +
                     std::to_string(fault_.after) + " bytes)";
        return where;
    }
    void configure(const std::string& what)
    {
        world_.store.has_space = what != "no-space";
        world_.store.failure.reset();
        if (what == "disk-error") world_.store.failure = ErrorCode::system;
        if (what == "disk-full") world_.store.failure = ErrorCode::no_space;
    }

    Task<void> begin(std::string address, int number)
    {
        co_await hang_up();
        auto pipe = net::make_memory_pipe(world_.loop.executor());
        is_broken_ = number == fault_.session;
        if (is_broken_) {
            auto& link = fault_.is_to_server ? pipe.a_to_b : pipe.b_to_a;
            link->break_after(fault_.after, Error(ErrorCode::closed, "Connection reset by peer"));
        }
        client_ = std::move(pipe.a);
        client_->set_time_limit(std::chrono::seconds(5));   // a script that waits for what never comes shall fail
        reader_.emplace(*client_);
        sent_.push_back(0);
        received_.push_back(0);
        is_running_ = true;
        world_.loop.start(serve(world_.session(std::move(pipe.b), address)));
    }
    Task<void> serve(std::unique_ptr<Session> session)
    {
        co_await session->run();
        session.reset();
        is_running_ = false;
    }
    Task<void> hang_up()
    {
        if (client_) client_->close();
        // Everything is on one loop and nothing sleeps: a session that does not end by itself hangs.
        for (int turn = 0; is_running_ && turn < 1000; ++turn) co_await asio::post(world_.loop.executor(), use_task);
        EXPECT_FALSE(is_running_) << script_.name << ": the session does not end";
        reader_.reset();
        client_.reset();
        collect_log();
        co_return;
    }
    Task<std::optional<std::string>> read_reply()
    {
        if (!reader_) co_return std::nullopt;
        auto line = co_await reader_->read_line(4096);
        if (!line) co_return std::nullopt;
        received_.back() += line->text.size() + 2;
        if (line->text.find("queued as") != std::string_view::npos) ++acknowledged_;
        co_return std::string(line->text);
    }
    Task<void> expect_line(const Step& step)
    {
        auto got = co_await read_reply();
        if (is_broken_) co_return;
        EXPECT_TRUE(got && matches(step.text, *got))
            << at(step) << "\n want " << step.text << "\n got  " << got.value_or("(end)");
    }
    Task<void> expect_log(const Step& step)
    {
        if (fault_.session >= 0) co_return;
        for (int turn = 0; turn < 20; ++turn) co_await asio::post(world_.loop.executor(), use_task);
        collect_log();
        if (log_.empty()) {
            ADD_FAILURE() << at(step) << ": not logged: " << step.text;
            co_return;
        }
        EXPECT_TRUE(matches(step.text, log_.front()))
            << at(step) << "\n want " << step.text << "\n got  " << log_.front();
        log_.erase(log_.begin());
    }
    void collect_log()
    {
        for (auto& text : world_.log()) {
            if (text.find("disconnect from ") != std::string::npos) ++disconnects_;
            log_.push_back(std::move(text));
        }
    }

    const Script& script_;
    const Break fault_;
    World world_;
    net::StreamPtr client_;
    std::optional<net::LineReader> reader_;
    std::vector<std::size_t> sent_, received_;
    std::vector<std::string> log_;
    std::size_t acknowledged_ = 0;
    int disconnects_ = 0;
    bool is_running_ = false, is_broken_ = false;
};

std::vector<std::filesystem::path> scripts()
{
    std::vector<std::filesystem::path> result;
    for (const auto& entry : std::filesystem::directory_iterator(EKIDEN_SOURCE_DIR "/tests/dialogues")) {
        if (entry.path().extension() == ".smtp") result.push_back(entry.path());
    }
    std::ranges::sort(result);
    return result;
}

class Dialogue : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(Dialogue, is_as_written_and_survives_every_break)
{
    const Script script = read_script(GetParam());
    Player whole(script, {});
    whole.world().loop.run(whole.play());
    ASSERT_FALSE(HasFailure());

    // A break at both ends of every line that was sent or answered, and in its middle.
    std::vector<Break> breaks;
    int number = -1;
    std::size_t to_server = 0, from_server = 0;
    for (const auto& step : script.steps) {
        using enum Step::Kind;
        if (step.kind == session) {
            ++number;
            to_server = from_server = 0;
        } else if (step.kind == send) {
            breaks.push_back({number, true, to_server});
            breaks.push_back({number, true, to_server + step.text.size() / 2});
            to_server += step.text.size();
        } else if (step.kind == expect) {
            breaks.push_back({number, false, from_server});
            breaks.push_back({number, false, from_server + step.text.size() / 2});
            from_server += step.text.size() + 2;
        }
    }
    for (const Break& fault : breaks) {
        Player broken(script, fault);
        broken.world().loop.run(broken.play());
        if (HasFailure()) FAIL() << "with a break after " << fault.after << " bytes of session " << fault.session;
    }
}

INSTANTIATE_TEST_SUITE_P(All, Dialogue, testing::ValuesIn(scripts()), [](const auto& info) {
    std::string name = info.param.stem();
    std::ranges::replace_if(name, [](char c) { return !base::is_alnum(c); }, '_');
    return name;
});

}  // namespace
}  // namespace ekiden::receive::test
