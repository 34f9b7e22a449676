// What mailq and sendmail -q/-bp share with postqueue.
#pragma once

#include "config/settings.hpp"
#include "tools/support.hpp"

#include <functional>

namespace ekiden::tools {

// The listing, piece by piece, from the engine or, where none runs, from the log itself. Ends the program where neither
// can be read.
void read_queue(Voice& voice, const config::Settings& settings, bool is_json,
                const std::function<void(std::string_view)>& on_piece);
int show_queue(Voice& voice, const config::Settings& settings, bool is_json);
int flush_queue(Voice& voice, const config::Settings& settings);
int flush_message(Voice& voice, const config::Settings& settings, const std::string& id);
int flush_site(Voice& voice, const config::Settings& settings, const std::string& site);

}  // namespace ekiden::tools
