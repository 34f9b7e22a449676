#include "tls/server.hpp"

#include "base/log_sinks.hpp"
#include "support/memory_stream.hpp"
#include "unit/tls/client.hpp"

#include <gmock/gmock.h>

namespace ekiden::tls {
namespace {

using test::Folder;
using testing::ElementsAre;
using testing::IsEmpty;

class Renewal : public testing::Test {
protected:
    Renewal()
    {
        base::use_sink(base::function_sink(
            [this](base::LogLevel, std::string_view, std::string line) { lines.push_back(std::move(line)); }));
    }
    ~Renewal() override { base::use_sink(nullptr); }
    std::vector<std::string> take_lines()
    {
        base::flush_log();
        return std::exchange(lines, {});
    }
    static const X509* leaf_of(const ContextPtr& context) { return context->identities().front().leaf.get(); }

    Folder folder;
    std::vector<std::string> lines;
};

TEST_F(Renewal, new_files_are_used_and_bad_ones_leave_the_old_in_force)
{
    auto options = test::usual_options({folder.write("chain.pem", test::ecdsa().pem())});
    const auto server = Server::make(options, Logger("postfix/smtpd"));
    const ContextPtr first = server->current();
    ASSERT_TRUE(first);
    server->look();
    EXPECT_EQ(server->current(), first) << "nothing has changed";
    EXPECT_THAT(take_lines(), IsEmpty());

    folder.write("chain.pem", test::ecdsa().certificate_pem());
    server->look();
    server->look();
    EXPECT_EQ(server->current(), first);
    EXPECT_THAT(take_lines(), ElementsAre("warning: error loading chain from " + folder / "chain.pem" +
                                          ": key not first: the certificates and keys read before stay in force"));

    std::filesystem::remove(folder / "chain.pem");
    server->look();
    EXPECT_EQ(server->current(), first);
    EXPECT_EQ(take_lines().size(), 1u);

    folder.write("chain.pem", test::rsa().pem());
    server->look();
    ASSERT_NE(server->current(), first);
    EXPECT_EQ(leaf_of(server->current()) != nullptr &&
                  X509_cmp(leaf_of(server->current()), test::rsa().certificate.get()) == 0,
              true);
    EXPECT_THAT(take_lines(), ElementsAre("TLS certificates and keys were read anew"));
}

TEST_F(Renewal, what_was_missing_at_the_start_is_used_when_it_comes)
{
    auto options = test::usual_options({folder / "chain.pem"});
    const auto server = Server::make(options, Logger("postfix/smtpd"));
    EXPECT_FALSE(server->current());
    EXPECT_THAT(take_lines(), ElementsAre("warning: error opening chain file: " + folder / "chain.pem" +
                                          ": No such file or directory: disabling TLS support"));
    server->look();
    EXPECT_THAT(take_lines(), IsEmpty());
    folder.write("chain.pem", test::ecdsa().pem());
    server->look();
    EXPECT_TRUE(server->current());

    options.credentials.chain_files.clear();
    EXPECT_FALSE(Server::make(options, Logger("postfix/smtpd"))->current());
    EXPECT_THAT(take_lines(), ElementsAre("TLS certificates and keys were read anew",
                                          "warning: No server certs available. TLS won't be enabled"));
}

TEST_F(Renewal, a_server_without_tls_reads_nothing)
{
    auto options = test::usual_options({folder / "chain.pem"});
    options.level = ServerOptions::Level::none;
    const auto server = Server::make(options, Logger("postfix/smtpd"));
    ekiden::test::Loop loop;
    EXPECT_FALSE(loop.run(server->context()));
    EXPECT_THAT(take_lines(), IsEmpty());
}

}  // namespace
}  // namespace ekiden::tls
