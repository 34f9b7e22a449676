// link: report
// Template files: an error with file and line, or templates whose headers are one line of ASCII each, since they become headers
// of a message.
#include "report/templates.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden::report;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    auto parsed = Templates::parse(text, "bounce.cf", Templates::standard());
    if (!parsed) {
        if (!parsed.error().text().contains("bounce.cf, line ")) std::abort();
        return 0;
    }
    for (const Template* words : {&parsed->failure, &parsed->delay, &parsed->success, &parsed->verify}) {
        for (const std::string* header : {&words->charset, &words->from, &words->subject, &words->postmaster_subject}) {
            for (char c : *header) {
                if (c == '\n' || c == '\r' || static_cast<unsigned char>(c) > 126) std::abort();
            }
        }
        if (words->text.size() > size + 4096) std::abort();
    }
    return 0;
}
