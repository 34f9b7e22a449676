#include "tools/offline_queue.hpp"

#include "base/fd.hpp"
#include "mail/maildrop.hpp"
#include "mail/queue_id.hpp"

#include <boost/asio/use_future.hpp>

#include <fcntl.h>
#include <future>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ekiden::tools {

namespace {

// Root becomes the owner of the log for good: a segment or checkpoint that root made could not be opened by the engine.
void become_owner(const Voice& voice, const std::string& directory)
{
    struct stat status{};
    if (::geteuid() != 0 || ::stat(directory.c_str(), &status) != 0 || status.st_uid == 0) return;
    if (::setgroups(1, &status.st_gid) != 0 || ::setresgid(status.st_gid, status.st_gid, status.st_gid) != 0 ||
        ::setresuid(status.st_uid, status.st_uid, status.st_uid) != 0)
        voice.fatal(Error::from_errno("become the owner of", directory).text());
}

// What is left of a message as a maildrop file, so that it is collected anew like mail that was just handed in: addresses
// are rewritten and aliases expanded as they are now. It keeps its arrival time.
Result<void> write_maildrop(const std::string& folder, const queue::Loaded& message)
{
    const mail::Envelope& envelope = *message.envelope;
    mail::Maildrop header;
    header.sender = envelope.sender;
    header.full_name = envelope.full_name;
    header.dsn_return = envelope.dsn_return;
    header.dsn_envid = envelope.dsn_envid;
    header.body = envelope.body;
    header.is_smtputf8 = envelope.is_smtputf8;
    header.original_id = mail::format(envelope.id);
    for (const queue::Pending& pending : message.pending) {
        mail::Recipient recipient = envelope.recipients[pending.index];
        if (!recipient.original.empty()) recipient.address = recipient.original;
        header.recipients.push_back(std::move(recipient));
    }
    const std::string path = folder + "/" + header.original_id, unfinished = folder + "/." + header.original_id;
    EKIDEN_TRY_VALUE(file, base::open_file(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    EKIDEN_TRY(base::write_all(file.get(), mail::format(header)));
    const auto reader = message.content->open();
    for (;;) {
        EKIDEN_TRY_VALUE(piece, reader->next_now());
        if (piece.empty()) break;
        EKIDEN_TRY(base::write_all(file.get(), piece));
    }
    const std::time_t seconds = base::to_seconds(envelope.arrived_at);
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    if (::futimens(file.get(), times) != 0) return fail(Error::from_errno("futimens", unfinished));
    EKIDEN_TRY(base::sync_file(file.get()));
    if (::rename(unfinished.c_str(), path.c_str()) != 0) return fail(Error::from_errno("rename to", path));
    return base::sync_folder(folder);
}

}  // namespace

OfflineQueue::OfflineQueue(const Voice& voice, const config::Settings& settings)
{
    queue::StoreOptions options;
    options.directory = settings.str("queue_directory") + "/log";
    become_owner(voice, options.directory);
    auto opened = queue::open_store(options);
    if (!opened) voice.fatal(opened.error().text());
    store_ = std::move(*opened);
    maildrop_ = settings.str("queue_directory") + "/maildrop";
    loop_ = std::thread([this] { context_.run(); });
}

OfflineQueue::~OfflineQueue()
{
    store_->stop();
    work_.reset();
    loop_.join();
}

Result<void> OfflineQueue::change(mail::QueueId id, queue::Change change)
{
    if (change == queue::Change::requeue) {
        // Twice is possible when this is cut off in the middle, never is not.
        EKIDEN_TRY_VALUE(message, store_->load_now(id));
        EKIDEN_TRY(write_maildrop(maildrop_, message));
        change = queue::Change::remove;
    }
    return asio::co_spawn(context_, store_->change(id, change), asio::use_future).get();
}

}  // namespace ekiden::tools
