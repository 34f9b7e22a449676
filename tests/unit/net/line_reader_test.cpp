#include "net/line_reader.hpp"

#include "base/text.hpp"
#include "support/memory_stream.hpp"

#include <gtest/gtest.h>

namespace ekiden::net {
namespace {

Task<void> feed(Stream& stream, std::string bytes)
{
    EXPECT_TRUE(co_await stream.write(bytes));
    stream.close();
}

std::string show(const Result<LineReader::Line>& line)
{
    if (!line) return line.error().is(ErrorCode::closed) ? "closed" : line.error().text();
    return std::string(line->text) + (line->is_cut ? "|cut" : "") + (line->had_bare_lf ? "|bare" : "");
}

TEST(line_reader, reads_lines_whatever_the_pieces)
{
    const struct {
        std::string input;
        std::vector<std::string> want;   // with a limit of 10 bytes
    } cases[] = {
        {"", {"closed"}},
        {"EHLO\r\n", {"EHLO", "closed"}},
        {"a\nb\r\n\r\n\n", {"a|bare", "b", "", "|bare", "closed"}},
        {"unfinished", {"closed"}},
        {"0123456789\r\nx\r\n", {"0123456789", "x", "closed"}},
        {"0123456789\nx\r\n", {"0123456789|bare", "x", "closed"}},
        {"0123456789a\r\nx\r\n", {"0123456789|cut", "x", "closed"}},
        {"0123456789ab\r\nx\r\n", {"0123456789|cut", "x", "closed"}},
        {"0123456789" + std::string(1000, 'a') + "\nx\r\n", {"0123456789|cut|bare", "x", "closed"}},
        {"0123456789" + std::string(1000, '\r') + "\nx\r\n", {"0123456789|cut", "x", "closed"}},
        {"a\rb\r\r\n", {"a\rb\r", "closed"}},
        {std::string("a\0b\r\n", 5), {std::string("a\0b", 3), "closed"}},
    };
    for (const auto& c : cases) {
        for (std::size_t piece :
             {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{100000}}) {
            for (std::size_t buffer : {std::size_t{64}, std::size_t{4096}}) {
                test::Loop loop;
                auto pipe = make_memory_pipe(loop.executor());
                pipe.a_to_b->limit_reads(piece);
                loop.start(feed(*pipe.a, c.input));
                LineReader reader(*pipe.b, buffer);
                for (const auto& want : c.want) {
                    auto line = loop.run(reader.read_line(10));
                    EXPECT_EQ(show(line), want) << base::printable(c.input.substr(0, 40)) << " in pieces of " << piece;
                }
            }
        }
    }
}

TEST(line_reader, sees_pipelined_lines_in_its_buffer)
{
    test::Loop loop;
    auto pipe = make_memory_pipe(loop.executor());
    loop.start(feed(*pipe.a, "one\r\ntwo\r\nthr"));
    LineReader reader(*pipe.b);
    EXPECT_FALSE(reader.has_buffered_line());
    EXPECT_EQ(show(loop.run(reader.read_line(100))), "one");
    EXPECT_TRUE(reader.has_buffered_line());
    EXPECT_EQ(show(loop.run(reader.read_line(100))), "two");
    EXPECT_FALSE(reader.has_buffered_line());
    EXPECT_EQ(reader.buffered(), "thr");
    reader.discard_buffered();
    EXPECT_EQ(reader.buffered(), "");
}

TEST(line_reader, gives_chunks_between_lines)
{
    test::Loop loop;
    auto pipe = make_memory_pipe(loop.executor());
    const std::string bulk(300'000, 'y');
    loop.start(feed(*pipe.a, "DATA\r\n" + bulk + "\r\nQUIT\r\n"));
    LineReader reader(*pipe.b, 128);
    EXPECT_EQ(show(loop.run(reader.read_line(100))), "DATA");
    std::size_t left = bulk.size();
    while (left > 0) {
        auto chunk = loop.run(reader.read_chunk());
        ASSERT_TRUE(chunk);
        ASSERT_FALSE(chunk->empty());
        const std::size_t used = std::min(left, chunk->size());
        EXPECT_EQ(chunk->substr(0, used).find_first_not_of('y'), std::string_view::npos);
        reader.consume(used);
        left -= used;
    }
    EXPECT_EQ(show(loop.run(reader.read_line(100))), "");
    EXPECT_EQ(show(loop.run(reader.read_line(100))), "QUIT");
    reader.shrink();
    EXPECT_EQ(show(loop.run(reader.read_line(100))), "closed");
}

}  // namespace
}  // namespace ekiden::net
