// link: config
// master.cf from untrusted hands, strictly and as postconf reads it. What the strict reader takes, the other must take too.
#include "config/master_cf.hpp"
#include "config/settings.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace ekiden::config;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    std::size_t strict = 0;
    bool is_accepted = false;
    try {
        const auto services = parse_master_cf(text, "master.cf");
        strict = services.size();
        is_accepted = true;
        for (const auto& service : services) {
            if (service.name.empty() || service.command.empty()) std::abort();
            if (service.process_limit(100) < 0) std::abort();
        }
    } catch (const ConfigError&) {
    }
    try {
        if (parse_master_cf(text, "master.cf", false).size() != strict && is_accepted) std::abort();
    } catch (const ConfigError&) {
        if (is_accepted) std::abort();
    }
    return 0;
}
