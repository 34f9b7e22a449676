// A small world for policy tests: a configuration, a DNS with fixed answers, and what was logged.
#pragma once

#include "base/log_sinks.hpp"
#include "check/policy.hpp"
#include "config/settings.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace ekiden::check::test {

class World {
public:
    // `lines` are added to a minimal main.cf; `files` are made in the configuration directory, named by @NAME@ in it.
    explicit World(const std::string& lines, const std::vector<std::pair<std::string, std::string>>& files = {},
                   std::string level = "3.6")
    {
        base::use_sink(base::function_sink(
            [this](base::LogLevel, std::string_view, std::string line) { log.push_back(std::move(line)); }));
        char pattern[] = "/tmp/ekiden_check_XXXXXX";
        directory_ = mkdtemp(pattern);
        for (const auto& [name, text] : files) std::ofstream(directory_ + "/" + name) << text;
        std::string main_cf =
            "compatibility_level = " + level +
            "\n"
            "myhostname = mail.golden.test\nmydomain = golden.test\n"
            "mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain\n"
            "mynetworks = 127.0.0.1/32 [::1]/128\ninet_interfaces = 127.0.0.1\n"
            "alias_maps =\nlocal_recipient_maps = inline:{user1=x user2=x alice=x bob=x carol=x fwd=x user=x test=x mboxuser=x}\n" +
            lines;
        for (std::size_t at; (at = main_cf.find("@DIR@")) != std::string::npos;) main_cf.replace(at, 5, directory_);
        std::ofstream(directory_ + "/main.cf") << main_cf;
        std::ofstream(directory_ + "/master.cf") << "";
        fill_dns();
        config::LoadOptions options;
        options.directory = directory_;
        settings = config::Settings::load(options);
        resolver = rewrite::Resolver::make(settings);
        policy = Policy::make(settings, resolver, dns, Logger("postfix/smtpd"));
        log.clear();
    }
    ~World()
    {
        base::use_sink(base::stderr_sink());
        std::filesystem::remove_all(directory_);
    }

    Verdict evaluate(Stage stage, const Facts& facts)
    {
        asio::io_context context(1);
        Verdict verdict;
        std::exception_ptr error;
        asio::co_spawn(context, policy->evaluate(stage, facts), [&](std::exception_ptr e, Verdict v) {
            error = e;
            verdict = std::move(v);
            context.stop();     // kept connections and questions asked ahead need not end
        });
        context.run();
        if (error) std::rethrow_exception(error);
        base::flush_log();
        return verdict;
    }

    static Facts facts(std::string client = "127.0.0.2", std::string sender = "sender@remote.test",
                       std::string recipient = "user1@golden.test", std::string helo = "client2.remote.test")
    {
        Facts facts;
        facts.client_address = *net::parse_address(client);
        if (client == "127.0.0.1") {
            facts.client_name = facts.reverse_client_name = "localhost";
            facts.name_status = facts.reverse_name_status = NameStatus::verified;
        } else if (client == "127.0.0.2") {
            facts.client_name = facts.reverse_client_name = "client2.remote.test";
            facts.name_status = facts.reverse_name_status = NameStatus::verified;
        } else if (client == "127.0.0.4") {
            facts.reverse_client_name = "liar.remote.test";
            facts.name_status = NameStatus::forged;
            facts.reverse_name_status = NameStatus::verified;
        } else if (client == "127.0.0.6") {
            facts.name_status = facts.reverse_name_status = NameStatus::temporary;
        }
        facts.protocol = "ESMTP";
        facts.helo_name = std::move(helo);
        facts.has_sender = true;
        facts.sender = std::move(sender);
        facts.recipient = std::move(recipient);
        return facts;
    }

    // The reply to RCPT in one line, "" when it is permitted.
    std::string rcpt(const Facts& facts, Stage stage = Stage::rcpt)
    {
        const Verdict verdict = evaluate(stage, facts);
        if (verdict.action == Verdict::Action::permit) return {};
        return smtp::one_line(verdict.reply);
    }

    const std::string& directory() const { return directory_; }

    std::vector<std::string> log;
    Facts rcpt_facts = facts();
    dns::FakeResolver dns;
    config::SettingsPtr settings;
    std::shared_ptr<const rewrite::Resolver> resolver;
    std::shared_ptr<const Policy> policy;

private:
    void fill_dns()
    {
        using dns::Type;
        auto address = [&](const char* name, const char* text) {
            dns::Record record{};
            record.type = Type::a;
            record.address = *net::parse_address(text);
            dns.add(name, record);
        };
        auto mx = [&](const char* name, const char* host, std::uint16_t preference = 10) {
            dns::Record record{};
            record.type = Type::mx;
            record.name = host;
            record.preference = preference;
            dns.add(name, record);
        };
        auto txt = [&](const char* name, const char* text) {
            dns::Record record{};
            record.type = Type::txt;
            record.text = text;
            dns.add(name, record);
        };
        auto ns = [&](const char* name, const char* host) {
            dns::Record record{};
            record.type = Type::ns;
            record.name = host;
            dns.add(name, record);
        };
        ns("remote.test", "ns1.host.test");
        ns("remote.test", "ns2.host.test");
        address("ns2.host.test", "127.0.0.53");
        address("2.0.0.127.closed.test", "127.255.255.254");
        address("2.0.0.127.many.test", "127.0.0.4");
        address("2.0.0.127.many.test", "127.0.0.10");
        txt("2.0.0.127.many.test", "many reasons");
        mx("remote.test", "mx.remote.test");
        mx("prefs.test", "down.prefs.test");
        mx("prefs.test", "mx.remote.test", 20);
        address("down.prefs.test", "127.0.0.26");
        address("remote.test", "127.0.0.25");
        address("mx.remote.test", "127.0.0.25");
        address("client2.remote.test", "127.0.0.2");
        address("a-only.test", "127.0.0.25");
        mx("nullmx.test", "");
        mx("mxnohost.test", "nohost.mxnohost.test");
        txt("noaddr.test", "no address here");
        address("2.0.0.127.rbl.test", "127.0.0.2");
        txt("2.0.0.127.rbl.test", "Listed, see http://rbl.test/?ip=127.0.0.2");
        address("2.0.0.127.notxt.test", "127.0.0.10");
        address("spammer.test.rhsbl.test", "127.0.0.2");
        txt("spammer.test.rhsbl.test", "spammer.test is listed");
        address("spammer.test", "127.0.0.25");
        mx("spammer.test", "mx.remote.test");
        for (const Type type : {Type::a, Type::aaaa, Type::mx}) dns.fail("servfail.test", type);
        dns.fail("2.0.0.127.servfail.test", Type::a);
    }
    std::string directory_;
};

}  // namespace ekiden::check::test
