#include "sasl/cyrus_sasldb.hpp"

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/text.hpp"
#include "sasl/sasldb_file.hpp"

#include <algorithm>
#include <cerrno>
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

#include <sasl/saslplug.h>

namespace ekiden::sasl {
namespace {

constexpr std::string_view library_name = "libsasldb.so";
constexpr std::string_view usual_database = "/etc/sasldb2";  // where the plug-in looks if it has this path compiled in
constexpr std::size_t longest_library = 1 << 20;
constexpr std::size_t longest_value = 8000;    // a plug-in's answer has 8192 bytes at most

std::string library;                   // where libsasl2 found the plug-in
bool looks_in_usual_database = false;
sasl_auxprop_plug_t* real = nullptr;
sasl_auxprop_plug_t ours;

std::string_view database(const sasl_utils_t& utils)
{
    const char* path = nullptr;
    if (utils.getopt(utils.getopt_context, "sasldb", "sasldb_path", &path, nullptr) == SASL_OK && path) return path;
    return looks_in_usual_database ? usual_database : std::string_view();
}

bool read_at(int fd, std::uint64_t offset, std::span<char> into)
{
    while (!into.empty()) {
        const ssize_t count = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        into = into.subspan(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
    return true;
}

// The database that was opened last by this thread, for as long as its path leads to the same file with the same rights:
// opening it costs more than the reading. Where the path leads is looked at every few milliseconds; what the file holds is
// read anew for each lookup.
class OpenDatabase {
public:
    // -1: it cannot be opened.
    int at(const std::string& path)
    {
        const SteadyTime time = base::steady_now();
        if (fd_ && path == path_ && time < good_until_) return fd_.get();
        struct stat now{};
        if (::stat(path.c_str(), &now) != 0) return -1;
        if (!fd_ || path != path_ || !is_same(now, opened_)) {
            fd_ = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
            if (!fd_ || ::fstat(fd_.get(), &opened_) != 0) return -1;
            path_ = path;
        }
        good_until_ = time + std::chrono::milliseconds(5);
        return fd_.get();
    }

private:
    static bool is_same(const struct stat& a, const struct stat& b)
    {
        return a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_mode == b.st_mode && a.st_uid == b.st_uid &&
               a.st_gid == b.st_gid;
    }
    std::string path_;
    Fd fd_;
    struct stat opened_{};
    SteadyTime good_until_{};
};

// True: at least one property was found, and all of those that are there have been set.
bool find_properties(sasl_server_params_t& server, std::string_view name)
{
    const propval* wanted = server.utils->prop_get(server.propctx);
    const std::string path(database(*server.utils));
    if (!wanted || path.empty() || !server.serverFQDN || name.find('\0') != name.npos) return false;
    bool is_any_wanted = false;
    for (const propval* one = wanted; one->name; ++one) {
        if (*one->name != '*') continue;    // a property of whom the user acts for: not asked in this lookup
        if (one->values) return false;      // known already, from another plug-in
        is_any_wanted = true;
    }
    if (!is_any_wanted) return false;    // the library looks every name up twice, and the second time for nothing
    static thread_local OpenDatabase databases;
    const int fd = databases.at(path);
    if (fd < 0) return false;
    auto file =
        SasldbFile::open([fd](std::uint64_t offset, std::span<char> into) { return read_at(fd, offset, into); });
    if (!file) return false;

    const std::size_t at = name.find('@');
    const std::string_view user = name.substr(0, at);
    const std::string_view own_realm = server.user_realm && *server.user_realm ? server.user_realm : server.serverFQDN;
    const std::string_view realm = at == name.npos ? own_realm : name.substr(at + 1);
    bool is_any_found = false;
    for (; wanted->name; ++wanted) {
        if (*wanted->name != '*') continue;
        Secret value;
        const auto found = file->find(sasldb_key(user, realm, wanted->name + 1), value);
        if (found == SasldbFile::Found::odd || value.size() > longest_value) return false;
        if (found == SasldbFile::Found::no) continue;
        if (server.utils->prop_set(server.propctx, wanted->name, value.view().data(), static_cast<int>(value.size())) !=
            SASL_OK)
            return false;
        is_any_found = true;
    }
    return is_any_found;
}

int look_up(void* context, sasl_server_params_t* server, unsigned flags, const char* user, unsigned size)
{
    const bool is_login = (flags & ~unsigned{SASL_AUXPROP_OVERRIDE}) == 0;
    if (is_login && server && user && find_properties(*server, {user, size})) return SASL_OK;
    return real->auxprop_lookup(context, server, flags, user, size);
}

// The library calls this as it calls the entry of a plug-in.
int enter(const sasl_utils_t* utils, int most_version, int* version, sasl_auxprop_plug_t** plug, const char* name)
{
    void* handle = ::dlopen(library.c_str(), RTLD_NOW);    // for good
    void* entry = handle ? ::dlsym(handle, "sasl_auxprop_plug_init") : nullptr;
    if (!entry) {
        utils->log(nullptr, SASL_LOG_ERR, "unable to load %s", library.c_str());
        return SASL_FAIL;
    }
    if (const int status = reinterpret_cast<sasl_auxprop_init_t*>(entry)(utils, most_version, version, plug, name);
        status != SASL_OK)
        return status;
    if (*version != SASL_AUXPROP_PLUG_VERSION || !(*plug)->auxprop_lookup)
        return SASL_OK;  // not to be understood: as it is
    if (const auto text = base::read_file(library, longest_library))
        looks_in_usual_database = text->find(std::string(usual_database) + '\0') != text->npos;
    real = *plug;
    ours = **plug;
    ours.auxprop_lookup = look_up;
    *plug = &ours;
    return SASL_OK;
}

}  // namespace

int skip_sasldb(void*, const char* path, sasl_verify_type_t type)
{
    const std::string_view name = path;
    if (type != SASL_VRFY_PLUGIN || !name.substr(name.rfind('/') + 1).starts_with(library_name)) return SASL_OK;
    if (library.empty()) library = name;
    return SASL_CONTINUE;
}

void add_sasldb()
{
    if (!library.empty()) ::sasl_auxprop_add_plugin("sasldb", enter);
}

}  // namespace ekiden::sasl
