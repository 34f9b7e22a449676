#include "receive/complaint.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>

namespace ekiden::receive {

namespace {

struct ClassName {
    std::string_view word;
    TroubleClass bit;
};
// Room for a session that carries a message. One that says nothing but the greeting does without.
constexpr std::size_t usual_transcript = 480;

constexpr std::array class_names{
    ClassName{"bounce", trouble_bounce},     ClassName{"policy", trouble_policy},
    ClassName{"protocol", trouble_protocol}, ClassName{"resource", trouble_resource},
    ClassName{"software", trouble_software}, ClassName{"data", trouble_data},
};

}  // namespace

std::uint8_t trouble_classes(const std::vector<std::string>& words)
{
    std::uint8_t classes = 0;
    for (const auto& word : words) {
        const auto row = std::ranges::find_if(
            class_names, [&](const ClassName& name) { return base::equal_ignoring_case(name.word, word); });
        if (row != class_names.end()) classes |= row->bit;
    }
    return classes;
}

TroubleClass trouble_of(check::Verdict::Fault fault)
{
    using Fault = check::Verdict::Fault;
    switch (fault) {
    case Fault::policy: return trouble_policy;
    case Fault::bounce: return trouble_bounce;
    case Fault::data: return trouble_data;
    case Fault::software: return trouble_software;
    case Fault::resource: return trouble_resource;
    }
    return trouble_policy;
}

void Transcript::said(std::string_view reply)
{
    while (!reply.empty()) {
        const std::size_t end = std::min(reply.find("\r\n"), reply.size());
        add("Out: ", reply.substr(0, end));
        reply.remove_prefix(std::min(end + 2, reply.size()));
    }
}

void Transcript::add(std::string_view who, std::string_view line)
{
    if (text_.size() > max_transcript) return;
    if (lines_ == 1) text_.reserve(usual_transcript);
    text_ += who;
    line = line.substr(0, 1000);
    if (std::ranges::all_of(line, base::is_print)) text_ += line;
    else text_ += base::printable(line);
    text_ += '\n';
    ++lines_;
    if (text_.size() > max_transcript) text_ += "(the rest is left out)\n";
}

void Transcript::clear()
{
    text_.clear();
    lines_ = 0;
}

}  // namespace ekiden::receive
