// What the helper does for a user, seen from outside: a real helper process, a real folder.
#include "unit/deliver/helper/running_helper.hpp"

#include <algorithm>
#include <fcntl.h>
#include <set>
#include <sys/mman.h>
#include <sys/resource.h>
#include <vector>

namespace ekiden::deliver {
namespace {

using Kind = HelperRequest::Kind;
using Answer = HelperAnswer::Kind;

class Acts : public test::RunningHelper {
protected:
    std::vector<std::string> files_in(const std::string& path) const
    {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(path)) names.push_back(entry.path());
        return names;
    }
    HelperRequest mailbox(std::string path) const
    {
        HelperRequest r = request(Kind::mailbox, std::move(path));
        r.prefix = "From a@b  Sun Nov 22 05:37:40 2026\n";
        r.content = "Subject: x\n\nFrom here\nFro\nFrom\n>From\n.dot\n\nlast";
        r.suffix = "\n";
        r.quotes_from = true;
        r.checks_owner = true;
        r.locks = 7;
        r.lock_limit = 1;
        return r;
    }
    HelperRequest shell(std::string script) const
    {
        HelperRequest r = request(Kind::command, "x");
        r.arguments = {"/bin/sh", "-c", std::move(script)};
        r.environment = {{"PATH", "/usr/bin:/bin"}, {"USER", "u"}};
        r.time_limit = 20;
        return r;
    }
};

TEST_F(Acts, makes_a_maildir_and_leaves_nothing_half_done)
{
    HelperRequest r = request(Kind::maildir, home + "/a/Maildir/");
    r.prefix = "Return-Path: <>\n";
    r.content = "Subject: x\n\nFrom here\n";
    ASSERT_EQ(ask(r).kind, Answer::done);
    ASSERT_EQ(ask(r).kind, Answer::done);
    auto names = files_in(home + "/a/Maildir/new");
    ASSERT_EQ(names.size(), 2u);
    EXPECT_EQ(test::read_text(names[0]), "Return-Path: <>\nSubject: x\n\nFrom here\n");
    struct stat info{};
    ASSERT_EQ(::stat(names[0].c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600u);
    EXPECT_EQ(info.st_uid, uid);
    EXPECT_EQ(info.st_gid, gid);
    EXPECT_EQ(info.st_nlink, 1u);
    EXPECT_TRUE(files_in(home + "/a/Maildir/tmp").empty());
    EXPECT_TRUE(std::filesystem::is_directory(home + "/a/Maildir/cur"));
    EXPECT_TRUE(names[0].ends_with(".host"));

    r.size_limit = 10;
    HelperAnswer answer = ask(r);
    EXPECT_EQ(answer.os_error, EFBIG);
    EXPECT_EQ(answer.text, "error writing message: File too large");
    EXPECT_TRUE(files_in(home + "/a/Maildir/tmp").empty());
    EXPECT_EQ(files_in(home + "/a/Maildir/new").size(), 2u);
}

TEST_F(Acts, takes_large_messages_from_a_descriptor)
{
    std::string text;
    for (int i = 0; i < 40000; ++i) text += "From line " + std::to_string(i) + "\n";
    Fd file(::memfd_create("m", MFD_CLOEXEC));
    ASSERT_TRUE(base::write_all(file.get(), text));
    HelperRequest r = request(Kind::maildir, home + "/Maildir/");
    r.prefix = "P\n";
    ASSERT_EQ(ask(r, std::move(file)).kind, Answer::done);
    EXPECT_EQ(test::read_text(files_in(home + "/Maildir/new")[0]), "P\n" + text);
}

TEST_F(Acts, delivers_many_at_once_each_to_a_name_of_its_own)
{
    asio::io_context& context = ekiden::test::loop();
    int done = 0;
    for (int i = 0; i < 300; ++i) {
        HelperRequest r = request(Kind::maildir, home + (i % 2 ? "/A/" : "/B/"));
        r.content = std::string(30000, 'x');
        asio::co_spawn(context, helper->ask(std::move(r), Fd()), [&](std::exception_ptr, Result<HelperAnswer> answer) {
            done += answer && answer->kind == Answer::done;
        });
    }
    auto keep_running = asio::make_work_guard(context);
    while (done < 300 && context.run_one_for(std::chrono::seconds(60)) > 0) {}
    EXPECT_EQ(done, 300);
    EXPECT_EQ(files_in(home + "/A/new").size() + files_in(home + "/B/new").size(), 300u);
}

TEST_F(Acts, withholds_the_message_where_there_is_a_file_that_decides)
{
    HelperRequest r = request(Kind::maildir, home + "/W/");
    r.unless = {home + "/.forward+x", home + "/.forward"};
    EXPECT_EQ(ask(r).kind, Answer::done);
    std::ofstream(home + "/.forward") << "other\n";
    EXPECT_EQ(ask(r).kind, Answer::withheld);
    HelperRequest mailbox = request(Kind::mailbox, home + "/mbox");
    mailbox.unless = {home + "/.forward"};
    EXPECT_EQ(ask(mailbox).kind, Answer::withheld);
    EXPECT_FALSE(std::filesystem::exists(home + "/mbox"));
    // What is there and is no plain file is for the agent to judge as well.
    std::filesystem::remove(home + "/.forward");
    std::filesystem::create_directory(home + "/.forward");
    EXPECT_EQ(ask(r).kind, Answer::withheld);
    std::filesystem::remove(home + "/.forward");
    EXPECT_EQ(ask(r).kind, Answer::done);
    EXPECT_EQ(files_in(home + "/W/new").size(), 2u);
}

// Commands and mailboxes are forked off between Maildir deliveries whose syncs run in threads.
TEST_F(Acts, serves_all_kinds_at_a_time)
{
    asio::io_context& context = ekiden::test::loop();
    int done = 0, exited = 0, answered = 0;
    for (int i = 0; i < 120; ++i) {
        HelperRequest r =
            i % 10 == 3 ? shell("echo x")
                        : request(i % 10 == 7 ? Kind::mailbox : Kind::maildir, home + (i % 10 == 7 ? "/mbox" : "/K/"));
        if (i % 10 == 7) r.locks = 1;
        if (i % 10 != 3) r.content = "a line\n";
        asio::co_spawn(context, helper->ask(std::move(r), Fd()), [&](std::exception_ptr, Result<HelperAnswer> answer) {
            ++answered;
            done += answer && answer->kind == Answer::done;
            exited += answer && answer->kind == Answer::exited;
        });
    }
    auto keep_running = asio::make_work_guard(context);
    while (answered < 120 && context.run_one_for(std::chrono::seconds(60)) > 0) {}
    EXPECT_EQ(done, 108);
    EXPECT_EQ(exited, 12);
    EXPECT_EQ(files_in(home + "/K/new").size(), 96u);
    EXPECT_EQ(test::read_text(home + "/mbox").size(), 12u * 7);
}

// A worker that is killed with batches in flight takes nothing with it that was reported as delivered, and nobody waits for
// the rest, which the queue tries again.
TEST_F(Acts, reports_nothing_that_a_killed_worker_took_with_it)
{
    asio::io_context& context = ekiden::test::loop();
    constexpr int all = 400;
    std::set<int> delivered;
    int answered = 0, died = 0;
    for (int i = 0; i < all; ++i) {
        HelperRequest r = request(Kind::maildir, home + "/D/");
        r.content = "number " + std::to_string(i) + "\n";
        asio::co_spawn(context, helper->ask(std::move(r), Fd()),
                       [&, i](std::exception_ptr, Result<HelperAnswer> answer) {
                           ++answered;
                           if (answer && answer->kind == Answer::done)
                               delivered.insert(i);
                           else if (answer && answer->what == "worker died")
                               ++died;
                       });
        if (i == all / 2) {
            HelperRequest kill = shell("p=$(awk '{print $4}' /proc/$PPID/stat); kill -9 $p; echo killed");
            asio::co_spawn(context, helper->ask(std::move(kill), Fd()), asio::detached);
        }
    }
    auto keep_running = asio::make_work_guard(context);
    while (answered < all && context.run_one_for(std::chrono::seconds(60)) > 0) {}
    EXPECT_EQ(answered, all);
    EXPECT_GT(delivered.size(), 100u) << "before and after its death";
    EXPECT_EQ(delivered.size() + static_cast<std::size_t>(died), static_cast<std::size_t>(all));
    std::set<int> found;
    for (const std::string& name : files_in(home + "/D/new")) {
        std::string text = test::read_text(name);
        ASSERT_TRUE(text.starts_with("number ") && text.ends_with("\n")) << "a whole message or none: " << text;
        found.insert(std::stoi(text.substr(7)));
    }
    EXPECT_TRUE(std::ranges::includes(found, delivered));
}

TEST_F(Acts, appends_to_a_mailbox_with_from_lines_quoted)
{
    std::string path = home + "/mbox";
    const std::string once =
        "From a@b  Sun Nov 22 05:37:40 2026\nSubject: x\n\n>From here\nFro\nFrom\n>From\n.dot\n\nlast\n\n";
    ASSERT_EQ(ask(mailbox(path)).kind, Answer::done);
    ASSERT_EQ(ask(mailbox(path)).kind, Answer::done);
    EXPECT_EQ(test::read_text(path), once + once);
    EXPECT_FALSE(std::filesystem::exists(path + ".lock"));

    HelperRequest limited = mailbox(path);
    limited.size_limit = 2 * once.size() + 10;
    HelperAnswer answer = ask(limited);
    EXPECT_EQ(answer.os_error, EFBIG);
    EXPECT_EQ(answer.text, "error writing message: File too large");
    EXPECT_EQ(test::read_text(path), once + once) << "cut back to what it was";
    ASSERT_EQ(ask(mailbox(path)).kind, Answer::done) << "the limit was that delivery's own";
}

TEST_F(Acts, refuses_mailboxes_that_are_traps)
{
    std::string victim = home + "/victim";
    { std::ofstream(victim) << "precious\n"; }
    if (::geteuid() == 0) ASSERT_EQ(::chown(victim.c_str(), uid, gid), 0);
    ASSERT_EQ(::symlink(victim.c_str(), (home + "/link").c_str()), 0);
    EXPECT_EQ(ask(mailbox(home + "/link")).os_error, EACCES);
    ASSERT_EQ(::link(victim.c_str(), (home + "/second").c_str()), 0);
    EXPECT_EQ(ask(mailbox(home + "/second")).os_error, EMLINK);
    EXPECT_EQ(test::read_text(victim), "precious\n");
    EXPECT_NE(ask(mailbox(home)).kind, Answer::done) << "a folder";

    HelperRequest null = mailbox("/dev/null");
    null.checks_owner = false;
    EXPECT_EQ(ask(null).kind, Answer::done);
    if (::geteuid() != 0) GTEST_SKIP() << "what follows needs another user";
    std::string foreign = folder + "/foreign";
    { std::ofstream(foreign) << ""; }
    ASSERT_EQ(::chmod(foreign.c_str(), 0666), 0);
    HelperRequest r = mailbox(foreign);
    r.locks = 4;
    EXPECT_EQ(ask(r).text, "unable to create lock file " + foreign + ".lock: Permission denied");
    // Where no dotlock can be made, the kernel's locks have to do.
    EXPECT_EQ(ask(mailbox(foreign)).text, "destination " + foreign + " is not owned by recipient");
    r.locks = 1;
    EXPECT_EQ(ask(r).text, "destination " + foreign + " is not owned by recipient");
}

TEST_F(Acts, waits_for_locks_and_gives_up)
{
    std::string path = home + "/mbox";
    { std::ofstream(path + ".lock") << ""; }
    HelperAnswer answer = ask(mailbox(path));
    EXPECT_EQ(answer.what, "unable to create lock file");
    HelperRequest r = mailbox(path);
    r.stale_lock_limit = 0;
    ::timespec past[2] = {{1000, 0}, {1000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (path + ".lock").c_str(), past, 0), 0);
    if (::geteuid() == 0) ASSERT_EQ(::chown((path + ".lock").c_str(), uid, gid), 0);
    EXPECT_EQ(ask(r).kind, Answer::done) << "a lock whose maker died is taken away";
}

TEST_F(Acts, serves_a_spool_in_which_users_make_no_files)
{
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    std::string spool = folder + "/spool";
    ASSERT_EQ(::mkdir(spool.c_str(), 0755), 0);
    HelperRequest r = mailbox(spool + "/u");
    EXPECT_NE(ask(r).kind, Answer::done);
    r.is_in_spool = true;
    ASSERT_EQ(ask(r).kind, Answer::done);
    struct stat info{};
    ASSERT_EQ(::stat((spool + "/u").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, uid);
    EXPECT_EQ(info.st_mode & 07777, 0600u);

    // A trap laid under the user's name is not followed, and nothing is given away.
    ASSERT_EQ(::symlink((folder + "/passwd").c_str(), (spool + "/v").c_str()), 0);
    r.path = spool + "/v";
    EXPECT_NE(ask(r).kind, Answer::done);
    EXPECT_FALSE(std::filesystem::exists(folder + "/passwd"));

    // A spool for the mail group.
    std::string group = folder + "/group";
    ASSERT_EQ(::mkdir(group.c_str(), 0755), 0);
    ASSERT_EQ(::chown(group.c_str(), 0, 8), 0);
    ASSERT_EQ(::chmod(group.c_str(), 02775), 0);
    r.path = group + "/u";
    ASSERT_EQ(ask(r).kind, Answer::done);
    ASSERT_EQ(::stat((group + "/u").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, uid);
    EXPECT_EQ(info.st_gid, 8u);
    HelperRequest maildir = request(Kind::maildir, spool + "/m/");
    maildir.is_in_spool = true;
    EXPECT_EQ(ask(maildir).kind, Answer::done);
}

TEST_F(Acts, never_acts_as_root_for_users)
{
    if (::geteuid() != 0) {
        HelperRequest other = request(Kind::maildir, home + "/M/");
        other.uid = uid + 1;
        EXPECT_EQ(ask(other).os_error, EPERM) << "without root there is only ourselves";
        return;
    }
    for (Kind kind : {Kind::maildir, Kind::mailbox, Kind::command}) {
        HelperRequest r = request(kind, folder + "/as-root/");
        r.uid = 0;
        EXPECT_EQ(ask(r).what, "deliver as root");
        r.uid = uid;
        r.gid = 0;
        EXPECT_EQ(ask(r).what, "deliver as root");
    }
    // What root reads must be root's, reached without a link.
    { std::ofstream(folder + "/list") << "a, b\n"; }
    ASSERT_EQ(::chmod((folder + "/list").c_str(), 0600), 0);
    HelperRequest r = request(Kind::read_file, folder + "/list");
    EXPECT_EQ(ask(r).os_error, EACCES);
    r.uid = r.gid = 0;
    EXPECT_EQ(ask(r).text, "a, b\n");
    ASSERT_EQ(::symlink((folder + "/list").c_str(), (home + "/.forward").c_str()), 0);
    r.path = home + "/.forward";
    EXPECT_EQ(ask(r).os_error, ELOOP);
    ASSERT_EQ(::chown((folder + "/list").c_str(), uid, gid), 0);
    r.path = folder + "/list";
    EXPECT_EQ(ask(r).os_error, EACCES);
}

TEST_F(Acts, reads_files_in_pieces_with_their_owner)
{
    std::string text(100'000, 'a');
    { std::ofstream(home + "/.forward") << text; }
    ASSERT_EQ(::chmod((home + "/.forward").c_str(), 0646), 0);
    HelperRequest r = request(Kind::read_file, home + "/.forward");
    std::string whole;
    while (whole.size() < text.size()) {
        r.offset = whole.size();
        HelperAnswer answer = ask(r);
        ASSERT_EQ(answer.kind, Answer::done);
        ASSERT_FALSE(answer.text.empty());
        EXPECT_EQ(answer.size, text.size());
        EXPECT_EQ(answer.mode, 0646u);
        EXPECT_EQ(answer.uid, ::geteuid());
        whole += answer.text;
    }
    EXPECT_EQ(whole, text);
    r.path = home + "/nothing";
    EXPECT_EQ(ask(r).os_error, ENOENT);
    r.path = home;
    EXPECT_EQ(ask(r).what, "not a regular file");
    r.path = home + "/fifo";
    ASSERT_EQ(::mkfifo(r.path.c_str(), 0666), 0);
    EXPECT_EQ(ask(r).what, "not a regular file");
}

TEST_F(Acts, runs_commands_as_the_user_with_nothing_else)
{
    HelperRequest r = shell("cat > '" + home + "/out'; id -u >> '" + home + "/out'; id -G >> '" + home +
                            "/out'; env | sort >> '" + home + "/out'; ls /proc/self/fd | wc -l >> '" + home + "/out'");
    r.content = "Subject: x\n\n.hello\n";
    r.directory = "/";
    r.line_end = "\r\n";
    r.quotes_dots = true;
    HelperAnswer answer = ask(r);
    ASSERT_EQ(answer.kind, Answer::exited) << answer.text;
    EXPECT_EQ(answer.exit_status, 0);
    std::string out = test::read_text(home + "/out");
    std::string groups = ::geteuid() == 0 ? std::to_string(gid) + "\n"
                                          : out.substr(out.find('\n', out.find(std::to_string(uid) + "\n")) + 1, 0);
    EXPECT_TRUE(out.starts_with("Subject: x\r\n\r\n..hello\r\n" + std::to_string(uid) + "\n" + groups)) << out;
    EXPECT_TRUE(out.contains("PATH=/usr/bin:/bin\nPWD=/\nUSER=u\n")) << out;
    EXPECT_TRUE(out.ends_with("\n4\n")) << "descriptors 0 to 2, and the one of ls itself: " << out;
}

TEST_F(Acts, tells_how_commands_end)
{
    HelperRequest r = shell("echo oops; echo more >&2; exit 67");
    r.content = std::string(60000, 'x');   // never read: must not hold anything up
    HelperAnswer answer = ask(r);
    EXPECT_EQ(answer.exit_status, 67);
    EXPECT_EQ(answer.text, "oops\nmore\n");
    EXPECT_EQ(ask(shell("yes | head -c 100000; exit 1")).text.size(), 4096u);
    answer = ask(shell("kill -9 $$"));
    EXPECT_EQ(answer.kind, Answer::killed);
    EXPECT_EQ(answer.exit_status, 9);
    r = shell("");
    r.arguments = {"/no/such/cmd"};
    answer = ask(r);
    EXPECT_EQ(answer.what, "execvp");
    EXPECT_EQ(answer.text, "execvp /no/such/cmd: No such file or directory");
    r = shell("exit 0");
    r.directory = "/no/such";
    EXPECT_EQ(ask(r).what, "chdir");
    r = shell("sleep 60 & echo $!; wait");
    r.time_limit = 1;
    answer = ask(r);
    EXPECT_EQ(answer.kind, Answer::timed_out);
    // Something left in the background, holding the output open, is not waited for.
    r = shell("sleep 20 & exit 3");
    r.time_limit = 10;
    answer = ask(r);
    EXPECT_NE(answer.kind, Answer::timed_out);
    EXPECT_EQ(answer.exit_status, 3);
}

TEST_F(Acts, survives_the_death_of_a_worker_and_of_the_helper)
{
    HelperRequest r = request(Kind::maildir, home + "/M/");
    ASSERT_EQ(ask(r).kind, Answer::done);
    // The worker is the command's grandparent's parent: sh → act's process → worker.
    HelperAnswer answer = ask(shell("p=$(awk '{print $4}' /proc/$PPID/stat); kill -9 $p; echo killed"));
    EXPECT_TRUE(answer.text == "killed\n" || answer.what == "worker died");
    // It may meet the worker's last moment: then it is told so at once, and the next one is served.
    answer = ask(r);
    if (answer.what == "worker died") answer = ask(r);
    EXPECT_EQ(answer.kind, Answer::done) << "a new worker";

    HelperRequest big = request(Kind::maildir, home + "/M/");
    big.prefix = std::string(max_request, 'x');
    auto refused = run(helper->ask(big, Fd()));
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(ErrorCode::too_long));

    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    Helper lonely{Fd(ends[0])};
    ::close(ends[1]);
    EXPECT_FALSE(run(lonely.ask(r, Fd())));
}

// Reads requests as the helper would and answers them with "done".
void answer_all(int socket)
{
    std::string buffer(max_request, '\0');
    for (ssize_t n; (n = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0;) {
        auto request = decode_request(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
        ASSERT_TRUE(request);
        HelperAnswer answer;
        answer.number = request->number;
        answer.kind = HelperAnswer::Kind::done;
        std::string bytes = encode(answer);
        ASSERT_EQ(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
}

// The end of one helper fails what that one had, never what its successor has been given: it would be delivered twice.
TEST(helper_client, fails_only_what_the_lost_helper_had)
{
    auto pair = [](Fd& engine, Fd& helper) {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        engine = Fd(ends[0]);
        helper = Fd(ends[1]);
    };
    for (int round = 0; round < 200; ++round) {
        Fd first, second, first_far, second_far;
        pair(first, first_far);
        pair(second, second_far);
        Helper helper(std::move(first));
        asio::io_context context(1);
        int answered = 0, lost = 0, done = 0;
        auto count = [&](std::exception_ptr, Result<HelperAnswer> answer) {
            ++answered;
            lost += !answer;
            done += answer && answer->kind == HelperAnswer::Kind::done;
        };
        asio::co_spawn(context, helper.ask(HelperRequest(), Fd()), count);
        while (context.poll_one() > 0) {}
        std::string byte(1, '\0');
        ASSERT_GT(::recv(first_far.get(), byte.data(), 1, MSG_PEEK | MSG_TRUNC), 0);
        if (round % 2) first_far.reset();   // the reader learns of it while the new one comes
        helper.use(std::move(second));
        asio::co_spawn(context, helper.ask(HelperRequest(), Fd()), count);
        while (context.poll_one() > 0) {}
        answer_all(second_far.get());
        auto keep_running = asio::make_work_guard(context);
        while (answered < 2 && context.run_one_for(std::chrono::seconds(20)) > 0) {}
        ASSERT_EQ(lost, 1) << round;
        ASSERT_EQ(done, 1) << round;
    }
}

}  // namespace
}  // namespace ekiden::deliver
