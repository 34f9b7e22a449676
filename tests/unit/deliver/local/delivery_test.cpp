// local(8) as a whole: a configuration, a queue, a helper process, and what became of each recipient, in the words that
// Postfix logs. The caller's own account is the user of this machine.
#include "base/log_sinks.hpp"
#include "deliver/transports.hpp"
#include "mail/address.hpp"
#include "report/delivery_log.hpp"
#include "rewrite/intake.hpp"
#include "unit/deliver/helper/running_helper.hpp"

#include <fmt/format.h>

#include <new>
#include <optional>

#include <pwd.h>

namespace ekiden::deliver {
namespace {

class NoDns : public dns::Resolver {
public:
    Task<Result<dns::Answer>> query(std::string, dns::Type) override
    {
        co_return fail(ErrorCode::unavailable, "no DNS here");
    }
};

// There is memory to look at it so many times.
class ScarceContent : public queue::Content {
public:
    ScarceContent(queue::ContentPtr content, int times) : content_(std::move(content)), left_(times) {}
    std::uint64_t size() const override { return content_->size(); }
    std::optional<std::string_view> in_memory() const override
    {
        if (left_-- == 0) throw std::bad_alloc();
        return content_->in_memory();
    }
    std::unique_ptr<queue::ContentReader> open() const override { return content_->open(); }

private:
    queue::ContentPtr content_;
    mutable int left_;
};

class Local : public test::RunningHelper {
protected:
    void SetUp() override
    {
        RunningHelper::SetUp();
        mail::use_long_queue_ids(false);
        base::use_sink(
            base::function_sink([this](base::LogLevel, std::string_view, std::string line) { log += line + "\n"; }));
        const passwd* entry = ::getpwuid(uid);
        if (!entry) GTEST_SKIP() << "no account";
        user = entry->pw_name;
    }
    void TearDown() override
    {
        transports.reset();
        intake.reset();
        if (store) store->stop();
        store.reset();
        base::use_sink(base::stderr_sink());
        RunningHelper::TearDown();
    }
    void start(const std::string& aliases, const std::string& lines = "")
    {
        ASSERT_TRUE(::mkdir((folder + "/spool").c_str(), 0777) == 0);
        ASSERT_EQ(::chmod((folder + "/spool").c_str(), 01777), 0);
        // postalias takes the colon after a name away; a text table has none.
        std::string entries;
        for (std::size_t at = 0; at < aliases.size();) {
            std::size_t end = aliases.find('\n', at), colon = aliases.find(": ", at);
            entries += aliases.substr(at, colon - at) + " " + aliases.substr(colon + 2, end + 1 - colon - 2);
            at = end + 1;
        }
        std::ofstream(folder + "/aliases") << entries;
        std::ofstream(folder + "/main.cf")
            << "compatibility_level = 3.6\nmyhostname = mail.golden.test\nmydomain = golden.test\n"
               "mydestination = $myhostname, localhost, $mydomain\nmynetworks = 127.0.0.1/32\ninet_interfaces = 127.0.0.1\n"
               "recipient_delimiter = +\nforward_path = " +
                   home + "/.forward${recipient_delimiter}${extension}, " + home +
                   "/.forward\n"
                   "mail_spool_directory = " +
                   folder + "/spool\nqueue_directory = /\ndefault_privs = " + user +
                   "\n"
                   "alias_maps = texthash:" +
                   folder + "/aliases\n" + lines;
        std::ofstream(folder + "/master.cf")
            << "local unix - n n - - local\nerror unix - - n - - error\n"
               "pp unix - n n - - pipe flags=DRhu user=" +
                   user + " argv=/bin/sh -c ${nexthop} s=${sender} r=${recipient} u=${user} e=${extension}\n";
        config::LoadOptions options;
        options.directory = folder;
        options.checks = config::Checks::command;
        auto settings = config::Settings::load(options);
        queue::StoreOptions store_options;
        store_options.directory = folder + "/log";
        std::filesystem::create_directory(store_options.directory);
        store_options.segment_size = 1 << 20;
        auto opened = queue::open_store(store_options);
        ASSERT_TRUE(opened);
        store = std::move(*opened);
        intake = rewrite::Intake::make(settings, rewrite::Resolver::make(settings), *store);
        transports = Transports::make(settings, {dns, pool, intake, helper.get()});
    }
    // Delivers to `address`; the outcomes as they are logged, "*" before the one that settles.
    std::string deliver(const std::string& address, std::string_view transport = "local",
                        std::string next_hop = "golden.test", std::string_view content = "Subject: x\n\nhello\n")
    {
        rewrite::DraftOptions options;
        options.origin = {.client_name = "localhost",
                          .client_address = "127.0.0.1",
                          .helo_name = "client2.remote.test",
                          .protocol = "ESMTP",
                          .rewrite_context = "local"};
        auto draft = intake->open(std::move(options));
        draft.set_sender("sender@remote.test");
        draft.envelope().purpose = purpose;
        draft.add_recipient({.address = address, .notify = notify});
        draft.write(content);
        auto queued = run(draft.submit());
        EXPECT_TRUE(queued);
        auto loaded = run(store->load((*queued)->id));
        EXPECT_TRUE(loaded);
        Job job;
        job.envelope = loaded->envelope;
        job.content = memory_for ? std::make_shared<ScarceContent>(loaded->content, *memory_for) : loaded->content;
        job.transport = transport;
        job.next_hop = std::move(next_hop);
        job.recipients = {0};
        std::string text;
        last = run(transports->find(transport)->agent->deliver(std::move(job)));
        for (const Outcome& o : last) {
            constexpr std::string_view words[] = {"sent", "deferred", "bounced"};
            text += fmt::format("{}to=<{}>, dsn={}, status={} ({})\n", o.role == Outcome::Role::settles ? "*" : "",
                                mail::quote_address(o.recipient_address.empty() ? address : o.recipient_address),
                                o.status.code, words[static_cast<int>(o.kind)],
                                o.status.text.starts_with("forwarded as ") ? "forwarded" : o.status.text);
        }
        return text;
    }
    // What was forwarded: envelope of the newest message.
    queue::EnvelopePtr forwarded()
    {
        for (const Outcome& o : last) {
            if (!o.status.text.starts_with("forwarded as ")) continue;
            auto id = mail::parse_queue_id(o.status.text.substr(13));
            EXPECT_TRUE(id);
            return run(store->load(*id))->envelope;
        }
        auto none = std::make_shared<mail::Envelope>();
        none->recipients.resize(1);
        return none;
    }
    void forward_file(const std::string& name, const std::string& text, mode_t mode = 0644)
    {
        std::string path = home + "/" + name;
        { std::ofstream(path) << text; }
        ASSERT_EQ(::chmod(path.c_str(), mode), 0);
        if (::geteuid() == 0) ASSERT_EQ(::chown(path.c_str(), uid, gid), 0);
    }
    std::string mailbox() const { return test::read_text(folder + "/spool/" + user); }

