// What `ekiden explain` is asked: its command line, read and bounded. Pure.
#pragma once

#include "base/result.hpp"
#include "net/endpoint.hpp"

#include <string>
#include <vector>

namespace ekiden::explain {

struct Question {
    std::string sender, recipient;        // as a client would write them between < and >
    net::Address client;                  // 127.0.0.1 unless it was told
    std::string helo;                     // empty: the client's address in brackets
    std::string login;                    // --sasl-user; empty: has not logged in
    bool is_encrypted = false;            // --tls
    std::string service;                  // the first column of master.cf; empty: smtp, or the first smtpd line
    std::string directory;                // -c
    std::string message_file;             // --message; empty: a message made for the occasion
    bool is_json = false, asks_policy = false, wants_help = false;
};

extern const char usage[];

// An error's text says what is wrong with the command line. `words` is what follows the command's name.
Result<Question> parse_question(const std::vector<std::string>& words);

}  // namespace ekiden::explain
