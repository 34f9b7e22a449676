// A store in a folder of its own, driven from the test's thread: run() lets coroutines go until they are done.
#pragma once

#include "queue/commit_log_store.hpp"
#include "queue/store.hpp"
#include "support/run_task.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>

namespace ekiden::queue::test {

class Folder {
public:
    Folder()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "ekiden-queue-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~Folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    std::string log() const { return path_ + "/log"; }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

inline mail::Envelope envelope_of(std::string sender, std::vector<std::string> recipients)
{
    mail::Envelope envelope;
    envelope.id = mail::make_queue_id();
    envelope.arrived_at = base::wall_now();
    envelope.sender = std::move(sender);
    for (std::string& address : recipients) envelope.recipients.push_back({.address = std::move(address)});
    envelope.origin.client_name = "client.remote.test";
    envelope.origin.client_address = "192.0.2.7";
    envelope.origin.protocol = "ESMTP";
    return envelope;
}

template <class T>
T run(Task<T> task)
{
    return ekiden::test::run_task(std::move(task));
}

inline Task<Result<EnvelopePtr>> commit_in_pieces(Store& store, mail::Envelope envelope, std::string content,
                                                  std::size_t step)
{
    ContentWriter writer = store.write_content();
    for (std::size_t at = 0; at < content.size(); at += step) {
        writer.append(std::string_view(content).substr(at, step));
        if (writer.needs_flush()) EKIDEN_CO_TRY(co_await writer.flush());
    }
    co_return co_await store.commit(std::move(envelope), std::move(writer));
}

inline Result<EnvelopePtr> put(Store& store, mail::Envelope envelope, std::string content, std::size_t step = 1000)
{
    return run(commit_in_pieces(store, std::move(envelope), std::move(content), step));
}

inline Result<std::string> read_all(const ContentPtr& content)
{
    std::string all;
    auto reader = content->open();
    for (;;) {
        EKIDEN_TRY_VALUE(piece, reader->next_now());
        if (piece.empty()) return all;
        all += piece;
    }
}

inline std::string text_of(std::size_t size, unsigned seed)
{
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = i % 71 == 70 ? '\n' : static_cast<char>(' ' + (i * 31 + seed * 17 + i / 71) % 94);
    return text;
}

inline StoreOptions options_for(const Folder& folder, std::uint64_t segment_size = 256 << 10)
{
    StoreOptions options;
    options.directory = folder.log();
    options.segment_size = segment_size;
    options.memory_per_message = 16 << 10;
    return options;
}

}  // namespace ekiden::queue::test
