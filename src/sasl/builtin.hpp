// Logins from Ekiden's own password file (smtpd_sasl_type = ekiden): PLAIN, LOGIN, SCRAM-SHA-256 and, where the channel
// has a binding, SCRAM-SHA-256-PLUS. What the file looks like is in password_file.hpp, how it is made in ekiden-passwd(1).
//
// The file is read when the backend is made and again when it changes (looked at once a second at most, on the pool: a
// login waits for that look, a greeting does not and offers what the last one saw).
// While it cannot be read every login is *try later*; a bad line of it is named in the log and is nobody's login.
// Hashing runs on the pool, a few at a time; when too many wait, or one waits too long, the answer is *try later*, so
// that guessing holds up neither the cores nor the other users of the pool. An unknown user takes the same steps and
// the same time as a known one with a wrong password.
//
// Names: `alice` is looked up as `alice@$smtpd_sasl_local_domain`, then bare; a name with `@` as it is. Answer::user of
// a login is the name as the file has it, so that one login has one name (smtpd_sender_login_maps).
#pragma once

#include "base/log.hpp"
#include "net/blocking.hpp"
#include "sasl/backend.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ekiden::sasl {

struct BuiltinOptions {
    std::string path;
    net::BlockingPool* pool = nullptr;    // outlives the backend
    Logger log;
    // Hashes at work at once; those that wait for their turn; how long one may wait for its answer. All backends of one
    // pool share them.
    std::size_t max_working = 2, max_waiting = 200;
    std::chrono::milliseconds time_limit{10'000};
};

// Reads the file: call it where files may be opened (start, reload), with the rights to read it. Without a pool nothing
// is read and nobody can log in (null): settings are only being checked.
BackendPtr make_builtin(BuiltinOptions options);

// Is the mechanism possible in this session? -PLUS needs a channel binding: to be left out of the EHLO line without
// one. A session that does not offer -PLUS for another reason (smtpd_sasl_mechanism_filter) must leave both bindings of
// the Peer empty, else a client that saw no -PLUS and says so is taken for the victim of a downgrade.
bool is_possible(const Mechanism& mechanism, const Peer& peer);

// Where the file is: smtpd_sasl_path, relative to the configuration directory; left at its default "smtpd" (a name for
// Cyrus): `logins` there.
std::string builtin_path(std::string_view smtpd_sasl_path, std::string_view config_directory);

// What is wrong with the file, one text each, for `postfix check`: not readable, readable by everybody, bad lines.
std::vector<std::string> builtin_problems(const std::string& path);

}  // namespace ekiden::sasl
