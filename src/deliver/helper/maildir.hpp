// Maildir delivery in three steps, so that syncs can be shared and run side by side: a file in tmp/ is written; it is
// synced and gets its name in new/; the folder new/ is synced. Only then is a message reported as delivered: file and name
// are on disk. A step that fails leaves its answer in the act, and nothing in tmp/. Blocking; with the user's rights.
#pragma once

#include "deliver/helper/acts.hpp"

#include <memory>
#include <span>
#include <string>

namespace ekiden::deliver {

// Any thread, each act by one. The content is let go of afterwards.
bool write_maildir_file(Act& act);
bool sync_maildir_file(Act& act);
// The second half of it, for a file that is on disk already; and for one that could not be brought there: errno says why.
bool name_maildir_file(Act& act);
void drop_maildir_file(Act& act, std::string step);
// Syncs each folder once for all acts that have a name in it, and answers for them; failed ones keep their answer.
void sync_maildir_folders(std::span<const std::unique_ptr<Act>> acts);
// The same for one act that has a name.
void sync_maildir_folder(Act& act);

}  // namespace ekiden::deliver
