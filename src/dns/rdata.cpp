#include "dns/rdata.hpp"

#include "base/text.hpp"

#include <cstring>

namespace ekiden::dns {

namespace {

constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_label = 63;

bool is_label_byte(char c) { return c > 32 && c < 127 && c != '.' && c != '\\' && c != '"'; }

std::optional<std::uint16_t> take_number(std::string_view& wire)
{
    if (wire.size() < 2) return std::nullopt;
    const auto high = static_cast<std::uint8_t>(wire[0]);
    const auto low = static_cast<std::uint8_t>(wire[1]);
    wire.remove_prefix(2);
    return static_cast<std::uint16_t>(high << 8 | low);
}

// The character strings of a TXT record, joined.
std::optional<std::string> take_strings(std::string_view wire)
{
    std::string joined;
    while (!wire.empty()) {
        const auto length = static_cast<std::uint8_t>(wire.front());
        if (wire.size() < length + 1U) return std::nullopt;
        joined.append(wire.substr(1, length));
        wire.remove_prefix(length + 1U);
    }
    return joined;
}

}  // namespace

std::optional<std::string> take_name(std::string_view& wire)
{
    std::string name;
    for (;;) {
        if (wire.empty()) return std::nullopt;
        const auto length = static_cast<std::uint8_t>(wire.front());
        wire.remove_prefix(1);
        if (length == 0) return name;
        if (length > longest_label || wire.size() < length) return std::nullopt;
        if (!name.empty()) name.push_back('.');
        for (const char c : wire.substr(0, length)) {
            if (!is_label_byte(c)) return std::nullopt;
            name.push_back(base::to_lower(c));
        }
        if (name.size() > longest_name) return std::nullopt;
        wire.remove_prefix(length);
    }
}

std::optional<Record> parse_rdata(Type type, std::string_view data)
{
    Record record{};
    record.type = type;
    switch (type) {
    case Type::a: {
        boost::asio::ip::address_v4::bytes_type bytes;
        if (data.size() != bytes.size()) return std::nullopt;
        std::memcpy(bytes.data(), data.data(), bytes.size());
        record.address = boost::asio::ip::address_v4(bytes);
        return record;
    }
    case Type::aaaa: {
        boost::asio::ip::address_v6::bytes_type bytes;
        if (data.size() != bytes.size()) return std::nullopt;
        std::memcpy(bytes.data(), data.data(), bytes.size());
        record.address = boost::asio::ip::address_v6(bytes);
        return record;
    }
    case Type::mx: {
        const auto preference = take_number(data);
        if (!preference) return std::nullopt;
        record.preference = *preference;
        [[fallthrough]];
    }
    case Type::ns:
    case Type::cname:
    case Type::ptr: {
        auto name = take_name(data);
        if (!name || !data.empty()) return std::nullopt;
        record.name = std::move(*name);
        return record;
    }
    case Type::srv: {
        const auto priority = take_number(data);
        const auto weight = take_number(data);
        const auto port = take_number(data);
        if (!priority || !weight || !port) return std::nullopt;
        auto name = take_name(data);
        if (!name || !data.empty()) return std::nullopt;
        record.preference = *priority;
        record.name = std::move(*name);
        record.text = std::to_string(*weight) + " " + std::to_string(*port);
        return record;
    }
    case Type::txt: {
        auto text = take_strings(data);
        if (!text) return std::nullopt;
        record.text = std::move(*text);
        return record;
    }
    case Type::tlsa:
        record.text = data;
        return record;
    }
    return std::nullopt;
}

bool is_askable(std::string_view name)
{
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty() || name.size() > longest_name) return false;
    for (std::string_view label : base::split(name, '.')) {
        if (label.empty() || label.size() > longest_label) return false;
        for (const char c : label) {
            if (!is_label_byte(c)) return false;
        }
    }
    return true;
}

}  // namespace ekiden::dns
