#include "deliver/helper/protocol.hpp"

#include <cerrno>
#include <cstring>
#include <type_traits>

namespace ekiden::deliver {

namespace {

// Both processes run the same binary on the same machine: native byte order is fine.
class Writer {
public:
    template <class T>
        requires std::is_trivially_copyable_v<T>
    void put(T value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
    void put(std::string_view text)
    {
        put(static_cast<std::uint32_t>(text.size()));
        bytes_.append(text);
    }
    std::string take() { return std::move(bytes_); }

private:
    std::string bytes_;
};

class Reader {
public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}
    template <class T>
        requires std::is_trivially_copyable_v<T>
    T get()
    {
        T value{};
        if (bytes_.size() < sizeof value) {
            is_broken_ = true;
            return value;
        }
        std::memcpy(&value, bytes_.data(), sizeof value);
        bytes_.remove_prefix(sizeof value);
        return value;
    }
    std::string text()
    {
        auto size = get<std::uint32_t>();
        if (is_broken_ || size > bytes_.size()) {
            is_broken_ = true;
            return {};
        }
        std::string result(bytes_.substr(0, size));
        bytes_.remove_prefix(size);
        return result;
    }
    std::size_t count()
    {
        auto n = get<std::uint32_t>();
        if (n > max_items) is_broken_ = true;
        return is_broken_ ? 0 : n;
    }
    bool is_broken() const { return is_broken_; }
    bool is_done() const { return !is_broken_ && bytes_.empty(); }

private:
    std::string_view bytes_;
    bool is_broken_ = false;
};

}  // namespace

std::string encode(const HelperRequest& r)
{
    Writer out;
    out.put(r.number);
    out.put(r.kind);
    out.put(r.uid);
    out.put(r.gid);
    for (const std::string* text : {&r.user, &r.path, &r.host_name, &r.prefix, &r.suffix, &r.content, &r.line_end})
        out.put(std::string_view(*text));
    for (bool flag : {r.has_descriptor, r.quotes_from, r.quotes_dots, r.is_in_spool, r.checks_owner, r.refuses_link})
        out.put(flag);
    out.put(r.locks);
    out.put(r.lock_limit);
    out.put(r.stale_lock_limit);
    out.put(r.size_limit);
    out.put(r.offset);
    out.put(r.time_limit);
    out.put(std::string_view(r.directory));
    for (const auto* list : {&r.arguments, &r.unless}) {
        out.put(static_cast<std::uint32_t>(list->size()));
        for (const std::string& item : *list) out.put(std::string_view(item));
    }
    out.put(static_cast<std::uint32_t>(r.environment.size()));
    for (const auto& [name, value] : r.environment) {
        out.put(std::string_view(name));
        out.put(std::string_view(value));
    }
    out.put(std::string_view(r.root));
    return out.take();
}

Result<HelperRequest> decode_request(std::string_view bytes)
{
    Reader in(bytes);
    HelperRequest r;
    r.number = in.get<std::uint64_t>();
    auto kind = in.get<std::uint8_t>();
    r.uid = in.get<std::uint32_t>();
    r.gid = in.get<std::uint32_t>();
    for (std::string* text : {&r.user, &r.path, &r.host_name, &r.prefix, &r.suffix, &r.content, &r.line_end})
        *text = in.text();
    for (bool* flag : {&r.has_descriptor, &r.quotes_from, &r.quotes_dots, &r.is_in_spool, &r.checks_owner,
                       &r.refuses_link})
        *flag = in.get<std::uint8_t>() != 0;
    r.locks = in.get<std::uint8_t>();
    r.lock_limit = in.get<std::uint32_t>();
    r.stale_lock_limit = in.get<std::uint32_t>();
    r.size_limit = in.get<std::uint64_t>();
    r.offset = in.get<std::uint64_t>();
    r.time_limit = in.get<std::uint32_t>();
    r.directory = in.text();
    for (auto* list : {&r.arguments, &r.unless}) {
        for (std::size_t n = in.count(); n > 0; --n) list->push_back(in.text());
    }
    for (std::size_t n = in.count(); n > 0; --n) {
        std::string name = in.text();
        r.environment.emplace_back(std::move(name), in.text());
    }
    r.root = in.text();
    // A name with a NUL would mean one thing here and another to the system.
    bool has_nul = false;
    for (const std::string* text : {&r.user, &r.path, &r.host_name, &r.directory, &r.root})
        has_nul = has_nul || text->contains('\0');
    for (const auto* list : {&r.arguments, &r.unless}) {
        for (const std::string& item : *list) has_nul = has_nul || item.contains('\0');
    }
    for (const auto& [name, value] : r.environment)
        has_nul = has_nul || name.contains('\0') || name.contains('=') || value.contains('\0');
    bool is_misplaced = !r.root.empty() &&
                        (!r.root.starts_with('/') || kind != static_cast<std::uint8_t>(HelperRequest::Kind::command));
    if (!in.is_done() || is_misplaced || kind > static_cast<std::uint8_t>(HelperRequest::Kind::read_file) || has_nul)
        return fail(ErrorCode::corrupt, "malformed helper request");
    r.kind = static_cast<HelperRequest::Kind>(kind);
    return r;
}

std::string encode(const HelperAnswer& a)
{
    Writer out;
    out.put(a.number);
    out.put(a.kind);
    out.put(a.os_error);
    out.put(a.exit_status);
    out.put(a.uid);
    out.put(a.gid);
    out.put(a.mode);
    out.put(a.size);
    out.put(a.changed_at);
    out.put(std::string_view(a.what));
    out.put(std::string_view(a.text));
    return out.take();
}

Result<std::vector<HelperAnswer>> decode_answers(std::string_view bytes)
{
    Reader in(bytes);
    std::vector<HelperAnswer> answers;
    do {
        HelperAnswer& a = answers.emplace_back();
        a.number = in.get<std::uint64_t>();
        auto kind = in.get<std::uint8_t>();
        a.os_error = in.get<std::int32_t>();
        a.exit_status = in.get<std::int32_t>();
        a.uid = in.get<std::uint32_t>();
        a.gid = in.get<std::uint32_t>();
        a.mode = in.get<std::uint32_t>();
        a.size = in.get<std::uint64_t>();
        a.changed_at = in.get<std::int64_t>();
        a.what = in.text();
        a.text = in.text();
        if (in.is_broken() || kind > static_cast<std::uint8_t>(HelperAnswer::Kind::withheld))
            return fail(ErrorCode::corrupt, "malformed helper answer");
        a.kind = static_cast<HelperAnswer::Kind>(kind);
    } while (!in.is_done());
    return answers;
}

bool means_no_file(int os_error)
{
    switch (os_error) {
    case ENOENT: case ENOTDIR: case EACCES: case ELOOP: case ENAMETOOLONG: case ENXIO: return true;
    default: return false;
    }
}

}  // namespace ekiden::deliver
