#include "support.hpp"

namespace ekiden::table {
namespace {

using Lines = std::vector<std::string>;

TEST(texthash, found_absent_and_failed)
{
    TemporaryFolder folder;
    const auto path = folder.file(
        "t", "# comment\nKey1  value one \nkey2\tvalue\n  continued\nkey3 = x\n\nkey4\nkey1 dup\nuser@Dom.Test  v5\n");
    KeptLog log;
    EXPECT_EQ(ask("texthash:" + path, "KEY1"), "value one");
    EXPECT_EQ(log.lines(),
              (Lines{"warning: " + path + ", line 7: expected format: key whitespace value -- ignoring this line",
                     "warning: " + path + ", line 8: duplicate entry: \"key1\""}));
    EXPECT_EQ(ask("texthash:" + path, "key2"), "value  continued");
    EXPECT_EQ(ask("texthash:" + path, "user@dom.test"), "v5");
    EXPECT_EQ(ask("texthash:" + path, "nokey"), "(absent)");
    OpenOptions exact;
    exact.fold_keys = false;
    EXPECT_EQ(ask("texthash:" + path, "key1", exact), "dup");
    EXPECT_EQ(ask("texthash:/nonexistent/x", "key1"),
              "(not opened) open database /nonexistent/x: No such file or directory");
    EXPECT_EQ(ask("texthash:/usr", "key1"), "(not opened) read /usr: Is a directory");
    EXPECT_EQ(ask("cidr:/usr", "::1"), "(not opened) read /usr: Is a directory");
    EXPECT_EQ(ask("regexp:/usr", "x"), "(not opened) read /usr: Is a directory");
}

TEST(texthash, is_stale_once_the_file_changed)
{
    TemporaryFolder folder;
    const auto path = folder.file("t", "a 1\n");
    auto opened = open_table("texthash:" + path);
    ASSERT_TRUE(opened);
    EXPECT_FALSE((*opened)->is_stale());
    EXPECT_EQ(open_table("texthash:" + path)->get(), opened->get()) << "the same file is read once";
    folder.file("t", "a 1\nb 2\n");
    EXPECT_TRUE((*opened)->is_stale());
    EXPECT_EQ(ask("texthash:" + path, "b"), "2");
    std::filesystem::remove(path);
    EXPECT_TRUE((*opened)->is_stale());
}

TEST(source_lines, bounds_a_logical_line)
{
    TemporaryFolder folder;
    std::string text = "a 1\nb";
    for (int i = 0; i < 40; ++i) text += "\n " + std::string(32 * 1024, 'x');
    const auto path = folder.file("t", text);
    EXPECT_EQ(ask("texthash:" + path, "a"), "(not opened) " + path + ", line 2: line too long");
}

TEST(source_lines, leading_white_space_on_the_first_line)
{
    KeptLog log;
    TemporaryFolder folder;
    const auto path = folder.file("t", "  x y z long long long long long long long\nk v\n # c\n\n  w\n");
    EXPECT_EQ(ask("texthash:" + path, "k"), "v  w");
    EXPECT_EQ(log.lines(),
              Lines{"warning: " + path +
                    ": logical line must not start with whitespace: \"  x y z long long long long lo...\""});
}

const char* const cidr_text = R"(127/8 a
127.0.0.1/8 b
10.0.0.0/33 c
1.2.3.4/x d
[::1]/128 e
[::1/128 f
1.2.3.4 i
foo bar
1.2.3.9
if 1.2.3.0/24
1.2.3.5 inside
endif foo
if foo
endif
endif
if
if !9.9.9.0/24
10.1.0.0/16 ten
if 10.0.0.0/8
0.0.0.0/0 ten rest
endif
!192.0.2.0/24 other
)";

TEST(cidr, first_match_with_blocks_and_negation)
{
    KeptLog log;
    TemporaryFolder folder;
    const auto path = folder.file("c", cidr_text);
    const struct {
        const char* key;
        const char* want;
    } cases[] = {
        {"1.2.3.4", "i"},          {"::1", "e"},          {"::ffff:1.2.3.4", "i"},      {"1.2.3.5", "inside"},
        {"10.1.2.3", "ten"},       {"10.2.2.3", "ten rest"}, {"192.0.2.9", "(absent)"}, {"203.0.113.1", "other"},
        {"9.9.9.9", "(absent)"},   {"foo", "(absent)"},   {"", "(absent)"},             {"[::1]", "e"},
    };
    auto opened = open_table("cidr:" + path);
    ASSERT_TRUE(opened);
    EXPECT_TRUE((*opened)->has_patterns());
    for (const auto& c : cases) EXPECT_EQ(shown((*opened)->lookup(c.key)), c.want) << c.key;
    const std::string at = "warning: cidr map " + path + ", line ";
    EXPECT_EQ(
        log.lines(),
        (Lines{
            at + "1: bad network value in \"127/8\": skipping this rule",
            at +
                "2: non-null host address bits in \"127.0.0.1/8\", perhaps you should use \"127.0.0.0/8\" instead: skipping this rule",
            at + "3: bad mask length in \"10.0.0.0/33\": skipping this rule",
            at + "4: bad mask value in \"1.2.3.4/x\": skipping this rule",
            at + "6: missing ']' character after \"[::1/128\": skipping this rule",
            at + "8: bad address pattern: \"foo\": skipping this rule", at + "9: no lookup result: skipping this rule",
            at + "12: garbage after ENDIF: skipping this rule",
            at + "13: bad address pattern: \"foo\": skipping this rule",
            at + "15: ENDIF without IF: skipping this rule", at + "16: no address pattern: skipping this rule",
            at + "17: IF has no matching ENDIF"}));
    EXPECT_EQ(ask("cidr:/nonexistent/c", "::1"), "(not opened) open /nonexistent/c: No such file or directory");
}

TEST(cidr, a_negated_network_speaks_of_its_own_family_only)
{
    const std::string spec = "cidr:{ {!192.0.2.0/24 other} {!2001:db8::/32 other6} }";
    EXPECT_EQ(ask(spec, "198.51.100.1"), "other");
    EXPECT_EQ(ask(spec, "192.0.2.1"), "(absent)");
    EXPECT_EQ(ask(spec, "::1"), "other6");
    EXPECT_EQ(ask(spec, "2001:db8::1"), "(absent)");
}

TEST(cidr, bounds_nesting)
{
    TemporaryFolder folder;
    std::string text;
    for (int i = 0; i < 300; ++i) text += "if 0.0.0.0/0\n";
    const auto path = folder.file("c", text);
    EXPECT_EQ(ask("cidr:" + path, "1.1.1.1"), "(not opened) cidr map " + path + ", line 257: IF nesting is too deep");
}

TEST(patterns, answer_as_the_reference_does)
{
    const char* text = "/^a(b*)c$/ got:$1\n/x y/ spaces\n/slash\\/esc/ s\n|alt(.)|  alt$1\n/multi$/m m\n"
                       "if /^if/\n/in(side)/ in:$1\nif !/not/\n/foo/ nested\nendif\nendif\n"
                       "/^(.*)@(.*)$/ ${2}$(1)$$\n/CaSe/i case\n!/./ nothing\n! !/^double$/ twice\n";
    TemporaryFolder folder;
    const auto path = folder.file("r", text);
    const struct {
        const char* key;
        const char* want;
    } cases[] = {
        {"abbc", "got:bb"}, {"ABBC", "got:BB"}, {"ac", "got:"}, {"x y", "spaces"}, {"slash/esc", "s"},
        {"altq", "altq"},   {"line1\nmulti\nmore", "m"}, {"ifinside", "in:side"}, {"iffoo", "nested"},
        {"ifnotfoo", "(absent)"}, {"foo", "(absent)"}, {"u@h", "hu$"}, {"case", "(absent)"}, {"CaSe", "case"},
        {"", "nothing"}, {"double", "twice"}, {"other", "(absent)"},
    };
    for (const char* type : {"regexp:", "pcre:"}) {
        auto opened = open_table(type + path);
        ASSERT_TRUE(opened);
        EXPECT_TRUE((*opened)->has_patterns());
        for (const auto& c : cases) EXPECT_EQ(shown((*opened)->lookup(c.key)), c.want) << type << c.key;
    }
    EXPECT_EQ(ask("regexp:/nonexistent/r", "x"), "(not opened) open /nonexistent/r: No such file or directory");
    EXPECT_EQ(ask("pcre:/nonexistent/r", "x"), "(not opened) open /nonexistent/r: No such file or directory");
}

TEST(patterns, regexp_takes_a_second_pattern)
{
    TemporaryFolder folder;
    const auto path = folder.file("r", "/(.*)@(.*)/!/x/ $1-$2\n");
    EXPECT_EQ(ask("regexp:" + path, "a@b"), "a-b");
    EXPECT_EQ(ask("regexp:" + path, "a@x"), "(absent)");
}

TEST(patterns, warn_in_postfix_words)
{
    const struct {
        const char* type;
        const char* rule;
        Lines want;  // after "warning: "; "@" stands for "TYPE map FILE, line 1: "
    } cases[] = {
        {"regexp", "/A(.)/ $1x", {"@non-numeric replacement index \"1x\"", "@bad replacement syntax: skipping this rule"}},
        {"regexp", "/a/ $0", {"@out-of-range replacement index \"0\"", "@bad replacement syntax: skipping this rule"}},
        {"pcre", "/a/ $0", {"@out of range replacement index \"0\"", "@bad replacement syntax: skipping this rule"}},
        {"pcre", "!/(foo)/ $1", {"@$number found in negative match replacement text: skipping this rule"}},
        {"regexp", "/(a)/ $2", {"@out of range replacement index \"2\": skipping this rule"}},
        {"regexp", "/noend", {"@no closing regexp delimiter \"/\": skipping this rule"}},
        {"pcre", "/noend", {"@no closing regexp delimiter \"/\": ignoring this rule"}},
        {"regexp", "/bad(/ x", {"@Unmatched ( or \\("}},
        {"pcre", "/bad(/ x", {"@error in regex at offset 4: missing closing parenthesis"}},
        {"regexp", "/re/z x", {"@unknown regexp option \"z\": skipping this rule"}},
        {"pcre", "/onlypat/", {"@no replacement text: using empty string"}},
        {"regexp", "endif", {"@ignoring ENDIF without matching IF"}},
        {"regexp", "/x/ $(", {"truncated macro reference: \"$(\"", "@bad replacement syntax: skipping this rule"}},
        {"pcre", "/x/ ${1", {"truncated macro reference: \"${1\"", "@bad replacement syntax: skipping this rule"}},
        {"pcre", "/x/ $", {"empty macro name: \"$\"", "@bad replacement syntax: skipping this rule"}},
        {"pcre", "if", {"@no regexp: skipping this rule"}},
        {"pcre", "if /x/", {"@IF has no matching ENDIF"}},
        {"pcre", "foo bar", {"@ignoring unrecognized request"}},
    };
    for (const auto& c : cases) {
        TemporaryFolder folder;
        const auto path = folder.file("r", c.rule);
        KeptLog log;
        ASSERT_TRUE(open_table(std::string(c.type) + ":" + path));
        Lines want;
        for (std::string line : c.want) {
            if (line.starts_with('@')) line = std::string(c.type) + " map " + path + ", line 1: " + line.substr(1);
            want.push_back("warning: " + line);
        }
        EXPECT_EQ(log.lines(), want) << c.type << " " << c.rule;
    }
}

TEST(patterns, refuse_substitution_where_told)
{
    KeptLog log;
    TemporaryFolder folder;
    OpenOptions options;
    options.forbids_substitution = true;
    const auto path = folder.file("r", "/(a)/ $1\n/b/ plain\n");
    EXPECT_EQ(ask("pcre:" + path, "a", options), "(absent)");
    EXPECT_EQ(ask("pcre:" + path, "b", options), "plain");
}

TEST(patterns, endless_backtracking_and_endless_results_are_trouble)
{
    TemporaryFolder folder;
    const auto slow = folder.file("slow", "/^(a+)+\\1$/ x\n");
    const std::string answer = ask("pcre:" + slow, std::string(60, 'a') + "b");
    EXPECT_TRUE(answer == "(absent)" || answer.starts_with("(trouble) pcre map " + slow + ", line 1: ")) << answer;
    const auto slower = folder.file("slower", "/^(([ab])+.)+[0-9]([ab])+$/ x\n");
    EXPECT_TRUE(
        ask("pcre:" + slower, std::string(100, 'a')).starts_with("(trouble) pcre map " + slower + ", line 1: "));
    std::string references;
    for (int i = 0; i < 300; ++i) references += "$1";
    const auto large = folder.file("large", "/^(.*)$/ " + references + "\n");
    EXPECT_TRUE(ask("pcre:" + large, std::string(8000, 'a')).starts_with("(trouble) "));
    EXPECT_EQ(ask("pcre:" + large, "a"), std::string(300, 'a'));
}

}  // namespace
}  // namespace ekiden::table
