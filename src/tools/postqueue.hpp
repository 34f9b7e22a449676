// What mailq and sendmail -q/-bp share with postqueue.
#pragma once

#include "config/settings.hpp"
#include "tools/support.hpp"

namespace ekiden::tools {

int show_queue(Voice& voice, const config::Settings& settings, bool is_json);
int flush_queue(Voice& voice, const config::Settings& settings);
int flush_message(Voice& voice, const config::Settings& settings, const std::string& id);
int flush_site(Voice& voice, const config::Settings& settings, const std::string& site);

}  // namespace ekiden::tools
