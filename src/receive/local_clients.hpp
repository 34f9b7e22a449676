// Which clients' messages are "local": headers completed with $myorigin and missing ones added
// (local_header_rewrite_clients). Immutable, any core.
#pragma once

#include "check/facts.hpp"
#include "config/settings.hpp"
#include "rewrite/own_addresses.hpp"
#include "table/maps.hpp"
#include "table/match_list.hpp"

#include <vector>

namespace ekiden::receive {

class LocalClients {
public:
    LocalClients() = default;
    static LocalClients from(const config::Settings& settings, std::vector<std::string>& problems);
    // A table that fails answers no: such a message gets the careful treatment.
    Task<bool> match(const check::Facts& facts) const;

private:
    bool with_own_addresses_ = false, with_mynetworks_ = false, with_sasl_ = false, with_certificates_ = false,
         with_all_certificates_ = false;
    rewrite::OwnAddresses own_addresses_;
    table::MatchList mynetworks_;
    std::vector<table::Maps> address_maps_;
    table::Maps relay_certificates_;      // relay_clientcerts
};

}  // namespace ekiden::receive
