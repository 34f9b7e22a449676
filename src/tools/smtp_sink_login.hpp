// smtp-sink's side of AUTH PLAIN and AUTH LOGIN (RFC 4954, 4616) for one known user, without I/O. Thread: one.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::tools {

// Who may log in; an empty name: nobody is asked.
struct SinkUser {
    std::string name, password;
    explicit operator bool() const { return !name.empty(); }
};

class SinkLogin {
public:
    // "PLAIN AHRl…"; the reply.
    std::string begin(const SinkUser& user, std::string_view argument);
    // The next line belongs here: call go_on(), not the command table.
    bool is_waiting() const { return step_ != Step::none; }
    std::string go_on(const SinkUser& user, std::string_view line);
    bool is_done() const { return is_done_; }
    void forget() { *this = SinkLogin(); }

private:
    enum class Step { none, plain, name, password };
    std::string verdict(bool is_right);

    Step step_ = Step::none;
    bool is_done_ = false;
    std::string name_;
};

}  // namespace ekiden::tools
