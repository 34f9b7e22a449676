// link: check
// Any bytes as what an access table answers: read without trouble, and carried out without a byte in a reply or a header
// that would make a line of its own. Answers that name restrictions are read only.
#include "check/access_actions.hpp"
#include "check/reply_text.hpp"
#include "check/rules.hpp"

#include "base/assert.hpp"
#include "base/log_sinks.hpp"

using namespace ekiden;
using check::ParsedAction;

namespace {

check::Facts client()
{
    check::Facts facts;
    facts.client_address = *net::parse_address("192.0.2.1");
    facts.has_sender = true;
    facts.sender = "a@example.org";
    facts.recipient = "b@example.net";
    return facts;
}

void carry_out(const std::string& value, check::Stage stage)
{
    static const check::Facts facts = client();
    static const check::Policy::Data data;
    check::Evaluation evaluation(data, facts, stage);
    asio::io_context context(1);
    bool is_done = false;
    asio::co_spawn(context, check::apply_action(evaluation, "hash:/x", "key", value, check::Subject::recipient),
                   [&](std::exception_ptr error, check::Step) {
                       EKIDEN_ASSERT(!error);
                       is_done = true;
                   });
    context.run();
    EKIDEN_ASSERT(is_done);
    const check::Verdict& verdict = evaluation.verdict;
    if (verdict.action == check::Verdict::Action::reject) {
        EKIDEN_ASSERT(verdict.reply.code >= 400 && verdict.reply.code < 600);
        const std::string said = smtp::format(verdict.reply);
        EKIDEN_ASSERT(said.ends_with("\r\n") && said.find('\n') == said.size() - 1 &&
                      said.find('\r') == said.size() - 2);
    }
    EKIDEN_ASSERT(verdict.prepend.size() + verdict.bcc.size() <= 1);
    for (const std::string& header : verdict.prepend)
        EKIDEN_ASSERT(header.find(':') != std::string::npos && header.front() != ':');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const bool is_quiet =
        (base::use_sink(base::function_sink([](base::LogLevel, std::string_view, std::string) {})), true);
    (void)is_quiet;
    const std::string value(reinterpret_cast<const char*>(data), size);
    const ParsedAction parsed = check::parse_access_action(value);
    EKIDEN_ASSERT(parsed.word.size() + parsed.text.size() <= value.size() && parsed.whole.size() <= value.size());
    if (parsed.kind == ParsedAction::Kind::reply) EKIDEN_ASSERT(parsed.number >= 400 && parsed.number < 600);
    if (const auto pattern = check::parse_reply_pattern(value)) {
        for (const auto& octet : pattern->octets) EKIDEN_ASSERT(!octet.empty());
    }
    (void)check::parse_certificate_table(value);
    (void)check::expand_text(value, [](std::string_view name) { return std::string(name); });
    if (parsed.kind == ParsedAction::Kind::restrictions) return 0;
    carry_out(value, check::Stage::rcpt);
    carry_out(value, check::Stage::end_of_data);
    return 0;
}
