// A mail server without disk or network: real session, checks and intake over a memory stream, a DNS with fixed answers,
// a store that remembers what was committed, and everything that was logged.
#pragma once

#include "base/log_sinks.hpp"
#include "base/text.hpp"
#include "config/settings.hpp"
#include "logins.hpp"
#include "receive/server.hpp"
#include "receive/session.hpp"
#include "support/memory_stream.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace ekiden::receive::test {

class RecordingStore : public queue::Store {
public:
    struct Committed {
        mail::Envelope envelope;
        std::uint64_t size = 0;
    };
    std::vector<Committed> committed;
    std::optional<ErrorCode> failure;      // of the next commits
    bool has_space = true;

    queue::ContentWriter write_content() override { return queue::ContentWriter(); }
    Task<Result<queue::EnvelopePtr>> commit(mail::Envelope envelope, queue::ContentWriter content) override
    {
        if (failure) co_return fail(*failure, "the disk says no");
        envelope.size = content.size();
        committed.push_back({envelope, content.size()});
        co_return std::make_shared<const mail::Envelope>(std::move(envelope));
    }
    bool has_space_for(std::uint64_t) const override { return has_space; }
    std::uint64_t free_space() const override { return 4096; }
    void settle(queue::Settlement) override {}
    void remove(queue::QueueId) override {}
    Task<Result<void>> settle_durably(queue::Settlement) override { co_return Result<void>{}; }
    Task<Result<queue::Loaded>> load(queue::QueueId) override { co_return fail(ErrorCode::not_found, "gone"); }
    Result<queue::Loaded> load_now(queue::QueueId) override { return fail(ErrorCode::not_found, "gone"); }
    Task<Result<void>> change(queue::QueueId, queue::Change) override { co_return fail(ErrorCode::not_found, "gone"); }
    void for_each(const std::function<bool(const queue::Summary&)>&) const override {}
    Result<void> list(const std::function<bool(const queue::Summary&, const queue::Loaded&)>&) const override
    {
        return {};
    }
    std::size_t size() const override { return committed.size(); }
    queue::Statistics statistics() const override { return {}; }
    void listen(queue::Listener*) override {}
    void stop() override {}
};

class World {
public:
    explicit World(const std::string& lines = "")
    {
        base::use_sink(base::function_sink([this](base::LogLevel, std::string_view tag, std::string line) {
            if (tag == "postfix/smtpd" || tag == "postfix/pickup") log_.push_back(std::move(line));
        }));
        char pattern[] = "/tmp/ekiden_receive_XXXXXX";
        directory = ::mkdtemp(pattern);
        std::ofstream(directory + "/main.cf")
            << "compatibility_level = 3.6\nmyhostname = mail.golden.test\nmydomain = golden.test\n"
               "mydestination = $myhostname, localhost.$mydomain, localhost, $mydomain\n"
               "mynetworks = 127.0.0.1/32 [::1]/128\ninet_interfaces = 127.0.0.1\nalias_maps =\nsmtpd_error_sleep_time = 0\n"
               "local_recipient_maps = inline:{user1=x user2=x alice=x bob=x root=x postmaster=x}\n"
            << lines;
        std::ofstream(directory + "/master.cf") << "";
        auto host = [&](const char* name, const char* address) {
            dns::Record record{.type = dns::Type::a};
            record.address = *net::parse_address(address);
            dns.add(name, record);
        };
        auto pointer = [&](const char* address, const char* name) {
            dns::Record record{.type = dns::Type::ptr};
            record.name = name;
            dns.add(dns::reverse_name(*net::parse_address(address)), record);
        };
        host("client2.remote.test", "127.0.0.2");
        host("localhost", "127.0.0.1");
        host("liar.remote.test", "127.0.0.99");
        pointer("127.0.0.1", "localhost");
        pointer("127.0.0.2", "client2.remote.test");
        pointer("127.0.0.4", "liar.remote.test");
        pointer("127.0.0.5", "noa.remote.test");
        pointer("127.0.0.7", "127.0.0.7");
        pointer("127.0.0.8", "slow.remote.test");
        dns.fail(dns::reverse_name(*net::parse_address("127.0.0.6")), dns::Type::ptr);
        dns.fail("slow.remote.test", dns::Type::a);
        config::LoadOptions options;
        options.directory = directory;
        settings = config::Settings::load(options);
        resolver = rewrite::Resolver::make(settings);
        intake = rewrite::Intake::make(settings, resolver, store);
        spec.name = "smtp";
        spec.type = "inet";
        spec.command = "smtpd";
        spec.max_processes = "-";
        service =
            ServerSettings::make(
                settings, spec, resolver, intake, dns, [this](const std::string& domain) { flushed.push_back(domain); },
                [this](Complaint complaint) { return keep(std::move(complaint)); })
                .service();
        if (service->logins) {
            auto scripted = std::make_shared<Service>(*service);
            scripted->logins = std::make_shared<ScriptedLogins>();
            service = std::move(scripted);
        }
        (void)log();
    }
    ~World()
    {
        base::use_sink(base::stderr_sink());
        std::filesystem::remove_all(directory);
    }

    std::unique_ptr<Session> session(net::StreamPtr stream, const std::string& client)
    {
        return std::make_unique<Session>(std::move(stream), service, clients, counters,
                                         net::Endpoint{*net::parse_address(client), 40000},
                                         net::Endpoint{*net::parse_address("127.0.0.1"), 25});
    }

    Task<void> keep(Complaint complaint)
    {
        complaints.push_back(std::move(complaint));
        co_return;
    }

    // What was logged since the last call.
    std::vector<std::string> log()
    {
        base::flush_log();
        return std::exchange(log_, {});
    }

    std::string directory;
    ekiden::test::Loop loop;
    dns::FakeResolver dns;
    RecordingStore store;
    config::SettingsPtr settings;
    config::ServiceSpec spec;
    std::shared_ptr<const rewrite::Resolver> resolver;
    std::shared_ptr<const rewrite::Intake> intake;
    std::vector<std::string> flushed;      // ETRN
    std::vector<Complaint> complaints;     // to the postmaster
    ClientTable clients;
    Counters counters;
    ServicePtr service;

private:
    std::vector<std::string> log_;
};

}  // namespace ekiden::receive::test
