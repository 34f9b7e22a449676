// Stands where the delivery helper stands in the running system. What would write or run something is told to the
// Watcher and answered as done; files that users may have (.forward, lists) are read by a real helper, with the user's
// rights. So local(8), virtual(8) and pipe(8) go their whole way, and nothing changes.
//
// Made before there are other threads (it forks the real helper); ends with its object.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"
#include "deliver/helper/client.hpp"
#include "deliver/helper/protocol.hpp"

#include <memory>
#include <thread>

namespace ekiden::explain {

class StandIn {
public:
    static Result<std::unique_ptr<StandIn>> start();
    ~StandIn();
    StandIn(const StandIn&) = delete;

    deliver::Helper& helper() { return *helper_; }

private:
    StandIn(Fd engine_side, Fd own_side, Fd real);
    void serve();
    deliver::HelperAnswer answer(const deliver::HelperRequest& request, std::string_view bytes);
    deliver::HelperAnswer read(const deliver::HelperRequest& request, std::string_view bytes);

    Fd own_side_, real_;
    std::unique_ptr<deliver::Helper> helper_;
    std::thread thread_;
};

}  // namespace ekiden::explain
