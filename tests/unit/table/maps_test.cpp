#include "support.hpp"

#include "base/clock.hpp"
#include "support/run_task.hpp"
#include "table/inquiries.hpp"
#include "table/maps.hpp"
#include "table/match_list.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <thread>

namespace ekiden::table {
namespace {

using ekiden::test::run_task;
using Lines = std::vector<std::string>;

std::string address(const Maps& maps, const std::string& key, const Maps::AddressOptions& options)
{
    auto found = run_task(maps.find_address(key, options));
    if (!found) return "(trouble) " + found.error().text();
    return *found ? (*found)->value + "|" + (*found)->extension : "(absent)";
}

TEST(maps, the_first_answer_wins_and_trouble_stops)
{
    KeptLog log;
    auto maps =
        Maps::open("virtual_alias_maps", "inline:{a=1}, inline:{ {a = 2}, {b = 3} } inline:{e=5} fail:x inline:{c=4}");
    EXPECT_EQ(maps.title(), "virtual_alias_maps");
    EXPECT_EQ(shown(maps.find_now("a")), "1");
    EXPECT_EQ(shown(run_task(maps.find("b"))), "3");
    EXPECT_EQ(shown(run_task(maps.find("c"))), "(trouble) fail:x lookup error for \"c\"");
    EXPECT_EQ(log.lines(), (Lines{"warning: fail:x lookup error for \"c\""}));
    EXPECT_TRUE(Maps().is_empty());
    EXPECT_TRUE(Maps::open("x", " ,").is_empty());
    EXPECT_EQ(shown(run_task(Maps().find("a"))), "(absent)");
}

TEST(maps, an_unavailable_table_is_trouble_in_postfix_words_until_it_exists)
{
    KeptLog log;
    TemporaryFolder folder;
    const std::string spec = "texthash:" + folder.path("t");
    auto maps = Maps::open("check_recipient_access", spec);
    const std::string why = "open database " + folder.path("t") + ": No such file or directory";
    EXPECT_EQ(maps.problems(), Lines{why});
    EXPECT_EQ(shown(maps.find_now("user1@golden.test")),
              "(trouble) " + spec + " lookup error for \"user1@golden.test\"");
    EXPECT_EQ(log.lines(), (Lines{"warning: " + spec + " is unavailable. " + why,
                                  "warning: " + spec + " lookup error for \"user1@golden.test\""}));
    folder.file("t", "user1@golden.test OK\n");
    maps.refresh();
    EXPECT_EQ(shown(maps.find_now("user1@golden.test")), "OK");
    EXPECT_EQ(Maps::open("alias_maps", "#").problems(),
              Lines{"open dictionary: expecting \"type:name\" form instead of \"#\""});
}

TEST(maps, an_empty_value_is_trouble)
{
    KeptLog log;
    EXPECT_EQ(shown(Maps::open("m", "inline:{ {a=} }").find_now("a")),
              "(trouble) inline:{ {a=} } lookup error for \"a\"");
}

TEST(maps, changed_tables_are_read_again_after_a_second)
{
    base::FixedClock clock{WallTime{std::chrono::seconds(1'800'000'000)}};
    KeptLog log;
    TemporaryFolder folder;
    const auto path = folder.file("t", "a 1\n");
    auto maps = Maps::open("m", "texthash:" + path);
    EXPECT_EQ(shown(run_task(maps.find("a"))), "1");
    folder.file("t", "a 22\n");
    EXPECT_EQ(shown(run_task(maps.find("a"))), "1") << "files are looked at once a second";
    clock.advance(std::chrono::milliseconds(1100));
    EXPECT_EQ(shown(run_task(maps.find("a"))), "22");
    std::filesystem::remove(path);
    for (int i = 0; i < 3; ++i) {
        clock.advance(std::chrono::milliseconds(1100));
        EXPECT_EQ(shown(run_task(maps.find("a"))), "22") << "a table that went away keeps its content";
    }
    EXPECT_EQ(log.lines(), Lines{"warning: texthash:" + path + ": open database " + path +
                                 ": No such file or directory; using what was read before"});
}

TEST(maps, slow_tables_are_asked_on_the_pool)
{
    net::BlockingPool pool(1);
    use_blocking_pool(&pool);
    auto maps = Maps::open("local_recipient_maps", "proxy:unix:passwd.byname inline:{zz-no-such-user=1}");
    EXPECT_EQ(shown(run_task(maps.find("zz-no-such-user"))), "1");
    EXPECT_TRUE(shown(run_task(maps.find("root"))).starts_with("root:"));
    use_blocking_pool(nullptr);
}

TEST(maps, address_search_order)
{
    Maps::AddressOptions options;
    options.recipient_delimiter = "+";
    options.is_local_domain = true;
    std::string order;
    for (const auto& key : Maps::address_keys("user+ext@example.com", options))
        order += key.key + "|" + key.extension + " ";
    EXPECT_EQ(order, "user+ext@example.com| user@example.com|+ext user+ext| user|+ext @example.com| ");
    options.is_local_domain = false;
    options.with_domain_catch_all = false;
    EXPECT_EQ(Maps::address_keys("user@example.com", options).size(), 1U);
    EXPECT_EQ(Maps::address_keys("user", options).size(), 1U);

    options.with_domain_catch_all = true;
    TemporaryFolder folder;
    const auto patterns = folder.file("r", "/^@example/ pattern-must-not-see-this\n/^pat@/ whole\n");
    auto maps = Maps::open("virtual_alias_maps",
                           "regexp:" + patterns + " inline:{user@example.com=found, @example.com=all, bare=local}");
    EXPECT_EQ(address(maps, "user+x@example.com", options), "found|+x");
    EXPECT_EQ(address(maps, "USER@Example.com", options), "found|");
    EXPECT_EQ(address(maps, "other+y@example.com", options), "all|");
    EXPECT_EQ(address(maps, "pat@example.com", options), "whole|");
    EXPECT_EQ(address(maps, "bare@other.test", options), "(absent)");
    options.is_local_domain = true;
    EXPECT_EQ(address(maps, "bare+z@other.test", options), "local|+z");
}

TEST(find_extension, never_splits_system_names)
{
    EXPECT_EQ(find_extension("user+ext", "+"), 4U);
    EXPECT_EQ(find_extension("user-a+b", "+-"), 4U);
    EXPECT_EQ(find_extension("+ext", "+"), std::nullopt);
    EXPECT_EQ(find_extension("user", "+"), std::nullopt);
    EXPECT_EQ(find_extension("", "+"), std::nullopt);
    EXPECT_EQ(find_extension("user+ext", ""), std::nullopt);
    EXPECT_EQ(find_extension("MAILER-DAEMON", "-"), std::nullopt);
    EXPECT_EQ(find_extension("double-bounce", "-"), std::nullopt);
    EXPECT_EQ(find_extension("owner-list", "-"), std::nullopt);
    EXPECT_EQ(find_extension("list-request", "-"), std::nullopt);
}

std::string shown(const Result<bool>& result)
{
    return !result ? "(trouble) " + result.error().text() : *result ? "yes" : "no";
}

TEST(match_list, names)
{
    const struct {
        const char* list;
        bool matches_parent;
        const char* name;
        const char* want;
    } cases[] = {
        {"example.com, localhost", false, "Example.COM", "yes"},
        {"example.com", false, "sub.example.com", "no"},
        {".example.com", false, "sub.example.com", "yes"},
        {".example.com", false, "example.com", "no"},
        {"example.com", true, "a.b.example.com", "yes"},
        {"example.com", true, "badexample.com", "no"},
        {"!bad.example.com .example.com", false, "bad.example.com", "no"},
        {"!bad.example.com .example.com", false, "good.example.com", "yes"},
        {"inline:{example.com=x}", false, "example.com", "yes"},
        {"inline:{.example.com=x}", false, "a.example.com", "yes"},
        {"inline:{example.com=x}", true, "a.b.example.com", "yes"},
        {"inline:{example.com=x}", false, "a.example.com", "no"},
        {"!inline:{a=x} static:all", false, "a", "no"},
        {"!inline:{a=x} static:all", false, "b", "yes"},
        {"[127.0.0.1]", false, "[127.0.0.1]", "yes"},
        {"fail:x", false, "a", "(trouble) mydestination: fail:x: table lookup problem"},
        {"a fail:x", false, "a", "yes"},
        {"/nonexistent/list", false, "a", "(trouble) mydestination: open /nonexistent/list: No such file or directory"},
        {"", false, "a", "no"},
    };
    KeptLog log;
    for (const auto& c : cases) {
        EXPECT_EQ(shown(MatchList::open("mydestination", c.list, c.matches_parent).matches_name_now(c.name)), c.want)
            << c.list << " " << c.name;
    }
}

TEST(match_list, addresses)
{
    const struct {
        const char* list;
        const char* address;
        const char* want;
    } cases[] = {
        {"127.0.0.0/8 [::1]/128", "127.1.2.3", "yes"},
        {"127.0.0.0/8 [::1]/128", "::1", "yes"},
        {"127.0.0.0/8 [::1]/128", "::2", "no"},
        {"192.0.2.1", "192.0.2.1", "yes"},
        {"!192.0.2.1 192.0.2.0/24", "192.0.2.1", "no"},
        {"!192.0.2.1 192.0.2.0/24", "192.0.2.2", "yes"},
        {"inline:{192.0.2.7=x}", "192.0.2.7", "yes"},
        {"192.168.0.0/24, 127.0.0.0/8  # comment 10.0.0.0/8", "127.0.0.1", "yes"},
        {"192.168.0.0/24, 127.0.0.0/8  # comment 10.0.0.0/8", "10.0.0.1", "no"},
        {"10.0.0.0/8 127.0.0.1/8", "10.1.1.1", "yes"},
        {"10.0.0.0/8 127.0.0.1/8", "127.0.0.1",
         "(trouble) mynetworks: non-null host address bits in \"127.0.0.1/8\", perhaps you should use \"127.0.0.0/8\" instead"},
        {"host.example.com", "192.0.2.1", "no"},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(shown(MatchList::open("mynetworks", c.list).matches_address_now(*net::parse_address(c.address))),
                  c.want)
            << c.list << " " << c.address;
    }
    EXPECT_EQ(MatchList::open("mynetworks", "127.0.0.0/8  # comment 10.0.0.0/8").problems(),
              Lines{"mynetworks: comment at end of line is not supported: # comment 10.0.0.0/8"});
    EXPECT_EQ(MatchList::open("mynetworks", "127.0.0.1/8").problems().size(), 1U);
    EXPECT_TRUE(MatchList::open("mynetworks", "").is_empty());
}

TEST(match_list, name_or_address_in_order)
{
    const auto list = MatchList::open("x", "!bad.example.com 192.0.2.0/24 .example.com");
    const auto inside = *net::parse_address("192.0.2.1"), outside = *net::parse_address("203.0.113.1");
    EXPECT_EQ(shown(list.matches_now("bad.example.com", inside)), "no");
    EXPECT_EQ(shown(list.matches_now("other.test", inside)), "yes");
    EXPECT_EQ(shown(list.matches_now("good.example.com", outside)), "yes");
    EXPECT_EQ(shown(list.matches_now("other.test", outside)), "no");
}

TEST(match_list, files_are_lists)
{
    TemporaryFolder folder;
    const auto path = folder.file("list", "# networks\n10.0.0.0/8\n  192.0.2.1\n!172.16.0.1\n172.16.0.0/12\n");
    const auto list = MatchList::open("mynetworks", path);
    EXPECT_EQ(shown(list.matches_address_now(*net::parse_address("192.0.2.1"))), "yes");
    EXPECT_EQ(shown(list.matches_address_now(*net::parse_address("172.16.0.1"))), "no");
    EXPECT_EQ(shown(list.matches_address_now(*net::parse_address("172.16.0.2"))), "yes");
    const auto loop = folder.file("loop", folder.path("loop") + "\n");
    EXPECT_EQ(shown(MatchList::open("mynetworks", loop).matches_name_now("x")),
              "(trouble) mynetworks: " + loop + ": files are nested too deep");
}

// A table that has to be waited for: it answers what `entries` says, and counts.
class SlowServer {
public:
    SlowServer(const std::string& path, std::map<std::string, std::string> entries) : entries_(std::move(entries))
    {
        listener_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        ::listen(listener_, 5);
        thread_ = std::thread([this] { serve(); });
    }
    ~SlowServer()
    {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    std::vector<std::string> asked()
    {
        const std::lock_guard guard(mutex_);
        return asked_;
    }

private:
    void serve()
    {
        for (int peer; (peer = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(peer)) {
            char buffer[1000];
            for (ssize_t got; (got = ::recv(peer, buffer, sizeof buffer, 0)) > 0;) {
                std::string query(buffer, static_cast<std::size_t>(got));   // "6:m abcd,"
                query = query.substr(query.find(' ') + 1);
                query.pop_back();
                const auto at = entries_.find(query);
                const std::string reply = at == entries_.end() ? "9:NOTFOUND ," : "4:OK " + at->second + ",";
                {
                    const std::lock_guard guard(mutex_);
                    asked_.push_back(query);
                }
                (void)!::send(peer, reply.data(), reply.size(), MSG_NOSIGNAL);
            }
        }
    }
    std::map<std::string, std::string> entries_;
    int listener_;
    std::mutex mutex_;
    std::vector<std::string> asked_;
    std::thread thread_;
};

TEST(match_list, tables_that_have_to_be_waited_for)
{
    base::FixedClock clock{WallTime{std::chrono::seconds(1'800'000'000)}};
    TemporaryFolder folder;
    const std::string path = folder.path("s");
    {
        net::BlockingPool pool(1);
        use_blocking_pool(&pool);
        // Nothing listens yet: what needs no table is answered, the rest is trouble when awaited.
        KeptLog log;
        {
            const auto list = MatchList::open(
                "relay_domains",
                "known.test, !socketmap:unix:" + path + ":no, socketmap:unix:" + path + ":m, late.test", true);
            EXPECT_EQ(shown(list.matches_name_at_once("Known.test").value()), "yes");
            EXPECT_FALSE(list.matches_name_at_once("a.late.test").has_value());
            EXPECT_EQ(shown(run_task(list.matches_name("a.late.test"))),
                      "(trouble) relay_domains: socketmap:unix:" + path + ":no: table lookup problem");
        }
        SlowServer server(path, {{"listed.test", "x"}});
        clock.advance(std::chrono::milliseconds(1100));
        const auto two = MatchList::open("relay_domains", "known.test, socketmap:unix:" + path + ":m, late.test", true);
        EXPECT_EQ(shown(run_task(two.matches_name("known.test"))), "yes");
        EXPECT_EQ(server.asked().size(), 0U);
        EXPECT_EQ(shown(run_task(two.matches_name("a.b.LISTED.test"))), "yes");
        EXPECT_EQ(server.asked(), (Lines{"a.b.listed.test", "b.listed.test", "listed.test"}));
        // What was asked a moment ago needs neither a server nor a coroutine.
        EXPECT_EQ(shown(two.matches_name_at_once("a.b.listed.test").value()), "yes");
        EXPECT_EQ(shown(run_task(two.matches_name("x.late.test"))), "yes");
        EXPECT_EQ(server.asked().size(), 6U);
        EXPECT_EQ(shown(run_task(two.matches("nobody.example", *net::parse_address("192.0.2.1")))), "no");
        EXPECT_EQ(server.asked().back(), "192.0.2.1");
        EXPECT_EQ(shown(two.matches_now("nobody.example", *net::parse_address("192.0.2.1"))), "no");
        clock.advance(std::chrono::milliseconds(1100));
        EXPECT_FALSE(two.matches_name_at_once("a.b.listed.test").has_value()) << "nothing is remembered for long";
        const auto before = server.asked().size();
        EXPECT_EQ(shown(two.matches_name_now("a.b.listed.test")), "yes");
        EXPECT_EQ(server.asked().size(), before + 3);

        for (const auto& [spec, counts] : Inquiries::all()) {
            if (!spec.ends_with(":m")) continue;
            EXPECT_EQ(counts.found, 1U);
            EXPECT_GE(counts.remembered, 3U);
            EXPECT_EQ(counts.trouble, 0U);
        }
        use_blocking_pool(nullptr);
    }
}

TEST(maps, find_at_once_says_nothing_where_something_has_changed_or_has_to_be_awaited)
{
    base::FixedClock clock{WallTime{std::chrono::seconds(1'800'000'000)}};
    TemporaryFolder folder;
    const auto path = folder.file("t", "a 1\n");
    const auto maps = Maps::open("m", "texthash:" + path + " inline:{b=2}");
    EXPECT_EQ(table::shown(maps.find_at_once("a").value()), "1");
    EXPECT_EQ(table::shown(maps.find_at_once("b").value()), "2");
    EXPECT_EQ(table::shown(maps.find_at_once("c").value()), "(absent)");
    EXPECT_EQ(table::shown(Maps().find_at_once("c").value()), "(absent)");
    folder.file("t", "a 33\n");
    clock.advance(std::chrono::milliseconds(1100));
    EXPECT_FALSE(maps.find_at_once("a").has_value());
    EXPECT_EQ(table::shown(run_task(maps.find("a"))), "33");
    EXPECT_EQ(table::shown(maps.find_at_once("a").value()), "33");
}

}  // namespace
}  // namespace ekiden::table
