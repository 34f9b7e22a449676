#include "check/table_transports.hpp"
#include "world.hpp"

namespace ekiden::check {
namespace {

using test::World;
using Texts = std::vector<std::string>;

TEST(TableTransports, NamesThatMasterCfDoesNotHaveAreFoundWithTheLineOfTheTable)
{
    const World world{""};
    const std::string folder = world.directory();
    const auto write = [&](const std::string& name, const std::string& text) { std::ofstream(folder + "/" + name) << text; };
    write("routes", "a.test smtp:[b.test]\n# remark\nb.test :[c.test]\n*\n   faraway:x\nc.test faraway:y\nd.test lmtpx\n");
    write("rules", "/a:/ $1:x\nif /b/\n!/c\\/d/i   nosuch:[e.test]\nendif\n/x/ DUNNO\n/y/!/z/ other:z\n");
    write("nets", "192.0.2.0/24 FILTER scan:[127.0.0.1]:10024\n0.0.0.0/0 REJECT go:away\n");
    write("master.cf", "smtp unix - - n - - smtp\nlmtp unix - - n - - lmtp\nfaraway inet n - n - - smtpd\n");
    struct Row {
        std::string lines;
        Texts want;
    };
    const Row rows[] = {
        {"transport_maps = texthash:@/routes\n",
         {"@/routes, line 4: transport_maps names the transport \"faraway\", which master.cf does not have, so this mail waits: add a line for it to master.cf",
          "@/routes, line 7: transport_maps names the transport \"lmtpx\", which master.cf does not have, so this mail waits: is lmtp meant?"}},
        {"mailbox_transport_maps = proxy:regexp:@/rules\n",
         {"@/rules, line 3: mailbox_transport_maps names the transport \"nosuch\", which master.cf does not have, so this mail waits: add a line for it to master.cf",
          "@/rules, line 6: mailbox_transport_maps names the transport \"other\", which master.cf does not have, so this mail waits: add a line for it to master.cf"}},
        {"smtpd_client_restrictions = check_client_access cidr:@/nets\n",
         {"@/nets, line 1: smtpd_client_restrictions names the transport \"scan\", which master.cf does not have, so this mail waits: add a line for it to master.cf"}},
        {"sender_dependent_default_transport_maps =\n  inline:{a=nosuch:b}, static:none:x\n",
         {"@/main.cf, line 3: sender_dependent_default_transport_maps names the transport \"nosuch\", which master.cf does not have, so this mail waits: add a line for it to master.cf",
          "@/main.cf, line 3: sender_dependent_default_transport_maps names the transport \"none\", which master.cf does not have, so this mail waits: add a line for it to master.cf"}},
        {"transport_maps = inline:{a=smtp:b}, texthash:@/nosuch\nvirtual_alias_maps = inline:{a=nosuch:b}\n", {}},
    };
    for (const Row& row : rows) {
        std::string text = "compatibility_level = 3.6\n" + row.lines;
        for (std::size_t at; (at = text.find('@')) != std::string::npos;) text.replace(at, 1, folder);
        write("main.cf", text);
        config::LoadOptions options;
        options.directory = folder;
        Texts said;
        for (const config::Problem& problem : find_table_transports(*config::Settings::load(options))) {
            EXPECT_EQ(problem.level, config::Problem::Level::warning);
            std::string line = problem.text;
            for (std::size_t at; (at = line.find(folder)) != std::string::npos;) line.replace(at, folder.size(), "@");
            EXPECT_TRUE(line.ends_with(problem.advice)) << line;
            said.push_back(std::move(line));
        }
        std::ranges::sort(said);
        Texts want = row.want;
        std::ranges::sort(want);
        EXPECT_EQ(said, want) << row.lines;
    }
}

}  // namespace
}  // namespace ekiden::check
