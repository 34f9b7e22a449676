#define PCRE2_CODE_UNIT_WIDTH 8

#include "table/regex_engine.hpp"

#include <array>
#include <pcre2.h>
#include <regex.h>
#include <vector>

namespace ekiden::table {

namespace {

std::string unknown_flag(char flag)
{
    return std::string("unknown regexp option \"") + flag + "\": skipping this rule";
}

class PosixRegex final : public Regex {
public:
    ~PosixRegex() override
    {
        if (is_compiled_) regfree(&regex_);
    }
    std::expected<void, std::string> compile(const std::string& pattern, int flags)
    {
        if (const int error = regcomp(&regex_, pattern.c_str(), flags)) {
            char text[256];
            regerror(error, &regex_, text, sizeof text);
            return std::unexpected(std::string(text));
        }
        is_compiled_ = true;
        return {};
    }
    Result<bool> matches(const std::string& subject, std::span<std::string_view> groups) const override
    {
        std::array<regmatch_t, 65> found;
        const std::size_t count = groups.empty() ? 0 : std::min(groups.size() + 1, found.size());
        const int error = regexec(&regex_, subject.c_str(), count, found.data(), 0);
        if (error == REG_NOMATCH) return false;
        if (error) {
            char text[256];
            regerror(error, &regex_, text, sizeof text);
            return fail(ErrorCode::unavailable, text);
        }
        for (std::size_t i = 1; i < count; ++i) {
            groups[i - 1] = {};
            if (found[i].rm_so >= 0) {
                groups[i - 1] =
                    std::string_view(subject).substr(static_cast<std::size_t>(found[i].rm_so),
                                                     static_cast<std::size_t>(found[i].rm_eo - found[i].rm_so));
            }
        }
        return true;
    }
    std::size_t group_count() const override { return regex_.re_nsub; }

private:
    regex_t regex_{};
    bool is_compiled_ = false;
};

// Patterns are the administrator's, subjects are anybody's: a subject made to backtrack ends here.
constexpr std::uint32_t match_limit = 1'000'000;

struct MatchSpace {
    pcre2_match_data* data = pcre2_match_data_create(65, nullptr);
    pcre2_match_context* context = pcre2_match_context_create(nullptr);
    MatchSpace() { pcre2_set_match_limit(context, match_limit); }
    ~MatchSpace()
    {
        pcre2_match_context_free(context);
        pcre2_match_data_free(data);
    }
};

class PcreRegex final : public Regex {
public:
    explicit PcreRegex(pcre2_code* code) : code_(code)
    {
        pcre2_pattern_info(code_, PCRE2_INFO_CAPTURECOUNT, &groups_);
        pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE);  // without it, matching is interpreted
    }
    ~PcreRegex() override { pcre2_code_free(code_); }
    PcreRegex(const PcreRegex&) = delete;
    PcreRegex& operator=(const PcreRegex&) = delete;

    Result<bool> matches(const std::string& subject, std::span<std::string_view> groups) const override
    {
        thread_local MatchSpace space;
        const int found = pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(), 0, 0,
                                      space.data, space.context);
        if (found == PCRE2_ERROR_NOMATCH) return false;
        if (found < 0) {
            PCRE2_UCHAR text[256];
            pcre2_get_error_message(found, text, sizeof text);
            return fail(ErrorCode::unavailable, reinterpret_cast<const char*>(text));
        }
        const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(space.data);
        const std::size_t filled = found == 0 ? 65 : static_cast<std::size_t>(found);
        for (std::size_t i = 1; i <= groups.size(); ++i) {
            groups[i - 1] = {};
            if (i < filled && offsets[2 * i] != PCRE2_UNSET && offsets[2 * i] <= offsets[2 * i + 1]) {
                groups[i - 1] = std::string_view(subject).substr(offsets[2 * i], offsets[2 * i + 1] - offsets[2 * i]);
            }
        }
        return true;
    }
    std::size_t group_count() const override { return groups_; }

private:
    pcre2_code* code_;
    std::uint32_t groups_ = 0;
};

struct PcreFlag {
    char letter;
    std::uint32_t option;
};
constexpr std::array pcre_flags{
    PcreFlag{'i', PCRE2_CASELESS}, PcreFlag{'m', PCRE2_MULTILINE}, PcreFlag{'s', PCRE2_DOTALL},
    PcreFlag{'x', PCRE2_EXTENDED}, PcreFlag{'A', PCRE2_ANCHORED},  PcreFlag{'E', PCRE2_DOLLAR_ENDONLY},
    PcreFlag{'U', PCRE2_UNGREEDY}, PcreFlag{'X', 0},  // PCRE2 always is as strict as X once asked for
};

}  // namespace

std::expected<std::unique_ptr<const Regex>, std::string> compile_posix(const std::string& pattern,
                                                                       std::string_view flags, bool needs_groups)
{
    // Case does not matter and the syntax is "extended" until a flag toggles it.
    int options = REG_ICASE | REG_EXTENDED;
    for (char flag : flags) {
        if (flag == 'i') options ^= REG_ICASE;
        else if (flag == 'm') options ^= REG_NEWLINE;
        else if (flag == 'x') options ^= REG_EXTENDED;
        else return std::unexpected(unknown_flag(flag));
    }
    // REG_NOSUB would also hide re_nsub on some systems; it is set only where nobody asks for groups.
    if (!needs_groups) options |= REG_NOSUB;
    auto regex = std::make_unique<PosixRegex>();
    if (auto compiled = regex->compile(pattern, options); !compiled) return std::unexpected(compiled.error());
    return regex;
}

std::expected<std::unique_ptr<const Regex>, std::string> compile_pcre(const std::string& pattern,
                                                                      std::string_view flags)
{
    std::uint32_t options = PCRE2_CASELESS | PCRE2_DOTALL;
    for (char flag : flags) {
        bool is_known = false;
        for (const PcreFlag& known : pcre_flags) {
            if (known.letter != flag) continue;
            options ^= known.option;
            is_known = true;
        }
        if (!is_known) return std::unexpected(unknown_flag(flag));
    }
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_code* code =
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error, &offset, nullptr);
    if (!code) {
        PCRE2_UCHAR text[256];
        pcre2_get_error_message(error, text, sizeof text);
        return std::unexpected("error in regex at offset " + std::to_string(offset) + ": " +
                               reinterpret_cast<const char*>(text));
    }
    return std::make_unique<PcreRegex>(code);
}

}  // namespace ekiden::table
