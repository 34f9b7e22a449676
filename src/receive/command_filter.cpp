// smtpd_command_filter: a table that says what to do instead of the command that was sent.
#include "receive/session.hpp"

#include "base/text.hpp"

namespace ekiden::receive {

// True: obey `replacement`, or the line itself where that is empty. False: the table does not answer, and the session
// ends.
Task<bool> Session::filter_command(std::string_view line, std::string& replacement)
{
    std::string_view wanted = line;
    while (!wanted.empty() && base::is_space(wanted.front())) wanted.remove_prefix(1);
    const table::Answer answer = co_await options_.command_filter.find(std::string(wanted), &log_);
    if (!answer) {
        const smtp::Reply reply(421, "4.3.0", options_.hostname + " Server local data error");
        note_trouble(trouble_data);
        log_.info("{}: reject: {} from {}: {}", queue_name(), where_, label_, smtp::one_line(reply));
        say(reply);
        co_return false;
    }
    if (!*answer) co_return true;
    replacement = **answer;
    // What was said in an AUTH command is nobody's business, whatever it becomes.
    const auto shown = [this](std::string_view text) {
        const bool is_open = !may_hear_secret_ || find_verb(smtp::parse_command(text).verb) + 1 < verb_count;
        return is_open ? base::printable(without_response(text).substr(0, 100)) : std::string("...");
    };
    log_.info("{}: replacing command \"{}\" with \"{}\"", label_, shown(line), shown(replacement));
    co_return true;
}

}  // namespace ekiden::receive
