// The crowd: one process that fills the Maildirs of many users, for those who get mail now and then. A process for each of
// a thousand members of a list costs more than the delivery itself.
//
// It stays root, as local(8) does; each of its threads becomes the user for one step of one delivery, and comes back
// (as_user.hpp). It does nothing but look for the files named in the request and make Maildir files: nobody's commands, no
// mailboxes with their locks, no reading. Whatever it touches, it touches as the user. Files that are written while others are
// brought to disk go to disk together (group_sync.hpp). The promise is that of maildir.hpp.
#pragma once

namespace ekiden::deliver {

[[noreturn]] void serve_crowd(int requests, int engine);

}  // namespace ekiden::deliver
