#include "explain/capture_store.hpp"

#include <gtest/gtest.h>

namespace ekiden::explain {
namespace {

TEST(CaptureStore, RemembersAndKeepsNothing)
{
    CaptureStore store("/", 0);
    asio::io_context context;
    mail::Envelope envelope;
    envelope.sender = "a@b.test";
    queue::ContentWriter content = store.write_content();
    content.append("Subject: x\n\n");
    bool is_done = false;
    asio::co_spawn(context, store.commit(std::move(envelope), std::move(content)),
                   [&](std::exception_ptr error, Result<queue::EnvelopePtr> committed) {
                       ASSERT_FALSE(error);
                       ASSERT_TRUE(committed);
                       EXPECT_EQ((*committed)->size, 12u);
                       is_done = true;
                   });
    context.run();
    EXPECT_TRUE(is_done);
    EXPECT_EQ(store.size(), 0u);
    ASSERT_EQ(store.take().size(), 1u);
    EXPECT_TRUE(store.take().empty());
}

TEST(CaptureStore, KnowsWhenTheDiskIsTooFull)
{
    EXPECT_TRUE(CaptureStore("/", 0).has_space_for(1));
    EXPECT_FALSE(CaptureStore("/", UINT64_MAX).has_space_for(1));
    EXPECT_TRUE(CaptureStore("/no/such/folder", 1).has_space_for(1));
}

}  // namespace
}  // namespace ekiden::explain