    std::string user, log;
    std::uint8_t notify = mail::notify_default;
    std::optional<int> memory_for;
    mail::Purpose purpose = mail::Purpose::deliver;
    NoDns dns;
    net::BlockingPool pool{2};
    std::unique_ptr<queue::Store> store;
    std::shared_ptr<const rewrite::Intake> intake;
    std::shared_ptr<const Transports> transports;
    std::vector<Outcome> last;
};

TEST_F(Local, expands_aliases_of_a_list_with_an_owner_in_place)
{
    start("owner-outer: carol\nouter: inner, " + user + "\ninner: x@ok.test\n");
    EXPECT_EQ(deliver("outer@golden.test"), "*to=<outer@golden.test>, dsn=2.0.0, status=sent (forwarded)\n");
    // Not the inner alias, but what it stands for.
    ASSERT_EQ(forwarded()->recipients.size(), 2u);
    EXPECT_EQ(forwarded()->recipients[0].address, "x@ok.test");
    EXPECT_EQ(forwarded()->recipients[1].address, user + "@mail.golden.test");
    EXPECT_EQ(forwarded()->sender, "owner-outer@mail.golden.test");
}

TEST_F(Local, reports_an_expansion_once_to_who_asked)
{
    start("both: " + user + ", x@ok.test\n");
    notify = mail::notify_success | mail::notify_failure;
    deliver("both@golden.test");
    ASSERT_EQ(last.size(), 3u);
    for (const Outcome& o : last) {
        bool is_report = o.role == Outcome::Role::told;
        EXPECT_NE(is_report, o.is_reported_by_peer) << o.status.text;
        if (is_report) EXPECT_EQ(o.status.text + "/" + o.action, "alias expanded/expanded");
    }
    EXPECT_EQ(forwarded()->recipients[0].notify, mail::notify_failure);
    notify = mail::notify_success;
    deliver("both@golden.test");
    EXPECT_EQ(forwarded()->recipients[0].notify, mail::notify_never);
}

TEST_F(Local, returns_mail_for_a_file_that_cannot_be)
{
    start("gone: " + home + "/no/such/file\nfolder: " + home + "\n");
    EXPECT_EQ(deliver("gone@golden.test"),
              "*to=<gone@golden.test>, dsn=5.2.0, status=bounced (cannot append message to file " + home +
                  "/no/such/file: unable to create lock file " + home +
                  "/no/such/file.lock: No such file or directory)\n");
    EXPECT_EQ(deliver("folder@golden.test"),
              "*to=<folder@golden.test>, dsn=5.2.0, status=bounced (cannot append message to file " + home +
                  ": cannot open file: Is a directory)\n");
}

TEST_F(Local, follows_delivered_to_where_it_is_not_frozen)
{
    start("other: " + user + "\n", "frozen_delivered_to = no\n");
    deliver("other@golden.test");
    EXPECT_NE(mailbox().find("\nDelivered-To: " + user + "@mail.golden.test\n"), std::string::npos) << mailbox();
}

TEST_F(Local, chooses_commands_by_the_name_without_extension)
{
    start("", "mailbox_command_maps = inline:{{" + user + "=exit 75} {" + user +
                  "+x=exit 77}}\nmailbox_command = exit 67\n");
    EXPECT_NE(deliver(user + "+x@golden.test").find("dsn=4.3.0"), std::string::npos);
}

TEST_F(Local, follows_aliases_as_the_captures_show)
{
    start(
        "postmaster: root\nroot: " + user +
        "\n"
        "list: :include:" +
        folder +
        "/list.inc\n"
        "cmdfail: \"|echo oops; exit 1\"\ncmdtemp: \"|exit 75\"\ncmd550: \"|echo 5.7.1 go away; exit 69\"\ncmdmissing: \"|/no/such/cmd\"\n"
        "file: " +
        home + "/out\nrel: ./foo\nloop1: loop2\nloop2: loop1\nowner-ol: bob\nol: " + user +
        ", nosuch@golden.test\n"
        "remote: x@ok.test\nself: self\nerr: :nosuch:/x\ndevnull: /dev/null\nmany: " +
        user + ", nosuch, \"|exit 67\"\nlater: " + user + ", \"|exit 75\", x@ok.test\n");
    { std::ofstream(folder + "/list.inc") << "# comment\nuser1\nuser2@golden.test, alice\n"; }
    EXPECT_EQ(deliver("postmaster@golden.test"),
              "*to=<" + user + "@mail.golden.test>, dsn=2.0.0, status=sent (delivered to mailbox)\n");
    EXPECT_EQ(deliver("list@golden.test"), "*to=<list@golden.test>, dsn=2.0.0, status=sent (forwarded)\n");
    ASSERT_EQ(forwarded()->recipients.size(), 3u);
    EXPECT_EQ(forwarded()->recipients[0].address, "user1@mail.golden.test");
    EXPECT_EQ(forwarded()->recipients[0].original, "list@golden.test");
    EXPECT_EQ(
        deliver("cmdfail@golden.test"),
        "*to=<cmdfail@golden.test>, dsn=5.3.0, status=bounced (Command died with status 1: \"echo oops; exit 1\". Command output: oops )\n");
    EXPECT_EQ(deliver("cmdtemp@golden.test"),
              "*to=<cmdtemp@golden.test>, dsn=4.3.0, status=deferred (temporary failure)\n");
    EXPECT_EQ(deliver("cmd550@golden.test"), "*to=<cmd550@golden.test>, dsn=5.7.1, status=bounced (go away )\n");
    EXPECT_EQ(
        deliver("cmdmissing@golden.test"),
        "*to=<cmdmissing@golden.test>, dsn=4.3.0, status=deferred (temporary failure. Command output: local: fatal: execvp /no/such/cmd: No such file or directory )\n");
    EXPECT_EQ(deliver("file@golden.test"),
              "*to=<file@golden.test>, dsn=2.0.0, status=sent (delivered to file: " + home + "/out)\n");
    EXPECT_EQ(deliver("rel@golden.test"),
              "*to=<\"./foo\"@mail.golden.test>, dsn=5.1.1, status=bounced (unknown user: \"./foo\")\n");
    EXPECT_EQ(deliver("loop1@golden.test"),
              "*to=<loop2@mail.golden.test>, dsn=5.4.6, status=bounced (alias database loop for loop2)\n");
    EXPECT_EQ(deliver("ol@golden.test"), "*to=<ol@golden.test>, dsn=2.0.0, status=sent (forwarded)\n");
    EXPECT_EQ(forwarded()->sender, "owner-ol@mail.golden.test");
    EXPECT_EQ(forwarded()->recipients[0].original, "");
    EXPECT_EQ(deliver("remote@golden.test"), "*to=<remote@golden.test>, dsn=2.0.0, status=sent (forwarded)\n");
    EXPECT_EQ(deliver("self@golden.test"),
              "*to=<self@mail.golden.test>, dsn=5.1.1, status=bounced (unknown user: \"self\")\n");
    EXPECT_EQ(deliver("err@golden.test"),
              "*to=<\":nosuch:/x\"@mail.golden.test>, dsn=5.1.1, status=bounced (unknown user: \":nosuch:/x\")\n");
    EXPECT_EQ(deliver("devnull@golden.test"),
              "*to=<devnull@golden.test>, dsn=2.0.0, status=sent (delivered to file: /dev/null)\n");
    EXPECT_EQ(deliver("Nobody-Here@golden.test"),
              "*to=<Nobody-Here@golden.test>, dsn=5.1.1, status=bounced (unknown user: \"nobody-here\")\n");
    EXPECT_EQ(deliver("mailer-daemon@golden.test"),
              "*to=<mailer-daemon@golden.test>, dsn=2.0.0, status=sent (discarded)\n");
    EXPECT_TRUE(log.contains("required alias not found: mailer-daemon"));

    EXPECT_EQ(deliver("many@golden.test"),
              "to=<" + user +
                  "@mail.golden.test>, dsn=2.0.0, status=sent (delivered to mailbox)\n"
                  "*to=<nosuch@mail.golden.test>, dsn=5.1.1, status=bounced (unknown user: \"nosuch\")\n"
                  "to=<many@golden.test>, dsn=5.1.1, status=bounced (user unknown)\n");
    EXPECT_EQ(last[2].role, Outcome::Role::reported);
    EXPECT_EQ(deliver("later@golden.test"),
              "to=<" + user +
                  "@mail.golden.test>, dsn=2.0.0, status=sent (delivered to mailbox)\n"
                  "*to=<later@golden.test>, dsn=4.3.0, status=deferred (temporary failure)\n")
        << "nothing is forwarded that would be forwarded again";
    EXPECT_EQ(last[0].role, Outcome::Role::logged);
    std::string box = mailbox();
    EXPECT_TRUE(box.starts_with("From sender@remote.test  ")) << box;
    EXPECT_TRUE(box.contains(
        "\nReturn-Path: <sender@remote.test>\nX-Original-To: postmaster@golden.test\nDelivered-To: postmaster@golden.test\nReceived: "))
        << box;
}

TEST_F(Local, ends_with_the_error_of_a_member_when_the_others_have_ended)
{
    start("list: daemon, bin, " + user + "\n");
    int failures = 0;
    for (memory_for = 0; failures < 10; ++*memory_for) {
        ++failures;
        try {
            deliver("list@golden.test");
            break;
        } catch (const std::bad_alloc&) {
        }
    }
    EXPECT_EQ(last.size(), 3u);
    EXPECT_GE(failures, 3) << "each member looks at it";
    EXPECT_LT(failures, 10);
}

TEST_F(Local, gives_commands_their_environment)
{
    start("cmd: \"|(cat; env | sort) > " + home + "/out$EXTENSION\"\n");
    EXPECT_TRUE(deliver("cmd+ext@golden.test").contains("status=sent (delivered to command: (cat; env | sort) > "))
        << last[0].status.text;
    std::string out = test::read_text(home + "/outext");
    for (
        const char* line :
        {"\nCLIENT_ADDRESS=127.0.0.1\n", "\nCLIENT_HELO=client2.remote.test\n", "\nDOMAIN=golden.test\nEXTENSION=ext\n",
         "\nLOCAL=cmd+ext\nLOGNAME=cmd\n",
         "\nORIGINAL_RECIPIENT=cmd+ext@golden.test\nPATH=/usr/bin:/bin\nPWD=/\nRECIPIENT=cmd+ext@golden.test\nSENDER=sender@remote.test\n",
         "\nUSER=cmd\n"})
        EXPECT_TRUE(out.contains(line)) << line << out;
    EXPECT_FALSE(out.contains("HOME=")) << "an alias has no home";
}

TEST_F(Local, follows_forward_files)
{
    start("");
    std::string address = user + "@golden.test", full = user + "@mail.golden.test";
    forward_file(".forward", "\\" + user + ", \"|cat > " + home + "/out\", user2@golden.test\n");
    EXPECT_EQ(deliver(address), "to=<" + full +
                                    ">, dsn=2.0.0, status=sent (delivered to mailbox)\n"
                                    "to=<" +
                                    address + ">, dsn=2.0.0, status=sent (delivered to command: cat > " + home +
                                    "/out)\n"
                                    "*to=<" +
                                    address + ">, dsn=2.0.0, status=sent (forwarded)\n");
    EXPECT_EQ(forwarded()->recipients[0].address, "user2@golden.test");
    forward_file(".forward", user + "\n");
    EXPECT_EQ(deliver(address), "*to=<" + full + ">, dsn=2.0.0, status=sent (delivered to mailbox)\n");
    forward_file(".forward", "x@ok.test\n", 0666);
    EXPECT_EQ(deliver(address), "*to=<" + address + ">, dsn=2.0.0, status=sent (delivered to mailbox)\n");
    EXPECT_TRUE(log.contains("file " + home + "/.forward is world writable"));
    forward_file(".forward", "x@ok.test\n");
    EXPECT_EQ(deliver(address), "*to=<" + address + ">, dsn=2.0.0, status=sent (forwarded)\n");
    forward_file(".forward+y", "");
    EXPECT_EQ(deliver(user + "+y@golden.test"),
              "*to=<" + user + "+y@golden.test>, dsn=2.0.0, status=sent (delivered to mailbox)\n")
        << "empty: do not forward";
    forward_file(".forward", ":include:" + home + "/list\n");
    EXPECT_TRUE(deliver(address).contains("status=deferred (mail system configuration error)"))
        << "a list that is gone loses nobody";
    forward_file("list", "\"|cat\"\n");
    EXPECT_TRUE(deliver(address).contains("dsn=5.7.1, status=bounced (mail to command is restricted)"));
    EXPECT_EQ(deliver(address, "local", "golden.test",
                      "Delivered-To: " + full + "\nDelivered-To: " + address + "\nSubject: x\n\nhello\n"),
              "*to=<" + address + ">, dsn=5.4.6, status=bounced (mail forwarding loop for " + address + ")\n");
}

TEST_F(Local, hands_over_to_other_transports_and_catches_the_unknown)
{
    start("", "mailbox_transport_maps = inline:{{passed=error:5.7.0 not for you}}\nluser_relay = $local@other.host\n");
    EXPECT_EQ(deliver("passed@golden.test"), "*to=<passed@golden.test>, dsn=5.7.0, status=bounced (not for you)\n");
    EXPECT_EQ(last[0].log_name, "postfix/error");
    EXPECT_EQ(deliver("nosuch+ext@golden.test"), "*to=<nosuch+ext@golden.test>, dsn=2.0.0, status=sent (forwarded)\n");
    EXPECT_EQ(forwarded()->recipients[0].address, "nosuch+ext@other.host");
    EXPECT_EQ(
        deliver("User+Ext@P0.test", "pp", "printf '%s ' \"$0\" \"$@\"; cat | head -2 | tail -1; exit 75"),
        "*to=<User+Ext@P0.test>, dsn=4.3.0, status=deferred (temporary failure. Command output: s=sender@remote.test r=user+ext@p0.test u=user e=ext Delivered-To: User+Ext@P0.test )\n");
    EXPECT_EQ(deliver("a@p0.test", "pp", "exit 0"),
              "*to=<a@p0.test>, dsn=2.0.0, status=sent (delivered via pp service)\n");
}

TEST_F(Local, runs_the_mailbox_command)
{
    start("", "mailbox_command = /bin/cat - -x\n");
    EXPECT_TRUE(
        deliver(user + "@golden.test")
            .contains("dsn=5.3.0, status=bounced (Command died with status 1: \"/bin/cat - -x\". Command output: "))
        << last[0].status.text;
}

// sendmail -bv: every way is followed to where it would end, and nothing is there afterwards.
TEST_F(Local, says_what_it_would_do_and_does_nothing)
{
    start("list: " + user + ", far@ok.test\ncmd: \"|/bin/touch " + folder + "/touched\"\nfile: " + folder +
          "/afile\nforw: far@ok.test, near@ok.test\n");
    purpose = mail::Purpose::verify;
    const std::string mailbox = folder + "/spool/" + user;
    EXPECT_EQ(deliver(user + "@golden.test"),
              "*to=<" + user + "@golden.test>, dsn=2.0.0, status=sent (delivers to mailbox)\n");
    EXPECT_EQ(deliver("cmd@golden.test"),
              "*to=<cmd@golden.test>, dsn=2.0.0, status=sent (delivers to command: /bin/touch " + folder +
                  "/touched)\n");
    EXPECT_EQ(deliver("file@golden.test"),
              "*to=<file@golden.test>, dsn=2.0.0, status=sent (delivers to file: " + folder + "/afile)\n");
    const std::string both = deliver("forw@golden.test");
    for (const char* who : {"far@ok.test", "near@ok.test"})
        EXPECT_NE(both.find(fmt::format("to=<{0}>, dsn=2.0.0, status=sent (forwards to {0})\n", who)),
                  std::string::npos)
            << both;
    const std::string all = deliver("list@golden.test");
    EXPECT_NE(all.find("status=sent (delivers to mailbox)\n"), std::string::npos) << all;
    EXPECT_NE(all.find("to=<far@ok.test>, dsn=2.0.0, status=sent (forwards to far@ok.test)\n"), std::string::npos)
        << all;
    EXPECT_EQ(
        deliver("nobody-of-that-name@golden.test"),
        "*to=<nobody-of-that-name@golden.test>, dsn=5.1.1, status=bounced (unknown user: \"nobody-of-that-name\")\n");
    EXPECT_EQ(deliver("x@ok.test", "pp", "touch " + folder + "/piped"),
              "*to=<x@ok.test>, dsn=2.0.0, status=sent (delivers to command: /bin/sh)\n");

    // A .forward is read, since it decides where the mail would go.
    forward_file(".forward", "elsewhere@ok.test\n");
    EXPECT_EQ(deliver(user + "@golden.test"),
              "*to=<elsewhere@ok.test>, dsn=2.0.0, status=sent (forwards to elsewhere@ok.test)\n");
    for (const std::string& path : {mailbox, folder + "/touched", folder + "/afile", folder + "/piped"})
        EXPECT_FALSE(std::filesystem::exists(path)) << path;
    EXPECT_EQ(forwarded()->recipients[0].address, "") << "no new message";
}

}  // namespace
}  // namespace ekiden::deliver
