// The ledger of smtp-source and smtp-sink (--ledger): what was sent and what arrived, one line for each recipient of each
// message, so that the two files together prove that nothing was lost, doubled or changed on the way.
//
// A message carries its mark in its first header line, "X-Ekiden-Ledger: run/sequence/sha256"; the digest covers every byte
// behind that line as it is without dot-stuffing. Servers put their trace headers in front of the mark, where they change
// nothing. Thread: one.
#pragma once

#include "base/fd.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/evp.h>

namespace ekiden::tools {

inline constexpr std::string_view ledger_header = "X-Ekiden-Ledger";

// SHA-256 of message text that comes as it is on the wire: dots at the start of lines doubled, in pieces of any size.
class ContentDigest {
public:
    ContentDigest();
    void add(std::string_view wire_bytes);
    std::string hex();  // ends the digest

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> context_;
    bool is_line_start_ = true;
    bool has_cr_ = false;
};

// Lines "kind sha256 run/sequence recipient", appended to a file: several runs may share one.
class LedgerFile {
public:
    static Result<LedgerFile> open(const std::string& path);

    // Kinds of smtp-source: "offered" before the content is sent, then "accepted" or "refused". Kinds of smtp-sink:
    // "received", and "unmarked" (with "-" for digest and id).
    void add(std::string_view kind, std::string_view digest, std::string_view id, std::string_view recipient);
    // In the file when this returns, though perhaps not yet on the disk.
    Result<void> flush();

private:
    std::string path_;
    Fd file_;
    std::string pending_;
};

// A name for one run of smtp-source that no other run has: 16 hexadecimal digits.
std::string make_ledger_run();

}  // namespace ekiden::tools
