#include "verify/probe_route.hpp"

namespace ekiden::verify {

std::shared_ptr<const rewrite::Resolver> probe_resolver(const config::SettingsPtr& settings,
                                                        const std::shared_ptr<const rewrite::Resolver>& usual)
{
    constexpr std::pair<const char*, const char*> parameters[] = {
        {"local_transport", "address_verify_local_transport"},
        {"virtual_transport", "address_verify_virtual_transport"},
        {"relay_transport", "address_verify_relay_transport"},
        {"default_transport", "address_verify_default_transport"},
        {"relayhost", "address_verify_relayhost"},
        {"transport_maps", "address_verify_transport_maps"},
        {"sender_dependent_relayhost_maps", "address_verify_sender_dependent_relayhost_maps"},
        {"sender_dependent_default_transport_maps", "address_verify_sender_dependent_default_transport_maps"},
    };
    std::vector<std::pair<std::string, std::string>> changed;
    for (const auto& [name, probes_name] : parameters) {
        const std::string value = settings->str(probes_name);
        if (value == settings->str(name)) continue;
        // Expanded already: a '$' that is left stands for itself.
        std::string quoted;
        for (const char c : value) quoted += c == '$' ? std::string("$$") : std::string(1, c);
        changed.emplace_back(name, std::move(quoted));
    }
    return changed.empty() ? usual : rewrite::Resolver::make(settings->with(changed));
}

}  // namespace ekiden::verify
