#include "support.hpp"

#include "table/query_template.hpp"
#include "table/remote_replies.hpp"

#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

namespace ekiden::table {
namespace {

TEST(remote_replies, tcp_keys_are_encoded_and_replies_are_bounded)
{
    EXPECT_EQ(tcp_query("a b%\xc3"), "get a%20b%25%C3\n");
    const std::string too_long = "200 " + std::string(max_tcp_reply, 'x');
    const struct {
        std::string_view line;
        std::string want;
    } cases[] = {
        {"200 v%20x", "v x"}, {"500 not here", "(absent)"}, {"400 later%20on", "(trouble) server error: later on"}, {"200 ", ""},
        {"200 a%2", "(trouble) malformed reply: 200 a%2"}, {"200 %zz", "(trouble) malformed reply: 200 %zz"}, {"foo", "(trouble) malformed reply: foo"},
        {"", "(trouble) malformed reply: "}, {"201 x", "(trouble) malformed reply: 201 x"}, {"200x", "(trouble) malformed reply: 200x"},
    };
    for (const auto& c : cases) EXPECT_EQ(shown(parse_tcp_reply(c.line)), c.want) << c.line;
    EXPECT_FALSE(parse_tcp_reply(too_long));
}

TEST(remote_replies, socketmap_speaks_netstrings)
{
    EXPECT_EQ(socketmap_query("nm", "a b"), "6:nm a b,");
    const struct {
        std::string_view reply;
        std::string want;
    } replies[] = {
        {"OK value", "value"}, {"NOTFOUND ", "(absent)"}, {"TEMP later", "(trouble) socketmap server temporary error: later"},
        {"TIMEOUT x", "(trouble) socketmap server timeout error: x"}, {"PERM no", "(trouble) socketmap server permanent error: no"},
        {"HUH x", "(trouble) socketmap server unknown error: x"}, {"OK", "(trouble) unexpected reply: OK"},
    };
    for (const auto& c : replies) EXPECT_EQ(shown(parse_socketmap_reply(c.reply)), c.want) << c.reply;
    const auto netstring = [](std::string_view bytes) -> std::string {
        const auto inside = parse_netstring(bytes);
        if (!inside) return "(trouble) " + inside.error().text();
        return *inside ? std::string(**inside) : "(more)";
    };
    const struct {
        std::string_view bytes;
        std::string want;
    } cases[] = {
        {"3:abc,", "abc"}, {"0:,", ""}, {"3:abc", "(more)"}, {"", "(more)"}, {"12", "(more)"}, {"3:abcd", "(trouble) input format error"},
        {"garbage", "(trouble) input format error"}, {":x,", "(trouble) input format error"}, {"999999999:", "(trouble) input exceeds size limit"},
        {"99999999999999999999999999", "(trouble) input exceeds size limit"}, {"-1:x,", "(trouble) input format error"},
    };
    for (const auto& c : cases) EXPECT_EQ(netstring(c.bytes), c.want) << c.bytes;
}

// A server that gives one reply a connection or a request, as told.
class Server {
public:
    Server(const std::string& path, std::vector<std::vector<std::string>> connections) : path_(path)
    {
        listener_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        ::listen(listener_, 5);
        thread_ = std::thread([this, connections = std::move(connections)] {
            for (const auto& replies : connections) {
                const int peer = ::accept(listener_, nullptr, nullptr);
                for (const auto& reply : replies) {
                    char buffer[1000];
                    if (::recv(peer, buffer, sizeof buffer, 0) <= 0) break;
                    (void)!::send(peer, reply.data(), reply.size(), MSG_NOSIGNAL);
                }
                ::close(peer);
            }
        });
    }
    ~Server()
    {
        thread_.join();
        ::close(listener_);
    }

private:
    std::string path_;
    int listener_;
    std::thread thread_;
};

TEST(remote_tables, keep_connections_and_replace_dead_ones)
{
    TemporaryFolder folder;
    const std::string spec = "socketmap:unix:" + folder.path("s") + ":nm";
    const auto table = open_table(spec);
    ASSERT_TRUE(table) << table.error().text();
    EXPECT_TRUE((*table)->may_block());
    Server server(folder.path("s"), {{"4:OK a,", "9:NOTFOUND ,", "10:TEMP later,"}, {"4:OK b,"}});
    EXPECT_EQ(shown((*table)->lookup("x")), "a");
    EXPECT_EQ(shown((*table)->lookup("x")), "(absent)");
    EXPECT_EQ(shown((*table)->lookup("x")), "(trouble) " + spec + " socketmap server temporary error: later");
    EXPECT_EQ(shown((*table)->lookup("x")), "b");   // over a new connection
}

TEST(remote_tables, that_cannot_be_reached_are_trouble_and_rest)
{
    TemporaryFolder folder;
    const std::string spec = "socketmap:unix:" + folder.path("s") + ":nm";
    const auto table = open_table(spec);
    ASSERT_TRUE(table);
    const std::string why = "connect to unix:" + folder.path("s") + ": connect: No such file or directory";
    EXPECT_EQ(shown((*table)->lookup("x")), "(trouble) table " + spec + " lookup error: " + why);
    EXPECT_EQ(shown((*table)->lookup("x")), "(trouble) " + spec + ": " + why);
    EXPECT_TRUE(ask("socketmap:foo", "x").starts_with("(not opened) bad syntax"));
    EXPECT_TRUE(ask("tcp:foo", "x").starts_with("(not opened) bad syntax"));
    EXPECT_TRUE(ask("debug:foo", "x").starts_with("(not opened) bad syntax"));
}

TEST(query_template, takes_keys_and_values_apart)
{
    const auto quote = [](std::string_view text) { return "<" + std::string(text) + ">"; };
    const struct {
        std::string_view text, key;
        std::optional<std::string> want;
    } queries[] = {
        {"q '%s' %%", "a@b.c", "q '<a@b.c>' %"}, {"%u at %d", "a@b.c", "<a> at <b.c>"}, {"%u", "alone", "<alone>"}, {"%d", "alone", std::nullopt},
        {"%u", "@b.c", std::nullopt}, {"%1 %2", "a@b.c", "<c> <b>"}, {"%3", "a@b.c", std::nullopt}, {"%S %U", "a@b", "<a@b> <a>"}, {"%x", "a", std::nullopt},
    };
    for (const auto& c : queries) EXPECT_EQ(expand_query(c.text, c.key, quote), c.want) << c.text << " " << c.key;
    EXPECT_EQ(expand_result("%s via %D", "v@w", "a@b"), "v@w via b");
    EXPECT_EQ(expand_result("%d", "v", "a@b"), std::nullopt);
}

TEST(sqlite, answers_from_a_database)
{
    TemporaryFolder folder;
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(folder.path("db").c_str(), &db), SQLITE_OK);
    ASSERT_EQ(
        sqlite3_exec(
            db,
            "CREATE TABLE t(k TEXT, v TEXT); INSERT INTO t VALUES('a@b.c','one'),('a@b.c','two'),('o''x@b.c','three');",
            nullptr, nullptr, nullptr),
        SQLITE_OK);
    const std::string head =
        "# comment\ndbpath = " + folder.path("db") + "\nquery = SELECT v FROM t\n  WHERE k = '%s'\n";
    const auto look = [&](const std::string& more, std::string_view key) {
        return ask("sqlite:" + folder.file("x.cf", head + more), key);
    };
    EXPECT_EQ(look("", "A@b.c"), "one,two");
    EXPECT_EQ(look("", "o'x@b.c"), "three");
    EXPECT_EQ(look("", "x' OR '1'='1"), "(absent)");
    EXPECT_EQ(look("result_format = <%s@%D>\n", "a@b.c"), "<one@b.c>,<two@b.c>");
    EXPECT_EQ(look("domain = other.test\n", "a@b.c"), "(absent)");
    EXPECT_EQ(look("domain = b.c\n", "a@b.c"), "one,two");
    EXPECT_TRUE(look("expansion_limit = 1\n", "a@b.c").contains("expansion limit exceeded"));
    EXPECT_EQ(look("query = SELECT v FROM nowhere\n", "a"),
              "(trouble) sqlite:" + folder.path("x.cf") + ": prepare query: no such table: nowhere");
    EXPECT_TRUE(
        look(
            "query = WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n\nexpansion_limit = 5\n",
            "a")
            .contains("expansion limit"));
    EXPECT_TRUE(look("dbpath = /nonexistent/db\n", "a").starts_with("(not opened) open /nonexistent/db"));
    EXPECT_TRUE(ask("sqlite:" + folder.file("y.cf", "dbpath = x\n"), "a").contains("query is not set"));
    // A change of the database is seen at once, without opening it again.
    const auto table = open_table("sqlite:" + folder.file("x.cf", head));
    ASSERT_TRUE(table);
    EXPECT_EQ(shown((*table)->lookup("new@b.c")), "(absent)");
    ASSERT_EQ(sqlite3_exec(db, "INSERT INTO t VALUES('new@b.c','four')", nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_EQ(shown((*table)->lookup("new@b.c")), "four");
    sqlite3_close(db);
}

}  // namespace
}  // namespace ekiden::table
