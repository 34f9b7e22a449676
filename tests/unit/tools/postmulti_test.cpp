#include "tools/postmulti.hpp"

#include <gtest/gtest.h>

namespace {

using ekiden::tools::postmulti::Instance;
using ekiden::tools::postmulti::Refusal;
using ekiden::tools::postmulti::require_different;
using ekiden::tools::postmulti::Selection;

Instance make(std::string name, std::string group, std::string directory, bool is_primary = false)
{
    Instance instance;
    instance.name = std::move(name);
    instance.group = std::move(group);
    instance.queue_directory = directory + "/queue";
    instance.data_directory = directory + "/data";
    instance.directory = std::move(directory);
    instance.is_primary = is_primary;
    return instance;
}

TEST(Postmulti, selects_instances)
{
    const Instance primary = make("", "", "/etc/postfix", true), out = make("postfix-out", "mta", "/etc/postfix-out"),
                   nameless = make("", "", "/etc/third");
    struct {
        Selection selection;
        bool takes_primary, takes_out, takes_nameless;
    } const cases[] = {
        {{}, true, true, true},
        {{.is_all = true}, true, true, true},
        {{.name = "-"}, true, false, false},
        {{.name = "postfix-out"}, false, true, false},
        {{.name = "/etc/postfix-out"}, false, true, false},
        {{.name = "/etc/third"}, false, false, true},
        {{.name = ""}, false, false, false},   // nameless ones are not called that
        {{.name = "mta"}, false, false, false},
        {{.group = "mta"}, false, true, false},
        {{.group = ""}, false, false, false},
    };
    for (const auto& row : cases) {
        EXPECT_EQ(row.selection.matches(primary), row.takes_primary);
        EXPECT_EQ(row.selection.matches(out), row.takes_out);
        EXPECT_EQ(row.selection.matches(nameless), row.takes_nameless);
    }
}

TEST(Postmulti, two_instances_share_nothing_of_their_own)
{
    const Instance first = make("a", "mta", "/a");
    EXPECT_NO_THROW(require_different(make("b", "mta", "/b"), first));
    EXPECT_NO_THROW(require_different(make("", "", "/b"), make("", "", "/c")));
    const auto refusal = [&](const Instance& other) -> std::string {
        try {
            require_different(other, first);
        } catch (const Refusal& refused) {
            return refused.text;
        }
        return "";
    };
    EXPECT_EQ(refusal(make("a", "", "/b")),
              "instance /b, multi_instance_name=a conflicts with instance /a, multi_instance_name=a");
    EXPECT_EQ(refusal(make("b", "", "/a")),
              "instance /a, config_directory=/a conflicts with instance /a, config_directory=/a");
    Instance same_queue = make("b", "", "/b"), same_data = same_queue;
    same_queue.queue_directory = first.queue_directory;
    same_data.data_directory = first.data_directory;
    EXPECT_EQ(refusal(same_queue),
              "instance /b, queue_directory=/a/queue conflicts with instance /a, queue_directory=/a/queue");
    EXPECT_EQ(refusal(same_data),
              "instance /b, data_directory=/a/data conflicts with instance /a, data_directory=/a/data");
}

}  // namespace
