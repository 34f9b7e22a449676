#include "verify/cache.hpp"

#include <gtest/gtest.h>

namespace ekiden::verify {
namespace {

using namespace std::chrono_literals;

const WallTime start{std::chrono::sys_seconds(1'800'000'000s)};

Answer answer(Standing standing, WallTime at, std::string text = "text") { return {standing, at, std::move(text)}; }

TEST(VerifyCache, asks_once_and_remembers)
{
    Cache cache;
    EXPECT_TRUE(cache.find("a@x", start).is_due);
    ASSERT_TRUE(cache.begin_probe("a@x", start));
    const auto waiting = cache.find("a@x", start + 1s);
    EXPECT_FALSE(waiting.answer);
    EXPECT_TRUE(waiting.is_pending);
    EXPECT_FALSE(waiting.is_due);
    EXPECT_TRUE(cache.learn("a@x", answer(Standing::deliverable, start + 2s), start + 2s));
    const auto known = cache.find("a@x", start + 3s);
    ASSERT_TRUE(known.answer);
    EXPECT_EQ(known.answer->standing, Standing::deliverable);
    EXPECT_FALSE(known.is_due);
    EXPECT_EQ(cache.pending(), 0u);
}

TEST(VerifyCache, renews_before_it_forgets)
{
    struct Row {
        Standing standing;
        std::chrono::seconds age;
        bool is_known, is_due;
    };
    const Row rows[] = {
        {Standing::deliverable, 6 * 24h, true, false},   {Standing::deliverable, 7 * 24h, true, true},
        {Standing::deliverable, 31 * 24h, false, true},  {Standing::undeliverable, 2h, true, false},
        {Standing::undeliverable, 3h, true, true},       {Standing::deferred, 3 * 24h - 1s, true, true},
        {Standing::deferred, 3 * 24h, false, true},
    };
    for (const Row& row : rows) {
        Cache cache;
        cache.put("a@x", answer(row.standing, start));
        const auto found = cache.find("a@x", start + row.age);
        EXPECT_EQ(found.answer.has_value(), row.is_known) << row.age.count();
        EXPECT_EQ(found.is_due, row.is_due) << row.age.count();
    }
}

TEST(VerifyCache, a_failed_probe_does_not_take_back_a_good_answer_until_that_expires)
{
    Cache cache;
    cache.put("a@x", answer(Standing::deliverable, start));
    const WallTime later = start + 8 * 24h;
    ASSERT_TRUE(cache.begin_probe("a@x", later));
    EXPECT_FALSE(cache.learn("a@x", answer(Standing::deferred, later), later));
    const auto found = cache.find("a@x", later);
    ASSERT_TRUE(found.answer);
    EXPECT_EQ(found.answer->standing, Standing::deliverable);
    EXPECT_FALSE(found.is_due) << "not again at once";
    EXPECT_TRUE(cache.find("a@x", later + Cache::probe_time).is_due);

    const WallTime expired = start + 40 * 24h;
    EXPECT_TRUE(cache.learn("a@x", answer(Standing::undeliverable, expired), expired));
    EXPECT_EQ(cache.find("a@x", expired).answer->standing, Standing::undeliverable);
}

TEST(VerifyCache, a_lost_probe_is_asked_anew)
{
    Cache cache;
    ASSERT_TRUE(cache.begin_probe("a@x", start));
    EXPECT_TRUE(cache.find("a@x", start + Cache::probe_time - 1s).is_pending);
    EXPECT_TRUE(cache.find("a@x", start + Cache::probe_time).is_due);
    EXPECT_EQ(cache.pending(), 0u);
}

TEST(VerifyCache, probes_under_way_are_limited)
{
    Cache cache;
    CachePolicy policy;
    policy.pending_limit = 2;
    cache.use(policy);
    EXPECT_TRUE(cache.begin_probe("a@x", start));
    EXPECT_TRUE(cache.begin_probe("b@x", start));
    EXPECT_FALSE(cache.begin_probe("c@x", start));
    cache.learn("a@x", answer(Standing::undeliverable, start), start);
    EXPECT_TRUE(cache.begin_probe("c@x", start));
}

TEST(VerifyCache, failures_are_forgotten_soon_where_they_are_not_to_be_kept)
{
    Cache cache;
    CachePolicy policy;
    policy.keeps_negative = false;
    cache.use(policy);
    EXPECT_FALSE(cache.learn("a@x", answer(Standing::undeliverable, start), start)) << "not for the disk";
    EXPECT_TRUE(cache.find("a@x", start + 6s).answer) << "whoever waits for it must see it";
    EXPECT_FALSE(cache.find("a@x", start + Cache::brief_memory).answer);
    EXPECT_TRUE(cache.learn("b@x", answer(Standing::deliverable, start), start));
}

TEST(VerifyCache, its_size_is_bounded)
{
    Cache cache(100);
    for (int i = 0; i < 1000; ++i) {
        const WallTime at = start + std::chrono::seconds(i);
        const std::string address = "u" + std::to_string(i) + "@x";
        if (i % 3 == 0) cache.begin_probe(address, at);
        else cache.learn(address, answer(Standing::undeliverable, at), at);
    }
    EXPECT_LE(cache.size(), 100u);
    EXPECT_LE(cache.pending(), 100u);
    EXPECT_TRUE(cache.find("u998@x", start + 1000s).answer) << "the newest stays";
}

TEST(VerifyCache, cleaning_drops_what_has_expired_a_few_at_a_time)
{
    Cache cache;
    for (int i = 0; i < 500; ++i) cache.put("old" + std::to_string(i), answer(Standing::deferred, start));
    for (int i = 0; i < 300; ++i) cache.put("good" + std::to_string(i), answer(Standing::deliverable, start));
    const WallTime now = start + 4 * 24h;
    ASSERT_TRUE(cache.begin_probe("asked", now));
    Cache::Cleaning progress;
    std::size_t kept = 0;
    int turns = 0;
    while (!cache.clean(progress, 64, now, [&](const std::string&, const Answer&) { ++kept; })) ++turns;
    EXPECT_GT(turns, 3);
    EXPECT_EQ(progress.retained, 300u);
    EXPECT_EQ(progress.dropped, 500u);
    EXPECT_EQ(kept, 300u);
    EXPECT_EQ(cache.size(), 301u) << "what is being asked stays";
}

TEST(VerifyCache, a_long_text_is_cut)
{
    Cache cache;
    cache.learn("a@x", answer(Standing::undeliverable, start, std::string(5000, 'x')), start);
    EXPECT_EQ(cache.find("a@x", start).answer->text.size(), longest_text);
}

}  // namespace
}  // namespace ekiden::verify
