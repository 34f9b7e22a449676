// How a decision is said to the client and to the log. The only room that writes "reject: RCPT from …" lines, so that
// log parsers see one form.
#pragma once

#include "check/restriction.hpp"

#include <functional>

namespace ekiden::check {

std::string_view class_of(Subject subject);                                  // "Client host"
std::string name_of(const Facts& facts, Subject subject);                    // "client.example[192.0.2.1]"
std::string_view verb_of(const Evaluation& evaluation);                      // "RCPT"

// The enhanced code as it may be said about `subject` with `code`: the class digit follows the code (access(5), ENHANCED
// STATUS CODES).
std::string fit_enhanced(const Logger& logger, std::string_view enhanced, Subject subject, int code);
// "<name>: Recipient address rejected: text" with the enhanced code fitted to the subject (access(5), ENHANCED STATUS
// CODES: recipient codes become sender codes and the other way round; elsewhere x.1.y becomes x.0.0).
Refusal rejected(const Evaluation& evaluation, Subject subject, int code, std::string_view enhanced,
                 std::string_view text, Fault fault = Fault::policy);
// "451 4.3.0 <name>: Temporary lookup failure"
Refusal lookup_failure(const Evaluation& evaluation, Subject subject);
// "451 4.3.5 Server configuration error"
Refusal configuration_error();

// Refuses: logs and fills the verdict. With warn_if_reject the line says reject_warning and the answer is dunno, except
// for faults of ours, which cannot be turned into warnings. A pending DEFER_IF_REJECT takes the place of a 5xx.
Step refuse(Evaluation& evaluation, Refusal refusal);
// Remembers a refusal that is due if everything else permits (or, the other one, rejects). warn_if_reject turns only the
// first into a warning, as in Postfix.
Step defer_if_permit(Evaluation& evaluation, Refusal refusal);
Step defer_if_reject(Evaluation& evaluation, Refusal refusal);

// smtpd_log_access_permit_actions: "action=OK for Recipient address=x@y from hash:/z".
Task<void> log_permit(const Evaluation& evaluation, std::string_view action, Subject subject,
                      std::string_view table = {});

// An address could not be resolved. Tables have told the log about their own trouble; the rest is told here.
void warn_of_trouble(const Evaluation& evaluation, const Error& error);

// "NOQUEUE: hold: RCPT from name[addr]: text; from=<…> to=<…> proto=ESMTP helo=<…>"
void log_event(const Evaluation& evaluation, std::string_view what, std::string_view text);

// What a template for replies may name of a session: "client_address", "sender_domain" … The recipient is the one that is
// being asked about, or else the first of the message. Nothing for a name that is none.
std::optional<std::string> session_attribute(const Facts& facts, std::string_view name);

// $name, ${name}, ${name?text}, ${name:text}, ${name?{a}:{b}} with values from `find`; unknown names are empty.
std::string expand_text(std::string_view pattern, const std::function<std::string(std::string_view)>& find,
                        int depth = 0);
// "4.7.1 text" → {"4.7.1", "text"}; without a code, {fallback, text}.
std::pair<std::string, std::string> split_enhanced(std::string_view text, std::string_view fallback);

}  // namespace ekiden::check
