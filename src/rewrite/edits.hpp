// The content of a Draft as milters see it, and what they have changed in it: header, body, sender, recipients. Read
// from what is about to be committed, and written anew only if something has changed. Lives as long as the milters are
// asked; the header is held in memory, the body is read piece by piece. Not for other folders.
#pragma once

#include "milter/chain.hpp"
#include "rewrite/draft_state.hpp"

namespace ekiden::rewrite {

class StoredMessage final : public milter::Message {
public:
    StoredMessage(Draft::State& state, const queue::ContentWriter& content) : state_(state), content_(content) {}

    // Reads the header; before everything else.
    Task<Result<void>> load();
    bool has_changed() const { return has_changed_; }
    // The changed content into `out`.
    Task<Result<void>> store(queue::ContentWriter& out);

    // What milters are told of: not the Received field that is ours.
    std::size_t field_count() const override { return fields_.size() - (own_ ? 1 : 0); }
    Field field(std::size_t index) const override;
    Task<Result<void>> open_body() override;
    Task<Result<std::string_view>> next_body() override;
    Task<milter::Answer> apply(milter::Edits edits) override;
    std::size_t body_limit() const override;

private:
    Task<bool> apply_header(const milter::Edit& edit, bool keeps_blanks);
    std::size_t place_of(const milter::Edit& edit) const;
    void apply_sender(const milter::Edit& edit);
    void apply_recipient(const milter::Edit& edit);

    Draft::State& state_;
    const queue::ContentWriter& content_;
    std::vector<std::string> fields_; // each with its final newline
    std::optional<std::size_t> own_;  // which of them is our Received field
    bool has_blank_line_ = false;
    std::uint64_t body_at_ = 0;           // in the content
    std::optional<std::string> new_body_; // LF line ends
    std::unique_ptr<queue::ContentReader> reader_;
    std::uint64_t to_skip_ = 0; // until the body begins
    bool is_at_end_ = false;
    bool has_changed_ = false;
};

} // namespace ekiden::rewrite
