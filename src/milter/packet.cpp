#include "milter/packet.hpp"

#include <fmt/format.h>

namespace ekiden::milter {
namespace {

constexpr std::size_t length_size = 4;

std::uint32_t read_number(std::string_view bytes)
{
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < length_size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

void write_number(char* at, std::uint32_t value)
{
    for (std::size_t i = 0; i < length_size; ++i) at[i] = static_cast<char>(value >> (24 - 8 * i));
}

} // namespace

PacketWriter::PacketWriter(std::string& out, Command command) : out_(out), begin_(out.size())
{
    out_.append(length_size, '\0') += static_cast<char>(command);
}

void PacketWriter::close()
{
    write_number(out_.data() + begin_, static_cast<std::uint32_t>(out_.size() - begin_ - length_size));
}

PacketWriter& PacketWriter::letter(char c)
{
    out_ += c;
    return *this;
}

PacketWriter& PacketWriter::number(std::uint32_t value)
{
    char bytes[length_size];
    write_number(bytes, value);
    out_.append(bytes, length_size);
    return *this;
}

PacketWriter& PacketWriter::short_number(std::uint16_t value)
{
    out_ += static_cast<char>(value >> 8);
    out_ += static_cast<char>(value & 0xff);
    return *this;
}

PacketWriter& PacketWriter::text(std::string_view value)
{
    out_.append(value.substr(0, value.find('\0'))) += '\0';
    return *this;
}

PacketWriter& PacketWriter::bytes(std::string_view value)
{
    out_ += value;
    return *this;
}

Result<std::optional<Packet>> take_packet(std::string_view& bytes)
{
    if (bytes.size() < length_size) return std::nullopt;
    const std::uint32_t length = read_number(bytes);
    if (length == 0) return fail(ErrorCode::protocol, "packet without a command");
    if (length > max_packet)
        return fail(ErrorCode::too_long, fmt::format("unreasonable packet length: {} > {}", length, max_packet));
    if (bytes.size() - length_size < length) return std::nullopt;
    Packet packet{bytes[length_size], bytes.substr(length_size + 1, length - 1)};
    bytes.remove_prefix(length_size + length);
    return packet;
}

Result<std::uint32_t> FieldReader::number()
{
    if (rest_.size() < length_size) return fail(ErrorCode::protocol, "input packet too short for network long");
    const std::uint32_t value = read_number(rest_);
    rest_.remove_prefix(length_size);
    return value;
}

Result<std::string_view> FieldReader::text()
{
    const std::size_t end = rest_.find('\0');
    if (end == rest_.npos) return fail(ErrorCode::protocol, "missing string null terminator");
    const std::string_view value = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return value;
}

} // namespace ekiden::milter
