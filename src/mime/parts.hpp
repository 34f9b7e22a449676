// The MIME structure of a message as it streams by (RFC 2045, 2046): which lines are header of a part or of an attached
// message, and how the body lines in between are encoded.
//
// Every byte that goes in comes out, in order, as a field, the line that ends a header, or body; only a header field over
// the limit loses what is over it. Boundaries are compared by their first `boundary_limit` characters; multiparts
// deeper than `nesting_limit` are reported once and are body. What is held is bounded by one header field or one line of
// at most the boundary's length. Pure; one owner.
#pragma once

#include "mime/header_block.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::mime {

enum class Encoding : std::uint8_t { seven_bit, eight_bit, binary, quoted_printable, base64, other };
enum class MediaType : std::uint8_t {
    leaf,
    multipart,
    digest,
    message,
    other_message
};  // message: message/rfc822 and message/global

struct ContentType {
    MediaType type = MediaType::leaf;
    std::string boundary;   // multipart, digest; "" = none was given
};
// From the body of a Content-Type field; folding, comments and quotes are understood.
ContentType parse_content_type(std::string_view body, std::size_t boundary_limit = 2048);
// From the body of a Content-Transfer-Encoding field; `word` gets the token as it stands.
Encoding parse_encoding(std::string_view body, std::string* word = nullptr);

// Whose header a field belongs to: the message's own, that of a part of a multipart, that of an attached message.
enum class HeaderKind : std::uint8_t { primary, part, nested };

// What the last header said about what follows it.
struct Entity {
    MediaType type = MediaType::leaf;
    Encoding encoding = Encoding::seven_bit;   // what RFC 2045 6.1 assumes where nothing is said
    std::string encoding_word;                 // as it stands; "" = nothing was said
    bool is_composite() const { return type != MediaType::leaf; }
};

class PartReader {
public:
    struct Options {
        bool follows_structure = true;   // false: all that follows the first header is body
        std::size_t nesting_limit = 100, boundary_limit = 2048, field_limit = 102400;
    };
    class Sink {
    public:
        virtual ~Sink() = default;
        virtual void on_field(HeaderKind kind, std::string_view raw) = 0;   // as in Field::raw
        // The header is over; `blank` is "\n", or empty where the body begins without an empty line.
        virtual void on_header_end(HeaderKind kind, const Entity& entity, std::string_view blank) = 0;
        // Any number of lines, cut anywhere. A boundary line comes alone, `is_boundary`, and has no part's encoding.
        virtual void on_body(const Entity& entity, std::string_view text, bool is_boundary) = 0;
        virtual void on_nesting_limit() = 0;
    };

    explicit PartReader(Options options) : options_(options) {}

    // Whoever reads the primary header himself tells its fields and its end, and feeds the body only.
    void note_field(const Field& field);
    void end_noted_header(Sink& sink);
    // Where everything is fed, the primary header comes first.
    void start_with_header() { open_header(HeaderKind::primary); }

    void feed(std::string_view content, Sink& sink);
    void finish(Sink& sink);

    // Does the structure go on below the header that was read last? If not, what is fed is body to the end.
    bool has_structure() const { return !boundaries_.empty() || header_.has_value(); }
    const Entity& entity() const { return entity_; }

private:
    struct Level {
        std::string boundary;
        bool is_digest;
    };
    void open_header(HeaderKind kind);
    void give_fields(Sink& sink);
    void close_header(Sink& sink);
    void start_body(Sink& sink);
    bool is_too_deep(Sink& sink);
    void feed_body(std::string_view content, Sink& sink);
    std::optional<std::size_t> find_boundary(std::string_view line) const;
    void end_line(std::string_view line, Sink& sink);
    void end_boundary(bool has_newline);

    const Options options_;
    std::vector<Level> boundaries_;
    std::optional<HeaderBlock> header_;    // the header being read
    HeaderKind kind_ = HeaderKind::primary;
    Entity entity_;
    ContentType content_type_;
    std::string line_;                     // the beginning of a line that may be a boundary
    bool at_line_start_ = true;
    bool is_in_boundary_ = false;          // the rest of a long boundary line passes by; behind it a part begins
    bool opens_part_ = false;
    bool has_reported_nesting_ = false;
};

}  // namespace ekiden::mime
