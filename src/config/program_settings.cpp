#include "config/program_settings.hpp"

#include <algorithm>

namespace ekiden::config {

SettingsPtr settings_of_program(const SettingsPtr& settings, std::string_view program)
{
    const auto& services = settings->services();
    const auto line = std::ranges::find(services, program, &ServiceSpec::command);
    return line == services.end() || line->overrides.empty() ? settings : settings->for_service(*line);
}

}  // namespace ekiden::config
