#include "tools/smtp_sink_login.hpp"

#include "base/text.hpp"
#include "sasl/base64.hpp"

#include <algorithm>
#include <utility>

namespace ekiden::tools {

std::string SinkLogin::begin(const SinkUser& user, std::string_view argument)
{
    if (is_done_) return "503 5.5.1 Error: already authenticated";
    const std::size_t space = std::min(argument.find(' '), argument.size());
    const std::string_view mechanism = argument.substr(0, space);
    const std::string_view initial = base::trim(argument.substr(space));
    const bool is_plain = base::equal_ignoring_case(mechanism, "PLAIN");
    if (!is_plain && !base::equal_ignoring_case(mechanism, "LOGIN"))
        return "504 5.5.4 Error: authentication mechanism not supported";

    step_ = is_plain ? Step::plain : Step::name;
    if (initial.empty()) return is_plain ? "334 " : "334 " + sasl::encode_base64("Username:");
    return go_on(user, initial == "=" ? std::string_view() : initial);  // "=" stands for an empty response
}

std::string SinkLogin::go_on(const SinkUser& user, std::string_view line)
{
    const Step step = std::exchange(step_, Step::none);
    if (line == "*") return "501 5.7.0 Authentication aborted";
    const auto text = sasl::decode_base64(line);
    if (!text) return "501 5.5.2 Error: malformed authentication response";

    if (step == Step::name) {
        name_ = text->view();
        step_ = Step::password;
        return "334 " + sasl::encode_base64("Password:");
    }
    if (step == Step::password) return verdict(name_ == user.name && text->view() == user.password);
    const auto parts = base::split(text->view(), '\0');  // as whom to act, name, password
    return verdict(parts.size() == 3 && parts[1] == user.name && parts[2] == user.password);
}

std::string SinkLogin::verdict(bool is_right)
{
    is_done_ = is_right;
    return is_right ? "235 2.7.0 Authentication successful" : "535 5.7.8 Error: authentication failed";
}

}  // namespace ekiden::tools
