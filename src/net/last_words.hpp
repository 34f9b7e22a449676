// The end of a connection whose last reply the other side waits for. What is written after hold_last_words() leaves in one
// packet with the end of the stream, which end_writing() says: two packets fewer (one that ends the stream by itself, and
// its acknowledgement), and the other side is woken once for both. The kernel holds nothing back for longer than 200 ms. A
// stream that is no TCP connection writes as before. On the stream's core.
#pragma once

#include "net/stream.hpp"

namespace ekiden::net {

void hold_last_words(Stream& stream);
// Nothing can be written any more; what the other side has sent can still be read. Before close(), which where something
// was left unread breaks the connection off.
void end_writing(Stream& stream);

}  // namespace ekiden::net
