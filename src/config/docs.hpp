// Pages printed from the table of parameters. Pure.
#pragma once

#include <string>
#include <string_view>

namespace ekiden::config {

// "man5": man/postconf.5 (mdoc); "compatibility": docs/compatibility.md. Throws ConfigError for another name.
std::string generate_page(std::string_view page);

}  // namespace ekiden::config
