#include "tools/sendmail_input.hpp"
#include "tools/sendmail_options.hpp"

#include <gtest/gtest.h>

namespace ekiden::tools {
namespace {

std::string filter(InputFilter rules, std::string_view input, std::size_t step)
{
    std::string out;
    for (std::size_t at = 0; at < input.size(); at += step) rules.feed(input.substr(at, step), out);
    rules.finish(out);
    return out;
}

TEST(SendmailInput, becomes_content_however_it_is_cut)
{
    struct Case {
        std::string_view input, want;
        bool dot_ends = true;
        LineEnds line_ends = LineEnds::always;
    };
    using namespace std::literals;
    const std::string long_line(5000, 'x');
    const std::string long_input = "From " + long_line + "\n" + long_line + "\r\n", long_want = long_line + "\n";
    const Case cases[] = {
        {"", ""},
        {"a\n", "a\n"},
        {"a", "a\n"},
        {"a\n.\nb\n", "a\n"},
        {"a\n.\nb\n", "a\n.\nb\n", false},
        {".\n", ""},
        {".lead\n..two\n", ".lead\n..two\n"},
        {"a\n.", "a\n"},
        {"a\r\n.\r\nb\r\n", "a\n"},
        {"a\r\n.\r\nb\r\n", "a\n.\nb\n", false},
        {"a\r\r\nb\rc\nd\r", "a\nb\rc\nd\r\n"},
        {"a\r\nb\r\n", "a\nb\n", true, LineEnds::strict},
        {"a\nb\r\n.\r\n", "a\nb\r\n.\r\n", true, LineEnds::strict},
        {"a\r\n", "a\r\n", true, LineEnds::never},
        {"nul\0here\n"sv, "nul\0here\n"sv},
        {"From bob\n>From x\nFrom y\nA: b\n\nFrom z\n", "A: b\n\nFrom z\n"},
        {"\nFrom bob\n", "\nFrom bob\n"},
        {">From\nFrom\n", ">From\nFrom\n"},
        {"From: a\n", "From: a\n"},
        {long_input, long_want},
    };
    for (const Case& row : cases) {
        for (const std::size_t step : {1, 2, 3, 7, 16, 17, 4096, 100000}) {
            EXPECT_EQ(filter(InputFilter(row.line_ends, row.dot_ends), row.input, step), row.want)
                << row.input.substr(0, 60) << " in steps of " << step;
        }
    }
}

TEST(SendmailInput, stops_reading_at_the_dot)
{
    InputFilter rules(LineEnds::always, true);
    std::string out;
    rules.feed("a\n.\n", out);
    EXPECT_TRUE(rules.has_ended());
    rules.feed("b\n", out);
    rules.finish(out);
    EXPECT_EQ(out, "a\n");
}

TEST(SendmailInput, finds_recipients_in_the_header)
{
    using List = std::vector<std::string>;
    struct Case {
        std::string_view header;
        List want;
    };
    const Case cases[] = {
        {"To: a, B C <b>\nCc: c@x.test (x)\nbCC: d\nSubject: To: e\n\nTo: f\n", {"a", "b", "c@x.test", "d"}},
        {"To: grp: a, b;, \"q, n\" <c>\n", {"a", "b", "c"}},
        {"To: undisclosed-recipients:;\n\n", {}},
        {"To: a\n\tcontinued, b\n\n", {"a", "continued", "b"}},
        {"To : a\n\n", {"a"}},
        {"To: a\nResent-To: b\nResent-Bcc: c\n\n", {"b", "c"}},
        {"To: a\nResent-From: x\n\n", {}},
        {"To: a\nnot a field\nTo: b\n", {"a"}},
        {"\nTo: a\n", {}},
        {"Apparently-To: a\nFrom: b\n\n", {}},
    };
    for (const Case& row : cases) EXPECT_EQ(header_recipients(row.header), row.want) << row.header;
}

SendmailOptions parse(std::vector<std::string> words, const std::string& name = "sendmail")
{
    words.insert(words.begin(), name);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const Voice voice(name, 75);
    return parse_sendmail_options(voice, "", static_cast<int>(words.size()), argv.data());
}

TEST(SendmailOptions, say_what_is_to_be_done)
{
    using Mode = SendmailOptions::Mode;
    EXPECT_EQ(parse({"a"}).mode, Mode::enqueue);
    EXPECT_EQ(parse({}, "mailq").mode, Mode::list_queue);
    EXPECT_EQ(parse({"-q"}, "mailq").mode, Mode::flush);
    EXPECT_EQ(parse({}, "newaliases").mode, Mode::make_aliases);
    EXPECT_EQ(parse({"-q30m"}).mode, Mode::ignore);
    EXPECT_EQ(parse({"-bd", "-q30m"}).mode, Mode::daemon);
    EXPECT_EQ(parse({"-bl"}).mode, Mode::daemon);
    EXPECT_EQ(parse({"-q", "-bp"}).mode, Mode::list_queue);
    EXPECT_EQ(parse({"-qIABC"}).flush_id, "ABC");
    EXPECT_EQ(parse({"-qRx.test"}).flush_site, "x.test");
    EXPECT_EQ(parse({"-oA/a", "-oAhash:/b", "-bi"}).aliases, (std::vector<std::string>{"/a", "hash:/b"}));
    EXPECT_TRUE(parse({"-oi", "a"}).dots_are_content);
    EXPECT_TRUE(parse({"-ti"}).reads_recipients);
    EXPECT_TRUE(parse({"-G", "a"}).is_gateway);
    EXPECT_EQ(parse({"-N", "success,Delay", "a"}).notify, mail::notify_success | mail::notify_delay);
    EXPECT_EQ(parse({"-R", "HDRS", "a"}).dsn_return, mail::DsnReturn::headers);
    EXPECT_EQ(parse({"-o8", "a"}).body, mail::BodyType::eight_bit);
    EXPECT_EQ(*parse({"-f", "", "a"}).sender, "");
    EXPECT_EQ(parse({"-bv", "a"}).mode, Mode::verify);
    EXPECT_EQ(parse({"-v", "a"}).verbosity, 1);
    EXPECT_FALSE(parse({"a"}).verp_delimiters);
    EXPECT_EQ(*parse({"-XV", "a"}).verp_delimiters, "");
    EXPECT_EQ(*parse({"-XV-=", "a"}).verp_delimiters, "-=");
    // The old spelling, where it can be no ENVID.
    EXPECT_EQ(*parse({"-V+=", "-f", "b", "a"}).verp_delimiters, "+=");
    EXPECT_EQ(*parse({"-V", "-f", "b", "a"}).verp_delimiters, "");
    EXPECT_EQ(*parse({"-V", "-f", "b", "a"}).sender, "b");
    EXPECT_EQ(parse({"-V", "id", "a"}).envid, "id");
    EXPECT_FALSE(parse({"-V", "id", "a"}).verp_delimiters);
    // What follows the first recipient is a recipient, whatever it looks like.
    EXPECT_EQ(parse({"-A", "m", "-h5", "-L", "tag", "-G", "-U", "-m", "-x", "-e", "m", "-p", "SMTP", "-O", "x=y", "a",
                     "--", "-f"})
                  .recipients,
              (std::vector<std::string>{"a", "--", "-f"}));
    EXPECT_EQ(parse({"-i", "--", "-dash"}).recipients, (std::vector<std::string>{"-dash"}));
}

TEST(SendmailOptions, ignore_bad_wishes_with_a_warning)
{
    struct Case {
        std::vector<std::string> words;
        std::string_view want;
    };
    const Case cases[] = {
        {{"-N", "bogus", "a"}, "sendmail: warning: unknown DSN NOTIFY command value \"bogus\" in \"bogus\"\nsendmail: warning: bad -N option value -- ignored\n"},
        {{"-N", "success,never", "a"}, "sendmail: warning: bad -N option value -- ignored\n"},
        {{"-N", "", "a"}, "sendmail: warning: bad -N option value -- ignored\n"},
        {{"-R", "bogus", "a"}, "sendmail: warning: bad -R option value -- ignored\n"},
        {{"-V", "", "a"}, "sendmail: warning: bad syntax in -V option value -- ignored\n"},
    };
    for (const Case& row : cases) {
        testing::internal::CaptureStderr();
        const SendmailOptions options = parse(row.words);
        EXPECT_EQ(testing::internal::GetCapturedStderr(), row.want);
        EXPECT_EQ(options.notify, mail::notify_default);
        EXPECT_TRUE(options.envid.empty());
    }
}

TEST(SendmailOptionsDeath, refuse_with_75)
{
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    struct Case {
        std::vector<std::string> words;
        const char* want;
    };
    const Case cases[] = {
        {{"-bz"}, "fatal: unsupported: -bz"},
        {{"-X", "/x", "a"}, "fatal: unsupported: -X/"},
        {{"-n", "a"}, "fatal: -n option not supported"},
        {{"-B", "bogus", "a"}, "fatal: -B option needs 8BITMIME or 7BIT"},
        {{"-qfoo"}, "fatal: -qf is not implemented"},
        {{"-qI"}, "fatal: specify: -qIqueueid"},
        {{"-bp", "x"}, "fatal: display queue mode requires no recipient"},
        {{"-q", "x"}, "fatal: flush queue mode requires no recipient"},
        {{"-t", "-bv"}, "fatal: -t option cannot be used with -bv"},
        {{"-t", "-bs"}, "fatal: -t can be used only in delivery mode"},
        {{"-Xv", "a"}, "fatal: unsupported: -Xv"},
        {{"-XV%%", "a"}, "fatal: -V requires two characters from -=\\+"},
        {{"-XV+==", "a"}, "fatal: -V requires two characters from -=\\+"},
    };
    for (const Case& row : cases) EXPECT_EXIT(parse(row.words), testing::ExitedWithCode(75), row.want);
}

}  // namespace
}  // namespace ekiden::tools
