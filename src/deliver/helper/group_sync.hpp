// Many Maildir files at once: two syncs of their file system bring any number of files and names to disk, where one by one
// each file costs two. For the processes of the helper; the promise is that of maildir.hpp.
//
// Only on file systems of which it is known that syncfs(2) means it, and only while that is quick: what somebody else has
// written there is waited for as well.
#pragma once

#include "base/clock.hpp"
#include "deliver/helper/acts.hpp"

#include <cstddef>
#include <memory>
#include <span>

namespace ekiden::deliver {

class GroupSync {
public:
    static constexpr std::size_t worth_it = 8;    // files

    // Whether the file system of `fd` is one of those. Asks it, so it may take as long as the file system likes.
    static bool is_known(int fd);
    // Whether `count` files on such a file system should be brought to disk together. One thread at a time.
    bool is_due(std::size_t count) const;
    // Written files of one file system get their names, and every act its answer. `becomes_user`: each in its user's name,
    // by a process that is root. Returns how long it took; note() that afterwards.
    static std::chrono::nanoseconds run(std::span<const std::unique_ptr<Act>> acts, bool becomes_user);
    void note(std::chrono::nanoseconds took);

private:
    SteadyTime not_before_{};
};

}  // namespace ekiden::deliver
