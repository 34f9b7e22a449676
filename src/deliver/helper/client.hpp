// The engine's side of the helper: the small process that acts as other users. The engine has no right to write into a
// home directory and none to run programs; it hands the helper one bounded request and an open message, and the helper
// becomes the user first.
//
// Thread: any core; each request waits for its own answer. When the helper dies, pending requests fail (try later) and
// use() brings in the next one.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "net/task.hpp"

#include <memory>

namespace ekiden::deliver {

struct HelperRequest;    // deliver/helper/protocol.hpp
struct HelperAnswer;

class Helper {
public:
    explicit Helper(Fd socket);    // SOCK_SEQPACKET
    ~Helper();
    void use(Fd socket);

    // `content` is a descriptor from which the whole message can be read from offset 0 (memfd or unlinked file).
    Task<Result<HelperAnswer>> ask(HelperRequest request, Fd content);

private:
    struct State;
    std::shared_ptr<State> state_;
};

// Role entry: `ekiden helper -c DIR`, channel at descriptor 3. Ends when the channel closes.
int run_helper(int channel);

}  // namespace ekiden::deliver
