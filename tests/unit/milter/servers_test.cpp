#include "milter/servers.hpp"

#include <gtest/gtest.h>

namespace ekiden::milter {
namespace {

std::shared_ptr<const Setup> setup_with(std::vector<std::pair<std::string, std::string>> overrides = {},
                                        bool is_chrooted = false)
{
    overrides.emplace_back("queue_directory", "/spool");
    overrides.emplace_back("myhostname", "mail.example.test");
    config::LoadOptions options;
    options.read_main_cf = options.read_master_cf = options.is_strict = false;
    options.overrides = std::move(overrides);
    return Setup::from(*config::Settings::load(options), is_chrooted);
}

TEST(Servers, AreReadAsSmtpdMiltersWritesThem)
{
    const auto setup = setup_with({{"milter_default_action", "tempfail"}, {"milter_command_timeout", "7s"}});
    const auto servers = setup->parse("inet:localhost:8891, unix:run/a.sock local:/run/b.sock\n"
                                      " { inet:[::1]:smtp, connect_timeout=10s default_action=accept, "
                                      "{ content_timeout = 2m } protocol=4 }");
    ASSERT_TRUE(servers) << servers.error().text();
    ASSERT_EQ(servers->size(), 4u);
    EXPECT_EQ((*servers)[0].name, "inet:localhost:8891");
    EXPECT_EQ((*servers)[0].host, "localhost");
    EXPECT_EQ((*servers)[0].port, "8891");
    EXPECT_EQ((*servers)[0].command_timeout, std::chrono::seconds(7));
    EXPECT_EQ((*servers)[0].default_action, DefaultAction::tempfail);
    EXPECT_EQ((*servers)[1].path, "/spool/run/a.sock");
    EXPECT_EQ((*servers)[2].path, "/run/b.sock");
    EXPECT_EQ((*servers)[3].host, "::1");
    EXPECT_EQ((*servers)[3].connect_timeout, std::chrono::seconds(10));
    EXPECT_EQ((*servers)[3].content_timeout, std::chrono::seconds(120));
    EXPECT_EQ((*servers)[3].default_action, DefaultAction::accept);
    EXPECT_EQ((*servers)[3].version, 4u);
    EXPECT_EQ((*servers)[3].command_timeout, std::chrono::seconds(7));
}

TEST(Servers, InAChrootAreBelowTheQueueDirectory)
{
    const auto servers = setup_with({}, true)->parse("unix:/opendkim/opendkim.sock unix:b.sock");
    ASSERT_TRUE(servers);
    EXPECT_EQ((*servers)[0].path, "/spool/opendkim/opendkim.sock");
    EXPECT_EQ((*servers)[1].path, "/spool/b.sock");
}

TEST(Servers, ThatCannotBeMeantAreNamed)
{
    const auto setup = setup_with();
    for (const char* text : {"localhost:8891", "inet:8891", "inet:8891@localhost", "inet:localhost:nosuchservice",
                             "unix:", "inet:localhost", "{ inet:localhost:1, nonsense=1 }",
                             "{ inet:localhost:1, default_action=maybe }", "{ inet:localhost:1, protocol=5 }",
                             "{ inet:localhost:1, connect_timeout=never }", "{ }", "{ inet:localhost:1"}) {
        const auto servers = setup->parse(text);
        EXPECT_FALSE(servers) << text;
    }
    EXPECT_TRUE(setup->parse("")->empty());
    EXPECT_THROW(setup_with({{"milter_default_action", "maybe"}}), config::ConfigError);
    EXPECT_THROW(setup_with({{"milter_protocol", "1"}}), config::ConfigError);
    EXPECT_THROW(setup_with({{"milter_macro_defaults", "nothing"}}), config::ConfigError);
}

TEST(Setup, KnowsTheMacrosOfEachStage)
{
    const auto setup = setup_with({{"milter_helo_macros", "j, {own}"}, {"milter_macro_defaults", "own=value, {x}=y"}});
    EXPECT_EQ(setup->macros.at(Stage::helo), (std::vector<std::string>{"j", "{own}"}));
    EXPECT_EQ(setup->macros.at(Stage::data), (std::vector<std::string>{"i"}));
    EXPECT_EQ(setup->macro_defaults, (MacroDefaults{{"own", "value"}, {"{x}", "y"}}));
    EXPECT_EQ(common_value(*setup, "j"), "mail.example.test");
    EXPECT_EQ(common_value(*setup, "daemon_name"), "mail.example.test");
    EXPECT_FALSE(common_value(*setup, "i"));
}

} // namespace
} // namespace ekiden::milter
