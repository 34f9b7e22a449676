#include "net/last_words.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace ekiden::net {

void hold_last_words(Stream& stream)
{
    const int on = 1;
    const int socket = stream.native_handle();
    if (socket >= 0) (void)::setsockopt(socket, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

void end_writing(Stream& stream)
{
    const int socket = stream.native_handle();
    if (socket >= 0) (void)::shutdown(socket, SHUT_WR);
}

}  // namespace ekiden::net
