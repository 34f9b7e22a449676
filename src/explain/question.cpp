#include "explain/question.hpp"

#include "base/option_words.hpp"
#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace ekiden::explain {

namespace {

constexpr std::size_t longest_word = 1000;    // an address has less; a command line of SMTP holds it

struct Option {
    std::string_view name;
    std::string Question::*text = nullptr;
    bool Question::*flag = nullptr;
};
constexpr Option options[] = {
    {"--from", &Question::sender},
    {"--to", &Question::recipient},
    {"--client", nullptr},
    {"--helo", &Question::helo},
    {"--sasl-user", &Question::login},
    {"--service", &Question::service},
    {"--message", &Question::message_file},
    {"-c", &Question::directory},
    {"--tls", nullptr, &Question::is_encrypted},
    {"--json", nullptr, &Question::is_json},
    {"--ask-policy", nullptr, &Question::asks_policy},
    {"--help", nullptr, &Question::wants_help},
    {"-h", nullptr, &Question::wants_help},
};

// "<a@b>" is what some people copy out of a log.
std::string bare_address(std::string text)
{
    if (text.size() >= 2 && text.starts_with('<') && text.ends_with('>')) return text.substr(1, text.size() - 2);
    return text;
}

}  // namespace

const char usage[] =
    "usage: ekiden explain --from SENDER --to RECIPIENT [--client IP] [--helo NAME] [--sasl-user LOGIN] [--tls]\n"
    "                      [--service NAME] [--message FILE] [--ask-policy] [--json] [-c config_dir]";

Result<Question> parse_question(const std::vector<std::string>& words)
{
    Question question;
    question.client = boost::asio::ip::address_v4::loopback();
    bool has_sender = false, has_recipient = false;
    std::set<std::string> given;
    for (base::OptionWords option(words); option.next();) {
        const std::string& name = option.name();
        const auto row = std::ranges::find(options, std::string_view(name), &Option::name);
        if (row == std::end(options)) return fail(ErrorCode::syntax, "there is no option " + base::printable(name));
        if (row->flag) {
            EKIDEN_TRY(option.expect_no_value());
            question.*row->flag = true;
            continue;
        }
        EKIDEN_TRY_VALUE(value, option.take_value());
        // Whoever names two recipients would take the answer about one for both.
        if (!given.insert(name).second)
            return fail(ErrorCode::syntax, name + " is given twice: one question, one message to one recipient");
        // They become commands of a dialogue: one line each.
        const bool has_control =
            std::ranges::any_of(value, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 127; });
        if (has_control || value.size() > longest_word)
            return fail(ErrorCode::syntax, name + ": too long, or not on one line");
        has_sender = has_sender || name == "--from";
        has_recipient = has_recipient || name == "--to";
        if (row->text) {
            question.*row->text = std::move(value);
            continue;
        }
        const auto address = net::parse_address(value);
        if (!address) return fail(ErrorCode::syntax, "--client wants an IP address: " + base::printable(value));
        question.client = *address;
    }
    if (question.wants_help) return question;
    if (!has_sender || !has_recipient)
        return fail(ErrorCode::syntax, "--from and --to are needed (--from '' is the null sender)");
    question.sender = bare_address(std::move(question.sender));
    question.recipient = bare_address(std::move(question.recipient));
    if (question.recipient.empty()) return fail(ErrorCode::syntax, "--to is empty");
    return question;
}

}  // namespace ekiden::explain
