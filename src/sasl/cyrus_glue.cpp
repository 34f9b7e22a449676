#include "sasl/cyrus_glue.hpp"

#include "base/text.hpp"

#include <mutex>
#include <new>

namespace ekiden::sasl {
namespace {

// Of one step: what makes the library talk is the other side. All of them fit into one line of an answer.
constexpr std::size_t most_log_lines = 20, longest_log_line = 1000;

thread_local std::vector<std::string>* heard = nullptr;
thread_local bool names_levels = false;

struct Label {
    int level;
    std::string_view name, text;
    bool is_trouble;
};
// Levels that trace have no row.
constexpr Label labels[] = {
    {SASL_LOG_ERR, "warning: ", "SASL authentication problem: ", true},
    {SASL_LOG_WARN, "warning: ", "SASL authentication problem: ", true},
    {SASL_LOG_FAIL, "warning: ", "SASL authentication failure: ", true},
    {SASL_LOG_NOTE, "info: ", "SASL authentication info: ", false},
};

int on_log(void*, int level, const char* message)
{
    if (!heard || !message || heard->size() >= most_log_lines) return SASL_OK;
    for (const Label& label : labels) {
        if (label.level != level || (!label.is_trouble && !names_levels)) continue;
        std::string line(names_levels ? label.name : std::string_view());
        line += label.text;
        heard->push_back(line += base::printable(std::string_view(message).substr(0, longest_log_line)));
    }
    return SASL_OK;
}

void* make_mutex() { return new (std::nothrow) std::mutex; }
int lock_mutex(void* mutex)
{
    static_cast<std::mutex*>(mutex)->lock();
    return SASL_OK;
}
int unlock_mutex(void* mutex)
{
    static_cast<std::mutex*>(mutex)->unlock();
    return SASL_OK;
}
void free_mutex(void* mutex) { delete static_cast<std::mutex*>(mutex); }

}  // namespace

void give_cyrus_mutexes() { ::sasl_set_mutex(make_mutex, lock_mutex, unlock_mutex, free_mutex); }

Listening::Listening(std::vector<std::string>& lines, bool names_level)
{
    heard = &lines;
    names_levels = names_level;
}
Listening::~Listening() { heard = nullptr; }

const sasl_callback_t log_callbacks[] = {
    {SASL_CB_LOG, as_callback(&on_log), nullptr},
    {SASL_CB_LIST_END, nullptr, nullptr},
};

int demand(sasl_conn_t* connection, Properties security)
{
    sasl_security_properties_t properties{};
    for (const CyrusFlag& row : cyrus_flags) {
        if (security & row.property) properties.security_flags |= row.flag;
    }
    return ::sasl_setprop(connection, SASL_SEC_PROPS, &properties);
}

}  // namespace ekiden::sasl
