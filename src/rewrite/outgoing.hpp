// What happens to a message as it leaves through an SMTP or LMTP client: smtp_generic_maps, smtp_header_checks and its
// like, and the conversion of 8-bit content for a peer without 8BITMIME. The queued message stays as it is.
//
// A client keeps one Outgoing for a settings snapshot (immutable, any core) and makes one OutgoingContent for each
// transaction that needs one (one owner, one core).
#pragma once

#include "mail/status.hpp"
#include "rewrite/content_filter.hpp"
#include "rewrite/generic.hpp"

#include <memory>
#include <optional>
#include <string>

namespace ekiden::rewrite {

// Why a message cannot be sent as it should. `status.text` lacks the peer where `names_peer` says that it goes behind it.
struct OutgoingProblem {
    bool is_permanent = false;
    mail::Status status;
    bool names_peer = false;
};

class Outgoing {
public:
    Outgoing() = default;   // changes nothing
    // `prefix`: "smtp_" or "lmtp_".
    static Outgoing from(const config::SettingsPtr& settings, const std::string& prefix);

    const Generic& generic() const { return generic_; }
    const ContentRules& rules() const { return rules_; }
    const mime::PartReader::Options& parts() const { return parts_; }
    // `is_eight_bit`: the message was declared 8BITMIME.
    bool converts(bool is_eight_bit, bool peer_takes_eight_bit) const
    {
        return may_convert_ && is_eight_bit && !peer_takes_eight_bit;
    }
    bool changes_content(bool converting) const
    {
        return converting || !generic_.is_empty() || rules_.has_header_rules() || rules_.has_part_rules() ||
               rules_.has_body_rules();
    }

private:
    Generic generic_;
    ContentRules rules_;
    mime::PartReader::Options parts_;
    bool may_convert_ = true;
};

class OutgoingContent final : public ContentFilter {
public:
    // References outlive it. `id_text` is for the log.
    OutgoingContent(const Outgoing& outgoing, bool converting, std::string id_text, const Logger& log);

    // Set when feed() or finish() gave false.
    const OutgoingProblem& problem() const { return problem_; }

private:
    void on_verdict(const ContentRules::Verdict& verdict, std::string_view kind, std::string_view text) override;
    void on_trouble(std::string_view kind) override;
    Task<void> emit_own_field(std::string text, std::string& out) override;
    void on_nesting_limit() override;

    const Outgoing& outgoing_;
    const bool converting_;
    const std::string id_text_;
    const Logger& log_;
    OutgoingProblem problem_;
};

OutgoingProblem local_data_error();

}  // namespace ekiden::rewrite
