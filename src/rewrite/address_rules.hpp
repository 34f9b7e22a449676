// What the tables of an administrator do to addresses as mail comes in: canonical (canonical(5)), masquerading, virtual
// aliases (virtual(5)). The order is ADDRESS_REWRITING_README's: completion, *_canonical_maps, canonical_maps,
// masquerading; then, for recipients of the envelope only, virtual aliases.
//
// A table that fails, a mapping without end and an expansion without bounds are Faults: the message is not accepted, the
// sender tries again later. Immutable; any core.
#pragma once

#include "rewrite/resolve.hpp"
#include "table/maps.hpp"
#include "table/match_list.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::rewrite {

// Where an address stands; canonical_classes and masquerade_classes choose among these.
enum class Place : std::uint8_t {
    envelope_sender = 1,
    envelope_recipient = 2,
    header_sender = 4,
    header_recipient = 8
};

class AddressRules {
public:
    struct Fault {
        bool is_expansion = false;   // "Alias expansion error" rather than a table that does not answer
        std::string text;            // for the log, behind "warning: QUEUEID: "
    };
    static Fault lookup_problem(const table::Maps& maps, std::string_view address);
    // A table whose answer holds no address.
    Fault no_address(const table::Maps& maps, std::string_view key, std::string_view value) const;
    template <class T>
    using Outcome = std::expected<T, Fault>;

    static AddressRules from(const config::Settings& settings, std::shared_ptr<const Resolver> resolver,
                             const Logger* log = nullptr);

    // Must rewrite() be awaited for an address in this place? When not, rewrite_now() does the same at once.
    bool has_maps_for(Place place) const;
    bool has_masquerading_for(Place place) const
    {
        return has(masquerade_classes_, place) && !masquerade_domains_.empty();
    }
    // Completed addresses in and out. `id_text` is for the log.
    std::string rewrite_now(std::string address, Place place) const;
    Task<Outcome<std::string>> rewrite(std::string address, Place place, std::string_view id_text = {}) const;

    bool has_aliases() const { return !virtual_alias_.is_empty(); }
    // The addresses a recipient stands for, in order; itself when there is no alias.
    Task<Outcome<std::vector<std::string>>> expand(std::string address) const;

    // The right-hand side of a table as one address ("@other.domain" keeps the local part), with the extension put on.
    std::string result_address(std::string_view text, std::string_view original, std::string_view extension,
                               bool* has_several = nullptr) const;

    const Resolver& resolver() const { return *resolver_; }

private:
    static bool has(std::uint8_t classes, Place place) { return classes & static_cast<std::uint8_t>(place); }
    // sender_canonical_maps or recipient_canonical_maps, where their classes have this place; else an empty one.
    const table::Maps& own_maps(Place place) const;
    Task<Outcome<std::string>> apply(const table::Maps& maps, std::string address, std::string_view id_text) const;
    Task<std::expected<std::optional<table::Maps::AddressAnswer>, Fault>> look_up(const table::Maps& maps,
                                                                                  std::string address) const;
    void masquerade(std::string& address) const;

    std::shared_ptr<const Resolver> resolver_;
    table::Maps canonical_, sender_canonical_, recipient_canonical_, virtual_alias_;
    std::uint8_t canonical_classes_ = 0, sender_canonical_classes_ = 0, recipient_canonical_classes_ = 0,
                 masquerade_classes_ = 0;
    std::vector<std::string> masquerade_domains_;
    table::MatchList masquerade_exceptions_;
    bool propagates_canonical_ = false, propagates_virtual_ = false;
    std::string recipient_delimiter_, origin_;
    std::size_t recursion_limit_ = 1000, expansion_limit_ = 1000, length_limit_ = 1000;
    const Logger* log_ = nullptr;
};

}  // namespace ekiden::rewrite
