#include "world.hpp"

namespace ekiden::check {
namespace {

using test::World;

std::string with_footer(World& world, smtp::Reply reply)
{
    const RejectFooter& footer = world.policy->reject_footer();
    if (!footer.is_wanted(reply)) return smtp::format(reply);
    Facts facts = World::facts();
    facts.client_port = 4711;
    asio::io_context context(1);
    std::exception_ptr error;
    asio::co_spawn(context, footer.add(reply, facts), [&](std::exception_ptr e) { error = e; });
    context.run();
    if (error) std::rethrow_exception(error);
    base::flush_log();
    return smtp::format(reply);
}

TEST(RejectFooter, AddsLinesAsPostfix)
{
    const smtp::Reply no(550, "5.7.1", "<x>: no"), syntax(500, "Error"), yes(250, "2.1.0", "Ok");
    struct {
        const char* config;
        smtp::Reply reply;
        const char* want;
    } rows[] = {
        {"", no, "550 5.7.1 <x>: no\r\n"},
        {"smtpd_reject_footer = help\n", yes, "250 2.1.0 Ok\r\n"},
        {"smtpd_reject_footer = from ${client_address}:$client_port to $server_name\n", no, "550-5.7.1 <x>: no\r\n550 5.7.1 from 127.0.0.2:4711 to mail.golden.test\r\n"},
        {"smtpd_reject_footer = help\n", syntax, "500-Error\r\n500 help\r\n"},
        {"smtpd_reject_footer = \\c. Call us.\\nSecond $$x line\\n\n", no, "550-5.7.1 <x>: no. Call us.\r\n550-5.7.1 Second $x line\r\n550 5.7.1 \r\n"},
        {"smtpd_reject_footer = a ${server_name?yes} ${client_port:no}.\n", no, "550-5.7.1 <x>: no\r\n550 5.7.1 a yes .\r\n"},
        {"smtpd_reject_footer = general\nsmtpd_reject_footer_maps = inline:{ { 550 5.7.1 <x>: no = special } }\n", no, "550-5.7.1 <x>: no\r\n550 5.7.1 special\r\n"},
        {"smtpd_reject_footer = general\nsmtpd_reject_footer_maps = inline:{ { 450 4.7.1 other = special } }\n", no, "550-5.7.1 <x>: no\r\n550 5.7.1 general\r\n"},
        {"smtpd_reject_filter_maps = inline:{ { 550 5.7.1 <x>: no = 450 4.3.2 come back } }\n", no, "450 4.3.2 come back\r\n"},
        {"smtpd_reject_filter_maps = inline:{ { 550 5.7.1 <x>: no = 450 later } }\n", syntax, "500 Error\r\n"},
        {"smtpd_reject_filter_maps = static:{521 Go away}\nsmtpd_reject_footer = for ever\n", no, "521-Go away\r\n521 for ever\r\n"},
        {"smtpd_reject_filter_maps = fail:x\nsmtpd_reject_footer = help\n", syntax, "500-Error\r\n500 help\r\n"},
        {"smtpd_reject_footer = general\nsmtpd_reject_footer_maps = hash:/nonexistent/x\n", no, "550 5.7.1 <x>: no\r\n"},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.config);
        World world(row.config);
        EXPECT_EQ(with_footer(world, row.reply), row.want);
    }
}

TEST(RejectFooter, UnknownNamesAreToldOf)
{
    World world("smtpd_reject_footer = $nonsense bar\n");
    EXPECT_EQ(with_footer(world, smtp::Reply(450, "4.7.1", "later")), "450-4.7.1 later\r\n450 4.7.1  bar\r\n");
    EXPECT_EQ(world.log, std::vector<std::string>{"warning: unknown macro name \"nonsense\" in expansion request"});
}

TEST(RejectFooter, ARefusalStaysOne)
{
    for (const char* word : {"250 Ok", "354 go on", "nonsense", "550-more"}) {
        World world(fmt::format("smtpd_reject_filter_maps = static:{{{}}}\n", word));
        EXPECT_EQ(with_footer(world, smtp::Reply(550, "no")), "550 no\r\n");
        EXPECT_EQ(world.log, std::vector<std::string>{fmt::format(
                                 "warning: smtpd_reject_filter_maps: bad reply \"{}\" for \"550 no\"", word)});
    }
}

TEST(RejectFooter, IsBounded)
{
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "\\nx";
    World world("smtpd_reject_footer = " + text + "\n");
    EXPECT_LT(with_footer(world, smtp::Reply(550, "5.7.1", "no")).size(), 1000u);
}

}  // namespace
}  // namespace ekiden::check
