// The content of a message (headers and body, LF line ends), shared and immutable once committed; in memory while the
// memory budget allows, in the log always.
#pragma once

#include "base/result.hpp"
#include "net/task.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ekiden::queue {

class ContentReader {
public:
    virtual ~ContentReader() = default;
    // The next piece, empty at the end. Valid until the next call. In memory: at once, without suspension; from the
    // log: read on the blocking pool. An error (disk, checksum) means try later.
    virtual Task<Result<std::string_view>> next() = 0;
    virtual Result<std::string_view> next_now() = 0;   // for threads that may block (tools, file delivery)
};

class Content {
public:
    virtual ~Content() = default;
    virtual std::uint64_t size() const = 0;
    virtual std::optional<std::string_view> in_memory() const = 0;   // the whole content, if it is there
    virtual std::unique_ptr<ContentReader> open() const = 0;
};
using ContentPtr = std::shared_ptr<const Content>;

// Content on its way in. Small messages gather in memory; past the bound, chunks are appended to the log as they come
// (undurable until the commit; garbage that costs nothing if it is dropped). Movable; one owner, one core.
class ContentWriter {
public:
    class Sink;   // the store's side
    ContentWriter();
    explicit ContentWriter(std::unique_ptr<Sink> sink);
    ContentWriter(ContentWriter&&) noexcept;
    ContentWriter& operator=(ContentWriter&&) noexcept;
    ~ContentWriter();   // dropped: nothing was received

    void append(std::string_view bytes);
    std::uint64_t size() const { return size_; }
    // After append(): when it says so, await flush() before appending more (back-pressure of the disk).
    bool needs_flush() const;
    Task<Result<void>> flush();
    // What was appended so far, from the beginning, for who must see a message before it is committed. Nothing is appended
    // meanwhile, and the writer outlives the reader. No next_now(): what is in the log is read on the blocking pool.
    std::unique_ptr<ContentReader> reader() const;

private:
    class Reader;
    friend class CommitLogStore;    // takes the sink and what is left in the buffer
    std::unique_ptr<Sink> sink_;
    std::string buffer_;
    std::uint64_t size_ = 0;
};

}  // namespace ekiden::queue
