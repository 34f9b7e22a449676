#include "check/written_values.hpp"

namespace ekiden::check {

std::vector<WrittenValue> written_values(const config::Settings& settings)
{
    std::vector<WrittenValue> values;
    for (const std::string& name : settings.names_set()) {
        const config::Location at = settings.location(name);
        if (at.line > 0) values.push_back({name, settings.str(name), at});
    }
    for (const config::ServiceSpec& service : settings.services()) {
        for (std::size_t i = 0; i < service.overrides.size(); ++i) {
            const auto& [name, value] = service.overrides[i];
            values.push_back({name, settings.expand(value), {service.file, service.line_of(i)}, true});
        }
    }
    return values;
}

}  // namespace ekiden::check
