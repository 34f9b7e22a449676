// How a Draft sees the MIME structure of its content. Shared by draft_content.cpp and draft_parts.cpp only.
#pragma once

#include "rewrite/draft_state.hpp"

namespace ekiden::rewrite {

// The body waits for tables, or is changed on its way.
class Draft::State::Filter final : public ContentFilter {
public:
    Filter(State& state, const Options& options) : ContentFilter(options), state_(state) {}

private:
    void on_verdict(const ContentRules::Verdict& verdict, std::string_view kind, std::string_view text) override;
    void on_trouble(std::string_view kind) override;
    void look_at_field(mime::HeaderKind kind, const mime::Field& field) override;
    void look_at_header_end(const mime::Entity& entity) override;
    void look_at_body(const mime::Entity& entity, std::string_view text) override;
    void on_nesting_limit() override;
    void stop_if_over();

    State& state_;
};

// The body passes by and is only looked at.
class Draft::State::Watch final : private mime::PartReader::Sink {
public:
    Watch(State& state, const mime::PartReader::Options& options) : state_(state), parts_(options) {}
    mime::PartReader& parts() { return parts_; }
    void end_noted_header() { parts_.end_noted_header(*this); }
    void feed(std::string_view content) { parts_.feed(content, *this); }
    void finish() { parts_.finish(*this); }

private:
    void on_field(mime::HeaderKind kind, std::string_view raw) override
    {
        state_.look_at_field(kind, mime::make_field(raw));
    }
    void on_header_end(mime::HeaderKind, const mime::Entity& entity, std::string_view) override
    {
        state_.look_at_header_end(entity);
    }
    void on_body(const mime::Entity& entity, std::string_view text, bool is_boundary) override
    {
        if (!is_boundary) state_.look_at_body(entity, text);
    }
    void on_nesting_limit() override { state_.look_at_nesting(); }

    State& state_;
    mime::PartReader parts_;
};

}  // namespace ekiden::rewrite
