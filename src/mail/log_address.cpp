#include "mail/log_address.hpp"

#include "mail/address.hpp"

#include <atomic>

namespace ekiden::mail {

namespace {
std::atomic<bool> shows_internal_form{false};
}

void use_log_address_form(bool is_internal) { shows_internal_form.store(is_internal, std::memory_order_relaxed); }

std::string log_address(std::string_view internal)
{
    return shows_internal_form.load(std::memory_order_relaxed) ? std::string(internal) : quote_address(internal);
}

}  // namespace ekiden::mail
