// link: smtp mail
// The first byte chooses MAIL or RCPT and what is allowed; an address that is accepted holds no control bytes, and survives being written down
// and read again.
#include "smtp/paths.hpp"

#include "base/assert.hpp"
#include "mail/address.hpp"
#include "smtp/xtext.hpp"

#include <cstdint>

using namespace ekiden;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const std::string_view arguments(reinterpret_cast<const char*>(data) + 1, size - 1);
    const bool is_mail = data[0] & 1;
    const smtp::Path path = smtp::parse_path(arguments, is_mail ? "FROM" : "TO", data[0] & 2);
    if (path.problem != smtp::Path::Problem::none) return 0;
    for (char c : path.address) EKIDEN_ASSERT(static_cast<unsigned char>(c) >= 32 && c != 127);
    EKIDEN_ASSERT(path.parameters().size() <= smtp::max_parameters);

    std::string again;
    const bool is_good = smtp::parse_address("<" + mail::quote_address(path.address) + ">", again);
    // Domains are not quoted, so only addresses whose domain is plain come back.
    if (mail::split_address(path.address).domain.find_first_of(" \"\\()<>[]:;,") == std::string_view::npos)
        EKIDEN_ASSERT(is_good && again == path.address);

    if (is_mail) {
        const auto parameters = smtp::parse_mail_parameters(path, {.with_verp = (data[0] & 4) != 0});
        if (parameters) {
            EKIDEN_ASSERT(parameters->envid.size() <= arguments.size() && parameters->size <= INT64_MAX);
            EKIDEN_ASSERT(parameters->verp_delimiters.empty() ||
                          (parameters->verp_delimiters.size() == 2 && !path.address.empty()));
        } else {
            EKIDEN_ASSERT(parameters.error().code >= 500);
        }
    } else {
        std::string_view unknown;
        const auto parameters = smtp::parse_recipient_parameters(path, {}, unknown);
        if (parameters)
            for (char c : parameters->original) EKIDEN_ASSERT(static_cast<unsigned char>(c) >= 32 && c != 127);
    }
    return 0;
}
