// systemd's readiness protocol (sd_notify(3)) without its library.
#pragma once

namespace ekiden::daemon {

// `state`: "READY=1", "STOPPING=1". Nothing happens where $NOTIFY_SOCKET names nobody who listens; never blocks.
void notify_service_manager(const char* state);

}  // namespace ekiden::daemon
