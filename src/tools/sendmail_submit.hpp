// Hands a message to postdrop, which runs as a child with the right to put it into the maildrop folder.
#pragma once

#include "base/fd.hpp"
#include "config/settings.hpp"
#include "mail/maildrop.hpp"
#include "tools/support.hpp"

#include <string>
#include <string_view>

namespace ekiden::tools {

class Submission {
public:
    // `config_directory` as -C gave it, or empty.
    static Result<Submission> start(const config::Settings& settings, const std::string& config_directory,
                                    const mail::Maildrop& header);
    Submission(Submission&& other) noexcept;
    Submission& operator=(Submission&& other) noexcept;
    ~Submission();    // not finished: postdrop keeps nothing

    const std::string& name() const { return name_; }     // the maildrop file's, shaped like a queue id
    Result<void> write(std::string_view content);
    Result<void> finish();                                // the message is on the disk when this returns without error

private:
    Submission() = default;
    Result<std::string> read_answer();
    Error end(Error error);       // the child's own words for what went wrong, if it has any
    void wait();

    Fd to_, from_;
    pid_t child_ = -1;
    std::string name_, answers_;
};

}  // namespace ekiden::tools
