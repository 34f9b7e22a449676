// Both ends of a stream in memory. A reader or writer that must wait sleeps on a timer set to its deadline; the other
// side wakes it by cancelling that timer.
#include "net/deadline.hpp"
#include "net/stream.hpp"

#include <boost/asio/redirect_error.hpp>

namespace ekiden::net {

namespace {

class Link : public MemoryLink {
public:
    Link(Executor executor, std::size_t limit) : reader(executor), writer(executor), limit_(limit) {}

    void break_after(std::size_t bytes, Error error) override
    {
        allowed_ = bytes;
        fault_ = std::move(error);
        wake();
    }
    void stall_after(std::size_t bytes) override
    {
        allowed_ = bytes;
        fault_.reset();
        wake();
    }
    void limit_reads(std::size_t bytes_per_read) override { read_limit_ = std::max<std::size_t>(1, bytes_per_read); }

    // How many bytes may be taken or put now; nothing = wait; an error = that is all there will be.
    Result<std::size_t> take(std::span<char> buffer)
    {
        const std::size_t count = std::min({buffer.size(), bytes_.size(), read_limit_, allowed_});
        if (count > 0) {
            std::copy_n(bytes_.data(), count, buffer.data());
            bytes_.erase(0, count);
            if (allowed_ != unlimited) allowed_ -= count;
            writer.cancel();
            return count;
        }
        if (allowed_ == 0 && fault_) return fail(*fault_);
        if (bytes_.empty() && is_ended && allowed_ != 0) return fail(ErrorCode::closed, "connection closed");
        return 0;
    }
    Result<std::size_t> put(std::string_view bytes)
    {
        if (allowed_ == 0 && fault_) return fail(*fault_);
        if (is_reader_gone) return fail(ErrorCode::closed, "Connection reset by peer");
        // A stalled wire fills up like a socket's buffer.
        const std::size_t count = std::min(bytes.size(), limit_ - std::min(limit_, bytes_.size()));
        bytes_.append(bytes.substr(0, count));
        if (count > 0) reader.cancel();
        return count;
    }
    bool has_bytes() const { return !bytes_.empty() && allowed_ > 0; }
    void wake()
    {
        reader.cancel();
        writer.cancel();
    }

    Timer reader, writer;
    bool is_ended = false;         // the writer closed
    bool is_reader_gone = false;   // the reader closed

private:
    static constexpr std::size_t unlimited = static_cast<std::size_t>(-1);
    std::string bytes_;
    std::size_t limit_;
    std::size_t read_limit_ = unlimited;
    std::size_t allowed_ = unlimited;
    std::optional<Error> fault_;
};

class MemoryStream : public Stream {
public:
    MemoryStream(Executor executor, std::shared_ptr<Link> in, std::shared_ptr<Link> out)
        : executor_(std::move(executor)), in_(std::move(in)), out_(std::move(out))
    {
    }
    ~MemoryStream() override { MemoryStream::close(); }

    Task<Result<std::size_t>> read_some(std::span<char> buffer) override
    {
        for (;;) {
            EKIDEN_CO_TRY(check());
            EKIDEN_CO_TRY_VALUE(count, in_->take(buffer));
            if (count > 0) co_return count;
            co_await wait(in_->reader);
        }
    }
    Task<Result<void>> write(std::span<const std::string_view> pieces) override
    {
        for (std::string_view piece : pieces) {
            while (!piece.empty()) {
                EKIDEN_CO_TRY(check());
                EKIDEN_CO_TRY_VALUE(count, out_->put(piece));
                piece.remove_prefix(count);
                if (count == 0) co_await wait(out_->writer);
            }
        }
        co_return Result<void>{};
    }
    void set_deadline(SteadyTime at) override
    {
        deadline_ = at;
        is_late_ = false;
        in_->reader.cancel();
        out_->writer.cancel();
    }
    void close() override
    {
        if (std::exchange(is_closed_, true)) return;
        in_->is_reader_gone = true;
        out_->is_ended = true;
        in_->wake();
        out_->wake();
    }
    bool has_unread_bytes() override { return in_->has_bytes(); }
    Executor executor() override { return executor_; }
    int native_handle() override { return -1; }

private:
    Result<void> check() const
    {
        if (is_closed_) return fail(ErrorCode::cancelled, "stream is closed");
        if (deadline_ != SteadyTime::max() && (is_late_ || base::steady_now() >= deadline_)) {
            return fail(ErrorCode::timeout, "Connection timed out");
        }
        return {};
    }
    Task<void> wait(Timer& timer)
    {
        boost::system::error_code error;
        const SteadyTime waited_for = deadline_;
        if (deadline_ == SteadyTime::max()) timer.expires_at(SteadyTime::max());
        else timer.expires_after(deadline_ - base::steady_now());
        co_await timer.async_wait(asio::redirect_error(use_task, error));
        is_late_ = !error && waited_for == deadline_ && deadline_ != SteadyTime::max();
    }

    Executor executor_;
    std::shared_ptr<Link> in_, out_;
    SteadyTime deadline_ = SteadyTime::max();
    bool is_closed_ = false;
    bool is_late_ = false;
};

}  // namespace

MemoryPipe make_memory_pipe(Executor executor, std::size_t buffer_limit)
{
    auto a_to_b = std::make_shared<Link>(executor, buffer_limit);
    auto b_to_a = std::make_shared<Link>(executor, buffer_limit);
    MemoryPipe pipe;
    pipe.a = std::make_unique<MemoryStream>(executor, b_to_a, a_to_b);
    pipe.b = std::make_unique<MemoryStream>(executor, a_to_b, b_to_a);
    pipe.a_to_b = std::move(a_to_b);
    pipe.b_to_a = std::move(b_to_a);
    return pipe;
}

}  // namespace ekiden::net
