// An SMTP or LMTP server that follows a persona: a greeting and a list of "line prefix → reply". It records what it
// hears, so that a test can compare the dialogue. "(drop)" closes the connection, "(hang)" says nothing more.
#pragma once

#include "base/text.hpp"
#include "net/line_reader.hpp"
#include "net/listener.hpp"
#include "net/stream.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace ekiden::test {

struct Persona {
    std::string greeting = "220 mx.remote.test ESMTP FakeMX";
    // The first prefix that fits decides; "." is the end of the content, its reply may be several lines for LMTP. "BDAT " is a
    // chunk that is not the last, "LAST" the last one.
    std::vector<std::pair<std::string, std::string>> replies;
};

inline const std::vector<std::pair<std::string, std::string>>& usual_replies()
{
    static const std::vector<std::pair<std::string, std::string>> replies{
        {"EHLO ", "250-mx.remote.test\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250 SMTPUTF8"},
        {"LHLO ", "250-mx.remote.test\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES"},
        {"HELO ", "250 mx.remote.test"},
        {"MAIL ", "250 2.1.0 Ok"},
        {"RCPT ", "250 2.1.5 Ok"},
        {"DATA", "354 End data with <CR><LF>.<CR><LF>"},
        {".", "250 2.0.0 Ok: queued as FAKE0001"},
        {"BDAT ", "250 2.0.0 Ok: that many bytes"},
        {"LAST", "250 2.0.0 Ok: queued as FAKE0001"},
        {"RSET", "250 2.0.0 Ok"},
        {"QUIT", "221 2.0.0 Bye"},
    };
    return replies;
}

// The bytes of a chunk, with LF line ends, behind what was `heard`; false when they do not come.
inline Task<bool> take_chunk(net::LineReader& reader, std::size_t size, std::string& heard)
{
    std::string chunk;
    while (chunk.size() < size) {
        const auto bytes = co_await reader.read_chunk();
        if (!bytes || bytes->empty()) break;
        const std::string_view mine = bytes->substr(0, size - chunk.size());
        chunk += mine;
        reader.consume(mine.size());
    }
    const bool is_whole = chunk.size() == size;
    std::erase(chunk, '\r');
    heard += chunk;
    co_return is_whole;
}

// One conversation on `stream`; `heard` gets every line.
inline Task<void> play(net::Stream& stream, Persona persona, std::string& heard)
{
    net::LineReader reader(stream);
    std::string pending;
    bool is_content = false;
    const auto find = [&](const std::string& line) -> std::string {
        for (const auto& [prefix, reply] : persona.replies) {
            if (line.starts_with(prefix)) return reply;
        }
        for (const auto& [prefix, reply] : usual_replies()) {
            if (line.starts_with(prefix)) return reply;
        }
        return "502 5.5.1 what?";
    };
    if (persona.greeting == "(drop)") co_return;
    if (persona.greeting != "(hang)") {
        if (!co_await stream.write(persona.greeting + "\r\n")) co_return;
    }
    for (;;) {
        auto line = co_await reader.read_line(100'000);
        if (!line) {
            heard += "(closed)\n";
            co_return;
        }
        const std::string text(line->text);
        heard += text + "\n";
        if (is_content && text != ".") continue;
        if (text.starts_with("BDAT ") &&
            !co_await take_chunk(reader, static_cast<std::size_t>(std::strtoull(text.c_str() + 5, nullptr, 10)),
                                 heard)) {
            heard += "(closed)\n";
            co_return;
        }
        const std::string reply = find(text.starts_with("BDAT ") && text.ends_with(" LAST") ? "LAST" : text);
        is_content = !is_content && reply.starts_with("354");
        if (reply == "(hang)") continue;
        if (reply == "(drop)") {
            heard += "(dropped)\n";
            stream.close();
            co_return;
        }
        if (!co_await stream.write(reply + "\r\n")) co_return;
    }
}

// Listens on a loopback address; each connection is a play of its own.
class FakeServer {
public:
    FakeServer(asio::io_context& context, const std::string& address, std::uint16_t port, Persona persona)
        : context_(context), persona_(std::move(persona)), acceptor_(context)
    {
        const asio::ip::tcp::endpoint where(*net::parse_address(address), port);
        acceptor_.open(where.protocol());
        acceptor_.set_option(asio::socket_base::reuse_address(true));
        acceptor_.bind(where);
        acceptor_.listen();
        accept();
    }
    ~FakeServer() { acceptor_.close(); }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    int connections() const { return connections_; }
    // All connections' lines, one connection after the other.
    std::string heard() const
    {
        std::string all;
        for (const auto& text : heard_) all += *text;
        return all;
    }

private:
    void accept()
    {
        acceptor_.async_accept([this](const boost::system::error_code& error,
                                      asio::basic_stream_socket<asio::ip::tcp, net::Executor> socket) {
            if (error) return;
            ++connections_;
            heard_.push_back(std::make_shared<std::string>());
            asio::co_spawn(context_, serve(net::make_stream(std::move(socket)), persona_, heard_.back()),
                           asio::detached);
            accept();
        });
    }
    static Task<void> serve(net::StreamPtr stream, Persona persona, std::shared_ptr<std::string> heard)
    {
        co_await play(*stream, std::move(persona), *heard);
    }
    asio::io_context& context_;
    Persona persona_;
    asio::basic_socket_acceptor<asio::ip::tcp, net::Executor> acceptor_;
    std::vector<std::shared_ptr<std::string>> heard_;
    int connections_ = 0;
};

}  // namespace ekiden::test
