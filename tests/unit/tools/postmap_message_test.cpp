#include "tools/postmap_message.hpp"

#include "base/text.hpp"

#include <gtest/gtest.h>

namespace ekiden::tools {
namespace {

const char* const message =
    "Subject: x\n continued\nContent-Type: multipart/mixed; boundary=\"b\"\n\npre\n--b\n"
    "Content-Type: text/plain\n\nbody1\n--b\nContent-Type: message/rfc822\n\nSubject: nested\n\n"
    "inner\n--b--\nepi";

std::string cut(MessageCutter::Options options)
{
    std::string seen;
    MessageCutter cutter(options, [&](const std::string& piece) { seen += "[" + piece + "]"; });
    for (std::string_view line : base::split(message, '\n')) cutter.line(line);
    cutter.finish();
    return seen;
}

TEST(message_cutter, cuts_as_the_reference_does)
{
    const std::string top = "[Subject: x\n continued][Content-Type: multipart/mixed; boundary=\"b\"]";
    EXPECT_EQ(cut({true, false, false}), top);
    EXPECT_EQ(cut({true, false, true}),
              top + "[Content-Type: text/plain][Content-Type: message/rfc822][Subject: nested]");
    EXPECT_EQ(cut({false, true, true}), "[][pre][--b][][body1][--b][][][inner][--b--][epi]");
    EXPECT_EQ(
        cut({false, true, false}),
        "[][pre][--b][Content-Type: text/plain][][body1][--b][Content-Type: message/rfc822][][Subject: nested][][inner][--b--][epi]");
}

}  // namespace
}  // namespace ekiden::tools
