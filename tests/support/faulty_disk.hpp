// A disk in memory that can refuse any operation, and that remembers every operation, so that a test can ask: what
// would be there had the power failed at this one? Two kinds of answer: all operations in order up to a byte of a
// write, and (what disks really do) everything that was synced, while of the rest each sector is there, is old, or is
// rubbish. Thread: any.
#pragma once

#include "queue/disk.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace ekiden::test {

class FaultyDisk final : public queue::Disk {
public:
    enum class Kind { create, write, sync, rename, remove, sync_folder };
    struct Operation {
        Kind kind;
        std::string path, target;    // target: rename
        int file = 0;                // create, write, sync
        std::uint64_t offset = 0;
        std::string bytes;
    };
    using Names = std::map<std::string, int>;
    struct Image {
        Names names;
        std::map<int, std::string> files;
    };

    FaultyDisk() = default;
    explicit FaultyDisk(Image image) : now_(image), start_(std::move(image))
    {
        if (!now_.files.empty()) last_file_ = now_.files.rbegin()->first;
    }

    // Asked before every operation that changes something; an error is what the caller gets. A write may be half done
    // before it fails: `tear` bytes of it.
    struct Fault {
        Error error;
        std::size_t tear = 0;
    };
    void on_operation(std::function<std::optional<Fault>(const Operation&)> fault)
    {
        std::lock_guard lock(mutex_);
        fault_ = std::move(fault);
    }
    void set_free_space(std::uint64_t bytes)
    {
        std::lock_guard lock(mutex_);
        free_ = bytes;
    }

    std::size_t steps() const
    {
        std::lock_guard lock(mutex_);
        return history_.size();
    }
    Operation step(std::size_t at) const
    {
        std::lock_guard lock(mutex_);
        return history_[at];
    }

    // All of the first `count` operations, and `bytes` of the next if it is a write.
    Image cut_at(std::size_t count, std::size_t bytes = 0) const
    {
        std::lock_guard lock(mutex_);
        Image image = start_;
        for (std::size_t i = 0; i < count; ++i) apply(image, history_[i]);
        if (count < history_.size() && history_[count].kind == Kind::write) {
            Operation part = history_[count];
            part.bytes.resize(std::min(bytes, part.bytes.size()));
            apply(image, part);
        }
        return image;
    }

    // The first `count` operations were given to the disk, and only what was synced is sure to be on it.
    Image lose_power_at(std::size_t count, std::mt19937& dice) const
    {
        constexpr std::size_t sector = 512;
        std::lock_guard lock(mutex_);
        Image image = start_;
        std::vector<const Operation*> unsynced;    // writes
        std::vector<const Operation*> unsynced_names;
        auto settle_file = [&](int file) {
            std::erase_if(unsynced, [&](const Operation* one) {
                if (one->file != file) return false;
                apply(image, *one);
                return true;
            });
        };
        for (std::size_t i = 0; i < count; ++i) {
            const Operation& one = history_[i];
            switch (one.kind) {
            case Kind::create: image.files[one.file]; [[fallthrough]];
            case Kind::rename:
            case Kind::remove: unsynced_names.push_back(&one); break;
            case Kind::write: unsynced.push_back(&one); break;
            case Kind::sync: settle_file(one.file); break;
            case Kind::sync_folder:
                for (const Operation* name : unsynced_names) apply_name(image, *name);
                unsynced_names.clear();
                break;
            }
        }
        std::size_t names =
            unsynced_names.empty() ? 0 : dice() % (unsynced_names.size() + 1);  // journals keep the order
        for (std::size_t i = 0; i < names; ++i) apply_name(image, *unsynced_names[i]);
        for (const Operation* one : unsynced) {
            for (std::size_t at = 0; at < one->bytes.size(); at += sector) {
                unsigned luck = dice() % 8;
                if (luck < 3) continue;    // old
                Operation part{.kind = Kind::write,
                               .file = one->file,
                               .offset = one->offset + at,
                               .bytes = one->bytes.substr(at, sector)};
                if (luck == 3) std::ranges::fill(part.bytes, '\0');
                if (luck == 4)
                    for (char& c : part.bytes) c = static_cast<char>(dice());
                apply(image, part);
            }
        }
        return image;
    }

