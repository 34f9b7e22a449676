#include "rewrite/edits.hpp"
#include "support/memory_store.hpp"
#include "support/run_task.hpp"

#include <gtest/gtest.h>

namespace ekiden::rewrite {
namespace {

using milter::Edit;
using milter::Edits;
using Kind = milter::Edit::Kind;

constexpr std::string_view own = "Received: by mail.example.test; now\n";

class StoredMessageTest : public testing::Test {
protected:
    StoredMessageTest()
    {
        config::LoadOptions options;
        options.read_main_cf = options.read_master_cf = options.is_strict = false;
        options.overrides = {{"myhostname", "mail.example.test"},
                             {"milter_header_checks", "inline:{ { X-Drop: x = IGNORE } }"}};
        const auto settings = config::Settings::load(options);
        data_ = std::make_shared<const Intake::Data>(settings, Resolver::make(settings), store_, nullptr);
        state_.emplace(data_, DraftOptions{.size_limit = 10'000});
        state_->envelope.sender = "a@remote.test";
        state_->envelope.recipients = {{.address = "b@example.test"}, {.address = "c@example.test"}};
    }

    // What the message is after the changes; nothing: they were refused.
    std::string changed(std::string_view content, std::vector<Edit> list, std::string body = {},
                        bool keeps_blanks = false)
    {
        queue::ContentWriter before, after;
        before.append(content);
        StoredMessage message(*state_, before);
        EXPECT_TRUE(test::run_task(load(message)));
        Edits edits{.list = std::move(list), .body = std::move(body), .keeps_blanks = keeps_blanks};
        EXPECT_TRUE(test::run_task(message.apply(std::move(edits))).proceeds());
        EXPECT_TRUE(test::run_task(store(message, after)));
        return test::detail::buffer_of(after);
    }
    static Task<void> apply(StoredMessage& message, Edits edits, bool& has_ended)
    {
        (void)co_await message.apply(std::move(edits));
        has_ended = true;
    }
    static Task<bool> load(StoredMessage& message) { co_return (co_await message.load()).has_value(); }
    static Task<bool> store(StoredMessage& message, queue::ContentWriter& out)
    {
        co_return (co_await message.store(out)).has_value();
    }

    test::MemoryStore store_;
    std::shared_ptr<const Intake::Data> data_;
    std::optional<Draft::State> state_;
};

Edit header(Kind kind, std::uint32_t index, std::string name, std::string value)
{
    return {.kind = kind, .index = index, .name = std::move(name), .value = std::move(value)};
}

TEST_F(StoredMessageTest, ChangesTheHeader)
{
    const struct {
        const char* label;
        std::vector<Edit> edits;
        std::string want; // between our Received field and the body
        std::string before = {};
    } rows[] = {
        {"added last", {header(Kind::add_header, 0, "X-N", "v")}, "A: 1\nB: 2\nA: 3\nX-N: v\n"},
        {"inserted in front of ours", {header(Kind::insert_header, 0, "X-N", "v")}, "A: 1\nB: 2\nA: 3\n", "X-N: v\n"},
        {"inserted behind ours", {header(Kind::insert_header, 1, "X-N", "v")}, "X-N: v\nA: 1\nB: 2\nA: 3\n"},
        {"inserted far behind", {header(Kind::insert_header, 1u << 31, "X-N", "v")}, "A: 1\nB: 2\nA: 3\nX-N: v\n"},
        {"changed", {header(Kind::change_header, 2, "a", "new")}, "A: 1\nB: 2\na: new\n"},
        {"changed, counted from zero", {header(Kind::change_header, 0, "A", "new")}, "A: new\nB: 2\nA: 3\n"},
        {"changed where there is none", {header(Kind::change_header, 3, "A", "new")}, "A: 1\nB: 2\nA: 3\nA: new\n"},
        {"removed", {header(Kind::change_header, 1, "A", "")}, "B: 2\nA: 3\n"},
        {"removed twice", {header(Kind::change_header, 1, "A", ""), header(Kind::change_header, 1, "A", "")}, "B: 2\n"},
        {"removed by a name that is none",
         {header(Kind::change_header, 1, "A ", ""), header(Kind::change_header, 1, "A: ", ""),
          header(Kind::change_header, 1, "", "")},
         "A: 1\nB: 2\nA: 3\n"},
        {"removed, in other letters",
         {header(Kind::add_header, 0, "X-N", "v"), header(Kind::change_header, 1, "X", ""),
          header(Kind::change_header, 1, "x-n", "")},
         "A: 1\nB: 2\nA: 3\n"},
        {"removed where there is none", {header(Kind::change_header, 1, "C", "")}, "A: 1\nB: 2\nA: 3\n"},
        {"ours is nobody's", {header(Kind::change_header, 1, "Received", "")}, "A: 1\nB: 2\nA: 3\n"},
        {"ours stays where it is",
         {header(Kind::insert_header, 0, "Received", "mine"), header(Kind::change_header, 1, "Received", "")},
         "A: 1\nB: 2\nA: 3\n"},
        {"folded",
         {header(Kind::add_header, 0, "X-N", "one\r\n two\nthree\r\n")},
         "A: 1\nB: 2\nA: 3\nX-N: one\n two\n\tthree\n"},
        {"no name",
         {header(Kind::add_header, 0, "X N", "v"), header(Kind::add_header, 0, "", "v"),
          header(Kind::add_header, 0, "X:", "v")},
         "A: 1\nB: 2\nA: 3\n"},
        {"checked", {header(Kind::add_header, 0, "X-Drop", "x")}, "A: 1\nB: 2\nA: 3\n"},
    };
    for (const auto& row : rows) {
        EXPECT_EQ(changed(std::string(own) + "A: 1\nB: 2\nA: 3\n\nbody\n", row.edits),
                  row.before + std::string(own) + row.want + "\nbody\n")
            << row.label;
    }
    EXPECT_EQ(changed(std::string(own) + "\n", {header(Kind::add_header, 0, "X-N", "v")}, {}, true),
              std::string(own) + "X-N:v\n\n");
}

// Each change may have to look at every field: others on that core have their turn in between.
TEST_F(StoredMessageTest, LetsOthersWorkWhileThereIsMuchToChange)
{
    queue::ContentWriter content;
    content.append(std::string(own) + "A: 1\n\nbody\n");
    StoredMessage message(*state_, content);
    ASSERT_TRUE(test::run_task(load(message)));
    Edits edits;
    for (int i = 0; i < 1000; ++i) edits.list.push_back(header(Kind::insert_header, 0, "X-N", "v"));
    bool has_ended = false, had_its_turn = false;
    asio::co_spawn(test::loop(), apply(message, std::move(edits), has_ended), asio::detached);
    asio::post(test::loop(), [&] { had_its_turn = !has_ended; });
    test::loop().run();
    EXPECT_TRUE(has_ended);
    EXPECT_TRUE(had_its_turn);
}

TEST_F(StoredMessageTest, ChangesTheBody)
{
    const struct {
        std::string content, body, want;
    } rows[] = {
        {"A: 1\n\nold\n", "new\r\nbody\r\n", "A: 1\n\nnew\nbody\n"},
        {"A: 1\n\nold\n", "", "A: 1\n\n"},
        {"A: 1\n", "new", "A: 1\n\nnew\n"},
        {"A: 1\n\nold\n", "a\rb\nc\r\r\n", "A: 1\n\na\rb\nc\r\n"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(changed(row.content, {{.kind = Kind::replace_body}}, row.body), row.want) << row.body;
}

TEST_F(StoredMessageTest, ChangesTheEnvelope)
{
    changed("A: 1\n\n",
            {{.kind = Kind::change_from, .value = "<new@remote.test>", .arguments = "RET=HDRS ENVID=x FOO=1"},
             {.kind = Kind::remove_recipient, .value = "<b@example.test>"},
             {.kind = Kind::remove_recipient, .value = "<C@EXAMPLE.test>"},
             {.kind = Kind::add_recipient, .value = "<d@example.test>", .arguments = "NOTIFY=NEVER"},
             {.kind = Kind::add_recipient, .value = ""},
             {.kind = Kind::add_recipient, .value = "<e\n@example.test>"}});
    const auto& envelope = state_->envelope;
    EXPECT_EQ(envelope.sender, "new@remote.test");
    EXPECT_EQ(envelope.dsn_return, mail::DsnReturn::headers);
    EXPECT_EQ(envelope.dsn_envid, "x");
    ASSERT_EQ(envelope.recipients.size(), 3u);
    EXPECT_EQ(envelope.recipients[0].address, "c@example.test");
    EXPECT_EQ(envelope.recipients[1].address, "d@example.test");
    EXPECT_EQ(envelope.recipients[1].notify, mail::notify_never);
    EXPECT_EQ(envelope.recipients[2].address.find('\n'), std::string::npos);
}

TEST_F(StoredMessageTest, ShowsMiltersAllButOurReceivedField)
{
    queue::ContentWriter content;
    content.append("X-Above: y\n" + std::string(own) + "Received: older\nA:\t1\n 2\n\nbody\n");
    StoredMessage message(*state_, content);
    ASSERT_TRUE(test::run_task(load(message)));
    std::string seen;
    for (std::size_t i = 0; i < message.field_count(); ++i) {
        const auto field = message.field(i);
        seen.append(field.name).append("=").append(field.value) += ';';
    }
    EXPECT_EQ(seen, "X-Above= y;Received= older;A=\t1\n 2;");
}

} // namespace
} // namespace ekiden::rewrite
