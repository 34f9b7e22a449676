#include "receive/verbs.hpp"

#include "base/text.hpp"
#include "receive/session.hpp"

#include <fmt/format.h>

namespace ekiden::receive {

struct VerbTable {
    static constexpr std::array<Verb, verb_count> rows{{
        {"HELO", &Session::on_helo, is_junk | ends_group | works_without_tls},
        {"EHLO", &Session::on_ehlo, is_junk | ends_group | works_without_tls},
        {"XCLIENT", &Session::on_xclient, is_never_in_order | works_without_tls},
        {"XFORWARD", &Session::on_xforward, 0},
        {"STARTTLS", &Session::on_starttls, works_without_tls},
        {"AUTH", &Session::on_auth, 0},
        {"MAIL", &Session::on_mail, 0},
        {"RCPT", &Session::on_rcpt, 0},
        {"DATA", &Session::on_data, ends_group},
        {"BDAT", &Session::on_bdat, has_payload},
        {"RSET", &Session::on_rset, is_junk},
        {"NOOP", &Session::on_noop, is_junk | ends_group | works_without_tls},
        {"VRFY", &Session::on_vrfy, is_junk | ends_group},
        {"ETRN", &Session::on_etrn, is_junk},
        {"QUIT", &Session::on_quit, works_when_refused | works_without_tls},
        {"UNKNOWN", &Session::on_unknown, works_when_refused | works_without_tls},
    }};
};

std::span<const Verb> verbs() { return VerbTable::rows; }

std::size_t find_verb(std::string_view name)
{
    const auto& rows = VerbTable::rows;
    for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
        if (base::equal_ignoring_case(rows[i].name, name)) return i;
    }
    return rows.size() - 1;
}

std::string Tally::text() const
{
    fmt::memory_buffer out;
    std::uint32_t all_ok = 0, all = 0;
    auto add = [&](std::string_view name, std::uint32_t ok, std::uint32_t total) {
        fmt::format_to(std::back_inserter(out), "{}={}", name, ok);
        if (ok != total || total == 0) fmt::format_to(std::back_inserter(out), "/{}", total);
    };
    for (std::size_t i = 0; i < verb_count; ++i) {
        if (total_[i] == 0) continue;
        add(base::lower(VerbTable::rows[i].name), ok_[i], total_[i]);
        out.push_back(' ');
        all_ok += ok_[i];
        all += total_[i];
    }
    add("commands", all_ok, all);
    return fmt::to_string(out);
}

}  // namespace ekiden::receive
