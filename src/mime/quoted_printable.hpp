// Text → quoted-printable (RFC 2045 6.7), for mail that must go through a peer without 8BITMIME. Lines end in LF; any
// chunking. One owner.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ekiden::mime {

class QuotedPrintable {
public:
    void encode(std::string_view text, std::string& out);
    void finish(std::string& out);   // what was held back of a line without an end

private:
    void put(char c, std::string& out);
    void put_encoded(char c, std::string& out);
    void make_room(std::string& out);

    std::size_t column_ = 0;
    char held_ = '\0';   // a blank that may turn out to end its line
};

}  // namespace ekiden::mime
