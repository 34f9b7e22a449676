// Messages a second of the queue on a real disk, against one file and one fsync for each message on the same disk; and
// the cost of a long queue: start, listing, memory.
//   queue_bench FOLDER [clients] [messages] [bytes] [deferred]
#include "queue/store.hpp"

#include "base/fd.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <malloc.h>
#include <thread>

using namespace ekiden;
using namespace ekiden::queue;

namespace {

double seconds_of(auto work)
{
    auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void must(bool holds, const char* what)
{
    if (holds) return;
    std::fprintf(stderr, "queue_bench: %s\n", what);
    std::exit(1);
}

mail::Envelope envelope_of()
{
    mail::Envelope envelope;
    envelope.arrived_at = base::wall_now();
    envelope.sender = "sender@example.com";
    envelope.recipients.push_back({.address = "recipient@example.org"});
    envelope.origin.client_name = "client.example.com";
    envelope.origin.client_address = "192.0.2.1";
    envelope.origin.protocol = "ESMTP";
    return envelope;
}

Task<void> client(Store& store, const std::string& content, std::atomic<int>& left, bool is_deferred)
{
    while (left.fetch_sub(1) > 0) {
        ContentWriter writer = store.write_content();
        writer.append(content);
        auto done = co_await store.commit(envelope_of(), std::move(writer));
        must(done.has_value(), "commit failed");
        QueueId id = (*done)->id;
        if (is_deferred) {
            Settlement settlement{.id = id, .next_attempt_at = base::wall_now() + std::chrono::hours(1)};
            settlement.deferred.push_back(
                {0, {"4.4.1", "connect to mx.example.org[192.0.2.2]:25: Connection timed out"}});
            store.settle(std::move(settlement));
        } else {
            store.remove(id);
        }
    }
}

void run_clients(Store& store, int clients, int messages, const std::string& content, bool is_deferred)
{
    std::atomic<int> left{messages};
    std::vector<std::thread> cores;
    for (int core = 0; core < 2; ++core)
        cores.emplace_back([&, core] {
            asio::io_context context(1);
            for (int i = core; i < clients; i += 2)
                asio::co_spawn(context, client(store, content, left, is_deferred), asio::detached);
            context.run();
        });
    for (auto& core : cores) core.join();
}

long resident_kib()
{
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:")) return std::strtol(line.c_str() + 6, nullptr, 10);
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    must(argc > 1, "usage: queue_bench FOLDER [clients] [messages] [bytes] [deferred]");
    std::string folder = argv[1];
    auto number = [&](int at, int otherwise) { return argc > at ? std::atoi(argv[at]) : otherwise; };
    int clients = number(2, 20), messages = number(3, 30000), deferred = number(5, 100'000);
    std::string content(static_cast<std::size_t>(number(4, 5000)), 'x');
    std::filesystem::create_directories(folder);

    {
        std::atomic<int> left{messages / 10}, next{0};
        double time = seconds_of([&] {
            std::vector<std::thread> threads;
            for (int i = 0; i < clients; ++i)
                threads.emplace_back([&] {
                    while (left.fetch_sub(1) > 0) {
                        auto file = base::open_file(folder + "/file" + std::to_string(next++),
                                                    O_CREAT | O_WRONLY | O_TRUNC, 0600);
                        must(file && base::write_all(file->get(), content) && base::sync_file(file->get()),
                             "file failed");
                    }
                });
            for (auto& thread : threads) thread.join();
        });
        std::printf("a file and fsync for each:  %8.0f messages/s (%d clients, %zu bytes)\n", messages / 10 / time,
                    clients, content.size());
        for (int i = 0; i < next; ++i) std::filesystem::remove(folder + "/file" + std::to_string(i));
    }
    StoreOptions options;
    options.directory = folder + "/log";
    {
        std::unique_ptr<Store> store;
        double start = seconds_of([&] { store = std::move(*open_store(options)); });
        double first = seconds_of([&] { run_clients(*store, 1, 1, content, false); });
        std::printf("first start:                %8.1f ms, first commit %.1f ms\n", start * 1e3, first * 1e3);
        for (int round = 0; round < 2; ++round) {
            auto before = store->statistics();
            double time = seconds_of([&] { run_clients(*store, clients, messages, content, false); });
            auto after = store->statistics();
            std::printf(
                "commit log:                 %8.0f messages/s, %.3f syncs a message, %.0f bytes a message, %llu segments\n",
                messages / time, static_cast<double>(after.syncs - before.syncs) / messages,
                static_cast<double>(after.bytes_written - before.bytes_written) / messages,
                static_cast<unsigned long long>(after.segments));
        }
        run_clients(*store, 200, deferred, content, true);
        store->stop();
    }
    auto ids = [](Store& store) {
        std::size_t n = 0;
        store.for_each([&n](const Summary&) { return ++n > 0; });
        return n;
    };
    malloc_trim(0);
    long resident = resident_kib();
    for (const char* how : {"checkpoint", "scan"}) {
        std::unique_ptr<Store> store;
        double start = seconds_of([&] { store = std::move(*open_store(options)); });
        malloc_trim(0);
        std::printf("start with %zu (%s): %.0f ms, +%ld KiB\n", store->size(), how, start * 1e3,
                    resident_kib() - resident);
        std::size_t listed = 0;
        double list = seconds_of([&] {
            must(store->list([&](const Summary&, const Loaded& l) { return listed += l.pending.size(); }).has_value(),
                 "list");
        });
        double visit = seconds_of([&] { ids(*store); });
        std::printf("list %zu: %.0f ms; for_each %.1f ms\n", listed, list * 1e3, visit * 1e3);
        store->stop();
        store.reset();
        std::filesystem::remove(options.directory + "/checkpoint.clean");
        std::filesystem::remove(options.directory + "/checkpoint");
    }
}
