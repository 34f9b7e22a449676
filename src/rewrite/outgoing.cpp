#include "rewrite/outgoing.hpp"

#include <fmt/format.h>

namespace ekiden::rewrite {

namespace {

constexpr std::size_t logged_text = 200;   // characters of a header or body line in a log line

mime::PartReader::Options part_options(const config::Settings& settings)
{
    return {
        .nesting_limit = static_cast<std::size_t>(settings.integer("mime_nesting_limit")),
        .boundary_limit = static_cast<std::size_t>(settings.integer("mime_boundary_length_limit")),
        .field_limit = static_cast<std::size_t>(settings.integer("header_size_limit")),
    };
}

}  // namespace

OutgoingProblem local_data_error() { return {false, {"4.3.0", "local data error while talking to "}, true}; }

Outgoing Outgoing::from(const config::SettingsPtr& settings, const std::string& prefix)
{
    Outgoing outgoing;
    outgoing.generic_ = Generic::from(settings, prefix + "generic_maps");
    outgoing.rules_ = ContentRules::from(*settings, prefix);
    outgoing.parts_ = part_options(*settings);
    outgoing.may_convert_ = !settings->boolean("disable_mime_output_conversion");
    return outgoing;
}

OutgoingContent::OutgoingContent(const Outgoing& outgoing, bool converting, std::string id_text, const Logger& log)
    : ContentFilter({
          .rules = &outgoing.rules(),
          .checks_headers = outgoing.rules().has_header_rules() || outgoing.rules().has_part_rules(),
          .checks_body = outgoing.rules().has_body_rules(),
          .converts = converting,
          .parts = outgoing.parts(),
          .log = &log,
      }),
      outgoing_(outgoing), converting_(converting), id_text_(std::move(id_text)), log_(log)
{
    parts().start_with_header();
}

void OutgoingContent::on_verdict(const ContentRules::Verdict& verdict, std::string_view kind, std::string_view text)
{
    const auto word = log_word(verdict.action);
    if (word.empty()) return;
    log_.info("{}: {}: {} {}{}{}", id_text_, word, kind, text.substr(0, logged_text), verdict.text.empty() ? "" : ": ",
              verdict.text);
}

void OutgoingContent::on_trouble(std::string_view kind)
{
    log_.warning("{}: smtp {} checks lookup error", id_text_, kind);
    problem_ = local_data_error();
}

Task<void> OutgoingContent::emit_own_field(std::string text, std::string& out)
{
    if (outgoing_.generic().is_empty()) {
        out += text;
        co_return;
    }
    Result<std::string> mapped = co_await outgoing_.generic().map_field(std::move(text), &log_);
    if (mapped) {
        out += *mapped;
        co_return;
    }
    log_.warning("{}: {}", id_text_, mapped.error().text());
    problem_ = local_data_error();
    stop();
}

// Deeper parts would go out as they are, which is no harm unless they had to be converted.
void OutgoingContent::on_nesting_limit()
{
    if (!converting_) return;
    problem_ = {true, {"5.6.0", "MIME nesting exceeds safety limit"}, false};
    stop();
}

}  // namespace ekiden::rewrite
