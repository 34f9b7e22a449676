#include "check/table_types.hpp"
#include "world.hpp"

namespace ekiden::check {
namespace {

using test::World;

std::vector<std::string> problems_of(const std::string& lines, const std::string& master = {})
{
    World world("");
    const std::string main_cf = world.directory() + "/main.cf", master_cf = world.directory() + "/master.cf";
    std::ofstream(main_cf) << "compatibility_level = 3.6\n" << lines;
    std::ofstream(master_cf) << master;
    config::LoadOptions options;
    options.directory = world.directory();
    std::vector<std::string> texts;
    for (const config::Problem& problem : find_unknown_table_types(*config::Settings::load(options))) {
        EXPECT_EQ(problem.level, config::Problem::Level::fatal);
        EXPECT_GT(problem.at.line, 0);
        std::string text = problem.text;
        if (const auto at = text.find(world.directory()); at != std::string::npos) text.replace(at, world.directory().size() + 1, "");
        texts.push_back(std::move(text));
    }
    return texts;
}

TEST(TableTypes, UnknownOnesAreNamedWithFileAndLine)
{
    using Texts = std::vector<std::string>;
    struct {
        const char* lines;
        Texts want;
    } rows[] = {
        {"virtual_alias_maps = hasch:/etc/postfix/virtual\n", {"main.cf, line 2: virtual_alias_maps: unsupported dictionary type: hasch (is hash meant?)"}},
        {"mynetworks = 127.0.0.0/8, [::1]/128 2001:db8::/32 fe80::/64 !cidrr:/x\n", {"main.cf, line 2: mynetworks: unsupported dictionary type: cidrr (is cidr meant?)"}},
        {"alias_maps = hash:/etc/aliases,\n  nonesuch:mail.aliases\n", {"main.cf, line 2: alias_maps: unsupported dictionary type: nonesuch"}},
        {"transport_maps = proxy:blurb:/x\n", {"main.cf, line 2: transport_maps: unsupported dictionary type: blurb"}},
        {"smtpd_recipient_restrictions = check_client_access blurb:/x, permit\n", {"main.cf, line 2: smtpd_recipient_restrictions: unsupported dictionary type: blurb"}},
        {"smtpd_sender_restrictions = blurb:/x\n", {"main.cf, line 2: smtpd_sender_restrictions: unsupported dictionary type: blurb"}},
        {"smtpd_sender_restrictions = check_ccert_access { blurb:/x, { search_order = cert_fingerprint } }\n", {"main.cf, line 2: smtpd_sender_restrictions: unsupported dictionary type: blurb"}},
        {"smtpd_restriction_classes = c\nc = check_helo_access blurb:/x\n", {"main.cf, line 3: c: unsupported dictionary type: blurb"}},
        {"smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:1, check_policy_service { unix:x, timeout=1s }, reject_rbl_client a.test=127.0.0.2, sleep 1\n", {}},
        {"virtual_alias_maps = hash:/x, pcre:/y cidr:/z proxy:texthash:/x static:{x:y} inline:{a=b:c} unionmap:{hash:/x,hash:/y}\n", {}},
        {"mydestination = /etc/file, [1.2.3.4], name.test\nrelayhost = lmtp:x:25\nmailbox_transport = blurb:x\nmy_own = blurb:x\n", {}},
        {"relay_domains = # blurb:x\n", {}},
    };
    for (const auto& row : rows) {
        SCOPED_TRACE(row.lines);
        EXPECT_EQ(problems_of(row.lines), row.want);
    }
    EXPECT_EQ(problems_of("", "587 inet n - n - - smtpd\n  -o smtpd_client_restrictions=check_client_access,blurb:/x\n"),
              Texts{"master.cf: line 1: -o smtpd_client_restrictions: unsupported dictionary type: blurb"});
}

}  // namespace
}  // namespace ekiden::check
