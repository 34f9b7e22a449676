// libsasl2, the server's side of it: opened once in a process that does nothing else, because it blocks (saslauthd,
// Berkeley DB), loads plug-ins, and keeps what it read for one application name for good.
//
// Errors are the library's own words, since administrators and log watchers know them. What the library says to the log
// comes back with the step during which it was said, in Postfix's form ("warning: SASL authentication failure: …").
// Thread: open_cyrus() once, before other threads; after it a CyrusLogin may move between threads, one at a time.
#pragma once

#include "base/result.hpp"
#include "sasl/cyrus_protocol.hpp"

#include <memory>
#include <string>
#include <vector>

namespace ekiden::sasl {

struct CyrusOptions {
    std::string application;    // smtpd_sasl_path: APPLICATION.conf is read
    std::string search_path;    // directories where, joined by colons (cyrus_config.hpp)
    std::string hostname;       // myhostname: in challenges, and the realm of DIGEST-MD5 where none is set
};

// Reads the settings and loads the plug-ins. Before chroot, as Postfix does. `log`: what the library said meanwhile.
Result<void> open_cyrus(CyrusOptions options, std::vector<std::string>& log);

// What can be offered when nothing is forbidden, in the library's order (that of mech_list, if there is one).
std::vector<Mechanism> cyrus_mechanisms();

// One exchange. What libsasl2 is told, it keeps; what it keeps, it wipes.
class CyrusLogin {
public:
    virtual ~CyrusLogin() = default;
    // `response`: base64; nothing in the first step when the client sent no initial response. Blocks.
    virtual CyrusReply step(std::optional<Secret> response) = 0;
};
std::unique_ptr<CyrusLogin> begin_cyrus_login(AuthRequest request);

}  // namespace ekiden::sasl
