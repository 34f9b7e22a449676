// One request of a command to the engine: a line of words, answered by a status line and a body until the connection
// closes. Words are percent-encoded where they hold blanks, '%' or control bytes. Bounded: a request line has at most
// 4,096 bytes; long lists of ids are sent as several requests on their own connections.
//
//   request   = verb *( SP word ) LF
//   response  = ( "ok" / "error" SP text ) LF body
//
// Verbs: list text|json|detailed · flush · flush-id ID… · flush-site DOMAIN · change hold|release|requeue|expire|remove ID|ALL
//        pickup · statistics. Everyone may list and flush (as authorized_*_users allow); changes need root or
//        mail_owner, told apart by the socket's peer credentials.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace ekiden::control {

inline constexpr std::size_t max_request = 4096;
// Below $queue_directory; the folder is open to the setgid group only, as Postfix's public/ is.
inline constexpr std::string_view socket_name = "public/ekiden";

std::string format_request(const std::vector<std::string>& words);      // with the final LF
Result<std::vector<std::string>> parse_request(std::string_view line);  // without LF

}  // namespace ekiden::control
