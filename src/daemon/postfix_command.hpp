// postfix(1): start, start-fg, stop, abort, reload, flush, check, status, logrotate, set-permissions,
// upgrade-configuration; texts and exit statuses as Postfix's script gives them.
#pragma once

namespace ekiden::daemon {

int postfix_main(int argc, char** argv);

}  // namespace ekiden::daemon
