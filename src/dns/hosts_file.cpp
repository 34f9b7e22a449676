#include "dns/hosts_file.hpp"

#include "base/fd.hpp"
#include "base/text.hpp"

namespace ekiden::dns {

namespace {
constexpr std::size_t largest_file = 16 << 20;
}

void HostsFile::reread()
{
    const base::SteadyTime now = base::steady_now();
    if (looked_at_ != base::SteadyTime{} && now - looked_at_ < std::chrono::seconds(1)) return;
    looked_at_ = now;
    struct stat found{};
    if (::stat(path_.c_str(), &found) != 0) {
        entries_.clear();
        size_ = -1;
        return;
    }
    if (found.st_size == size_ && found.st_ino == inode_ && found.st_mtim.tv_sec == changed_at_.tv_sec &&
        found.st_mtim.tv_nsec == changed_at_.tv_nsec) {
        return;
    }
    auto content = base::read_file(path_, largest_file);
    if (!content) return;   // keeps what it had
    entries_.clear();
    size_ = found.st_size;
    inode_ = found.st_ino;
    changed_at_ = found.st_mtim;
    for (std::string_view line : base::split(*content, '\n')) {
        const auto words = base::split_any(line.substr(0, line.find('#')), " \t\r");
        if (words.size() < 2) continue;
        const auto address = net::parse_address(words[0]);
        if (!address) continue;
        for (std::size_t i = 1; i < words.size(); ++i) entries_[base::lower(words[i])].addresses.push_back(*address);
        auto& reverse = entries_[reverse_name(*address)];
        if (reverse.canonical.empty()) reverse.canonical = base::lower(words[1]);
    }
}

std::optional<Answer> HostsFile::find(std::string_view name, Type type)
{
    if (type != Type::a && type != Type::aaaa && type != Type::ptr) return std::nullopt;
    const std::lock_guard lock(mutex_);
    reread();
    const auto at = entries_.find(base::lower(name));
    if (at == entries_.end()) return std::nullopt;
    Answer answer;
    if (type == Type::ptr) {
        if (at->second.canonical.empty()) return std::nullopt;
        Record record{};
        record.type = type;
        record.name = at->second.canonical;
        answer.records.push_back(std::move(record));
        return answer;
    }
    if (at->second.addresses.empty()) return std::nullopt;
    for (const auto& address : at->second.addresses) {
        if (address.is_v4() != (type == Type::a)) continue;
        Record record{};
        record.type = type;
        record.address = address;
        answer.records.push_back(std::move(record));
    }
    if (answer.records.empty()) answer.absence = Absence::no_such_record;
    return answer;
}

}  // namespace ekiden::dns
