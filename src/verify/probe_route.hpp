// The way of probes: address_verify_relayhost and its kin in place of the parameters that choose the way of other mail, for
// sites that send mail through a host which takes everything (ADDRESS_VERIFICATION_README). Immutable; any core.
#pragma once

#include "config/settings.hpp"
#include "rewrite/resolve.hpp"

#include <memory>

namespace ekiden::verify {

// `usual` itself where the settings say the same for both, as they do by default.
std::shared_ptr<const rewrite::Resolver> probe_resolver(const config::SettingsPtr& settings,
                                                        const std::shared_ptr<const rewrite::Resolver>& usual);

}  // namespace ekiden::verify
