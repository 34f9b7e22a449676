#include "check/table_problems.hpp"
#include "world.hpp"

#include <sys/stat.h>

namespace ekiden::check {
namespace {

using test::World;
using Texts = std::vector<std::string>;

// The directory stands as @ in lines and in what is said.
struct Files {
    World world{""};
    std::string path(const std::string& name) const { return world.directory() + "/" + name; }
    std::string with_directory(std::string text) const
    {
        for (std::size_t at; (at = text.find('@')) != std::string::npos;) text.replace(at, 1, world.directory());
        return text;
    }
    Texts problems(const std::string& lines, const std::string& master = {}) const
    {
        std::ofstream(path("main.cf")) << with_directory("compatibility_level = 3.6\n" + lines);
        std::ofstream(path("master.cf")) << with_directory(master);
        config::LoadOptions options;
        options.directory = world.directory();
        Texts texts;
        for (const config::Problem& problem : find_table_problems(*config::Settings::load(options))) {
            EXPECT_EQ(problem.level, config::Problem::Level::warning);
            std::string text = problem.text;
            for (std::size_t at; (at = text.find(world.directory())) != std::string::npos;)
                text.replace(at, world.directory().size(), "@");
            texts.push_back(std::move(text));
        }
        return texts;
    }
};

TEST(TableProblems, LinesThatArePassedOverAreNamedOnce)
{
    Files files;
    std::ofstream(files.path("headers")) << "/^Subject: good/ WARN\n/[/ REJECT\n/x/\n";
    std::ofstream(files.path("clients.cidr")) << "192.0.2.0/24 OK\n192.0.2.0/240 OK\n";
    const auto found = files.problems("header_checks = pcre:@/headers\nmime_header_checks = pcre:@/headers\n"
                                      "smtpd_client_restrictions = check_client_access cidr:@/clients.cidr\n");
    ASSERT_EQ(found.size(), 3u);
    EXPECT_TRUE(found[0].starts_with("header_checks: pcre map @/headers, line 2: error in regex")) << found[0];
    EXPECT_TRUE(found[1].starts_with("header_checks: pcre map @/headers, line 3: ")) << found[1];
    EXPECT_TRUE(found[2].starts_with("smtpd_client_restrictions: cidr map @/clients.cidr, line 2: ")) << found[2];
}

TEST(TableProblems, TablesThatCannotBeOpenedAreNamedWithTheCommand)
{
    Files files;
    std::ofstream(files.path("virtual")) << "a@a.test b\n";
    std::ofstream(files.path("rules")) << "/x/ OK\n";
    const std::pair<const char*, Texts> rows[] = {
        {"transport_maps = texthash:@/virtual, regexp:@/rules, static:x, inline:{a=b}, tcp:127.0.0.1:1\n", {}},
        {"virtual_alias_maps = texthash:@/virtual,\n  hash:@/virtual\n", {"@/main.cf, line 3: virtual_alias_maps: there is no @/virtual.db, so whatever needs this table waits: postmap hash:@/virtual"}},
        {"alias_maps = proxy:hash:@/aliases\n",
         {"@/main.cf, line 2: alias_maps: there is no @/aliases.db, so whatever needs this table waits: write @/aliases, then postalias hash:@/aliases"}},
        {"header_checks = pcre:@/none\n", {"@/main.cf, line 2: header_checks: there is no @/none, so whatever needs this table waits: write @/none, or remove pcre:@/none here"}},
        {"transport_maps = unionmap:{texthash:@/none,static:x}\n",
         {"@/main.cf, line 2: transport_maps: there is no @/none, so whatever needs this table waits: write @/none, or remove texthash:@/none here"}},
        // Each table once.
        {"transport_maps = cidr:@/none\nvirtual_alias_maps = cidr:@/none\n",
         {"@/main.cf, line 2: transport_maps: there is no @/none, so whatever needs this table waits: write @/none, or remove cidr:@/none here"}},
        {"smtpd_restriction_classes = c\nc = { check_client_access cidr:@/none }\n",
         {"@/main.cf, line 3: c: there is no @/none, so whatever needs this table waits: write @/none, or remove cidr:@/none here"}},
        {"my_own = hash:@/none\n", {}},
    };
    for (const auto& [lines, want] : rows) EXPECT_EQ(files.problems(lines), want) << lines;
    EXPECT_EQ(
        files.problems("", "25 inet n - n - - smtpd\n -o smtpd_client_restrictions=check_client_access,cidr:@/none\n"),
        Texts{
            "@/master.cf: line 2: smtpd_client_restrictions: there is no @/none, so whatever needs this table waits: write @/none, or remove cidr:@/none here"});
}

TEST(TableProblems, OldAndOpenTablesAreNamed)
{
    Files files;
    std::ofstream(files.path("t")) << "a b\n";
    std::ofstream(files.path("t.db")) << "";
    EXPECT_EQ(files.problems("transport_maps = hash:@/t\n").size(), 1u);      // an empty file is no database
    ::chmod(files.path("t").c_str(), 0646);
    EXPECT_EQ(files.problems("transport_maps = texthash:@/t\n"),
              Texts{"@/main.cf, line 2: transport_maps: everybody on this machine can write @/t: chmod o-w @/t"});
}

TEST(TableProblems, DomainsInTwoClassesAreFoundInTables)
{
    Files files;
    std::ofstream(files.path("domains")) << "a.test x\nb.test x\n";
    EXPECT_EQ(
        files.problems("mydestination = localhost,\n  A.test\nvirtual_mailbox_domains = texthash:@/domains\n"),
        Texts{
            "@/main.cf, line 3: do not list domain A.test in BOTH mydestination and virtual_mailbox_domains (texthash:@/domains): mydestination decides, so remove it from one of them"});
    EXPECT_EQ(files.problems("mydestination = localhost\nvirtual_mailbox_domains = texthash:@/domains\n"), Texts{});
}

}  // namespace
}  // namespace ekiden::check