    Result<std::unique_ptr<queue::DiskFile>> open(const std::string& path, Mode mode) override
    {
        std::lock_guard lock(mutex_);
        if (mode == Mode::create) {
            EKIDEN_TRY(happen({.kind = Kind::create, .path = path, .file = ++last_file_}));
        } else if (!now_.names.contains(path)) {
            return fail(ErrorCode::not_found, "open " + path + ": no such file");
        }
        return std::make_unique<File>(*this, now_.names[path]);
    }
    Result<void> rename(const std::string& from, const std::string& to) override
    {
        std::lock_guard lock(mutex_);
        return happen({.kind = Kind::rename, .path = from, .target = to});
    }
    Result<void> remove(const std::string& path) override
    {
        std::lock_guard lock(mutex_);
        return happen({.kind = Kind::remove, .path = path});
    }
    Result<std::vector<std::string>> names(const std::string& folder) override
    {
        std::lock_guard lock(mutex_);
        std::vector<std::string> result;
        for (const auto& [path, file] : now_.names)
            if (path.starts_with(folder + "/")) result.push_back(path.substr(folder.size() + 1));
        return result;
    }
    Result<void> make_folder(const std::string&) override { return {}; }
    Result<void> sync_folder(const std::string& path) override
    {
        std::lock_guard lock(mutex_);
        return happen({.kind = Kind::sync_folder, .path = path});
    }
    Result<std::uint64_t> free_space(const std::string&) override
    {
        std::lock_guard lock(mutex_);
        return free_;
    }
    Result<std::unique_ptr<queue::DiskFile>> lock(const std::string& path) override
    {
        std::lock_guard lock(mutex_);
        if (!locked_.insert(path).second) return fail(ErrorCode::refused, "lock " + path);
        return std::make_unique<LockFile>(*this, path);
    }

private:
    class File : public queue::DiskFile {
    public:
        File(FaultyDisk& disk, int file) : disk_(disk), file_(file) {}
        Result<void> write_at(std::span<const std::string_view> pieces, std::uint64_t offset) override
        {
            std::string bytes;
            for (std::string_view piece : pieces) bytes += piece;
            std::lock_guard guard(disk_.mutex_);
            return disk_.happen({.kind = Kind::write, .file = file_, .offset = offset, .bytes = std::move(bytes)});
        }
        Result<void> sync() override
        {
            std::lock_guard guard(disk_.mutex_);
            return disk_.happen({.kind = Kind::sync, .file = file_});
        }
        Result<std::size_t> read_at(std::span<char> buffer, std::uint64_t offset) const override
        {
            std::lock_guard guard(disk_.mutex_);
            const std::string& content = disk_.now_.files[file_];
            if (offset >= content.size()) return 0u;
            return content.copy(buffer.data(), buffer.size(), offset);
        }
        Result<std::uint64_t> size() const override
        {
            std::lock_guard guard(disk_.mutex_);
            return disk_.now_.files[file_].size();
        }

    private:
        FaultyDisk& disk_;
        int file_;
    };
    class LockFile final : public File {
    public:
        LockFile(FaultyDisk& disk, std::string path) : File(disk, 0), disk_(disk), path_(std::move(path)) {}
        ~LockFile() override
        {
            std::lock_guard guard(disk_.mutex_);
            disk_.locked_.erase(path_);
        }

    private:
        FaultyDisk& disk_;
        std::string path_;
    };

    static void apply_name(Image& image, const Operation& one)
    {
        if (one.kind == Kind::create) image.names[one.path] = one.file;
        if (one.kind == Kind::remove) image.names.erase(one.path);
        if (one.kind == Kind::rename)
            if (auto from = image.names.extract(one.path)) image.names[one.target] = from.mapped();
    }
    static void apply(Image& image, const Operation& one)
    {
        if (one.kind == Kind::create) image.files[one.file];
        if (one.kind == Kind::write) {
            std::string& content = image.files[one.file];
            if (content.size() < one.offset + one.bytes.size()) content.resize(one.offset + one.bytes.size());
            std::ranges::copy(one.bytes, content.begin() + static_cast<std::ptrdiff_t>(one.offset));
        }
        apply_name(image, one);
    }
    Result<void> happen(Operation operation)
    {
        if (fault_) {
            if (auto fault = fault_(operation)) {
                if (operation.kind == Kind::write && fault->tear > 0) {
                    operation.bytes.resize(std::min(fault->tear, operation.bytes.size()));
                    apply(now_, operation);
                    history_.push_back(std::move(operation));
                }
                return fail(fault->error);
            }
        }
        if ((operation.kind == Kind::rename || operation.kind == Kind::remove) && !now_.names.contains(operation.path))
            return fail(ErrorCode::not_found, operation.path);
        apply(now_, operation);
        history_.push_back(std::move(operation));
        return {};
    }

    mutable std::mutex mutex_;
    Image now_, start_;
    std::vector<Operation> history_;
    std::set<std::string> locked_;
    std::function<std::optional<Fault>(const Operation&)> fault_;
    std::uint64_t free_ = UINT64_MAX;
    int last_file_ = 0;
};

}  // namespace ekiden::test
