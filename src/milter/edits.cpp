#include "milter/edits.hpp"

#include <algorithm>

namespace ekiden::milter {
namespace {

struct Row {
    Response response;
    Edit::Kind kind;
    bool has_index, has_name, may_have_arguments;
};
constexpr Row rows[] = {
    {Response::add_header, Edit::Kind::add_header, false, true, false},
    {Response::insert_header, Edit::Kind::insert_header, true, true, false},
    {Response::change_header, Edit::Kind::change_header, true, true, false},
    {Response::change_from, Edit::Kind::change_from, false, false, true},
    {Response::add_recipient, Edit::Kind::add_recipient, false, false, false},
    {Response::add_recipient_with_arguments, Edit::Kind::add_recipient, false, false, true},
    {Response::remove_recipient, Edit::Kind::remove_recipient, false, false, false},
    {Response::replace_body, Edit::Kind::replace_body, false, false, false},
};

const Row* find_row(char letter)
{
    const auto row = std::ranges::find(rows, static_cast<Response>(letter), &Row::response);
    return row == std::end(rows) ? nullptr : row;
}

Result<void> add_body(Edits& edits, std::string_view chunk, std::size_t limit)
{
    if (chunk.size() > limit || edits.body.size() > limit - chunk.size())
        return fail(ErrorCode::too_long, "replacement body is larger than a message may be");
    if (!edits.has_body) edits.list.push_back({.kind = Edit::Kind::replace_body});
    edits.has_body = true;
    edits.body += chunk;
    return {};
}

} // namespace

bool is_edit(char letter)
{
    return find_row(letter) != nullptr;
}

Result<void> take_edit(Edits& edits, const Packet& packet, std::size_t body_limit)
{
    const Row* row = find_row(packet.letter);
    if (!row) return fail(ErrorCode::protocol, "not a change");
    if (row->kind == Edit::Kind::replace_body) return add_body(edits, packet.data, body_limit);
    edits.text_size += packet.data.size();
    if (edits.list.size() >= Edits::most_edits || edits.text_size > Edits::most_text)
        return fail(ErrorCode::too_long, "more changes than a message can have");

    Edit edit{.kind = row->kind};
    FieldReader fields(packet.data);
    if (row->has_index) {
        EKIDEN_TRY_VALUE(index, fields.number());
        edit.index = index;
    }
    if (row->has_name) {
        EKIDEN_TRY_VALUE(name, fields.text());
        edit.name = name;
    }
    EKIDEN_TRY_VALUE(value, fields.text());
    edit.value = value;
    if (row->may_have_arguments && !fields.is_at_end()) {
        EKIDEN_TRY_VALUE(arguments, fields.text());
        edit.arguments = arguments;
    }
    if (!row->has_name && std::max(edit.value.size(), edit.arguments.size()) > Edits::longest_address)
        return fail(ErrorCode::too_long, "address is longer than one can be");
    edits.list.push_back(std::move(edit));
    return {};
}

} // namespace ekiden::milter
