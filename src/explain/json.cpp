#include "explain/render.hpp"

#include "base/json_text.hpp"

#include <fmt/format.h>

namespace ekiden::explain {

namespace {

using base::json_text;

// Commas between the members of one object or list.
class Writer {
public:
    void open(char bracket) { before(), out_ += bracket, is_first_ = true; }
    void close(char bracket) { out_ += bracket, is_first_ = false; }
    void key(std::string_view name) { before(), out_ += json_text(name) + ": ", is_first_ = true; }
    void text(std::string_view value) { before(), out_ += json_text(value); }
    void raw(std::string_view value) { before(), out_ += value; }
    void member(std::string_view name, std::string_view value) { key(name), text(value); }
    void member_if(std::string_view name, std::string_view value)
    {
        if (!value.empty()) member(name, value);
    }
    void flag(std::string_view name, bool value) { key(name), raw(value ? "true" : "false"); }
    void number(std::string_view name, std::int64_t value) { key(name), raw(std::to_string(value)); }
    void place(std::string_view name, const Place& place)
    {
        key(name);
        if (place.file.empty()) return raw("null");
        open('{');
        member("file", place.file);
        number("line", place.line);
        close('}');
    }
    std::string take() { return std::move(out_) + "\n"; }

private:
    void before()
    {
        if (!is_first_) out_ += ", ";
        is_first_ = false;
    }
    std::string out_;
    bool is_first_ = true;
};

void write_event(Writer& json, const Event& event, Places& places, const std::string& parameter)
{
    json.open('{');
    json.member("what", event.what);
    json.member_if("name", event.name);
    const bool is_fact = event.what != "list" && event.what != "class" && event.what != "restriction";
    json.member_if(is_fact ? "key" : "argument", event.detail);
    json.member_if("value", event.value);
    json.member_if("where", event.where);
    json.member_if("answer", event.answer);
    const bool is_list = event.what == "list" || event.what == "class";
    if (is_list) json.place("at", places.find(event.name));
    else if (!is_fact && !parameter.empty())
        json.place("at", places.find(parameter, event.detail.empty() ? event.name : event.detail));
    if (!event.inside.empty()) {
        json.key("events");
        json.open('[');
        for (const Event& part : event.inside) write_event(json, part, places, is_list ? event.name : parameter);
        json.close(']');
    }
    json.close('}');
}

void write_events(Writer& json, std::string_view name, const std::vector<Event>& events, Places& places)
{
    json.key(name);
    json.open('[');
    for (const Event& event : events) write_event(json, event, places, {});
    json.close(']');
}

std::string_view name_of(Fate fate)
{
    switch (fate) {
    case Fate::delivered: return "delivered";
    case Fate::deferred: return "deferred";
    case Fate::bounced: return "bounced";
    case Fate::unknown: break;
    }
    return "unknown";
}

void write_delivery(Writer& json, const Delivery& delivery, Places& places)
{
    json.open('{');
    json.member("address", delivery.address);
    json.member_if("original", delivery.original);
    json.member_if("forwarded_from", delivery.forwarded_from);
    json.member_if("class", delivery.address_class);
    json.member_if("transport", delivery.transport);
    json.member_if("program", delivery.program);
    json.member_if("next_hop", delivery.next_hop);
    json.place("transport_at", delivery.transport_at);
    write_events(json, "route", delivery.route, places);
    write_events(json, "events", delivery.events, places);
    json.key("hosts");
    json.open('[');
    for (const Host& host : delivery.hosts) {
        json.open('{');
        json.member("relay", host.relay);
        json.member("destination", host.destination);
        json.member("tls", host.tls);
        json.member_if("tls_names", host.tls_names);
        json.member("tls_by", host.tls_by);
        json.flag("tls_wrapped", host.is_wrapped);
        json.member_if("login", host.login);
        json.member_if("login_by", host.login_by);
        json.close('}');
    }
    json.close(']');
    json.key("ends");
    json.open('[');
    for (const Delivery::End& end : delivery.ends) {
        json.open('{');
        json.member("address", end.address);
        json.member("fate", name_of(end.fate));
        json.member_if("code", end.code);
        json.member("text", end.text);
        json.close('}');
    }
    json.close(']');
    json.close('}');
}

void write_list(Writer& json, std::string_view name, const std::vector<std::string>& texts)
{
    json.key(name);
    json.open('[');
    for (const std::string& text : texts) json.text(text);
    json.close(']');
}

}  // namespace

std::string as_json(const Findings& findings, Places& places)
{
    Writer json;
    json.open('{');
    json.key("verdict");
    json.open('{');
    json.number("status", findings.verdict.status);
    json.member("text", findings.verdict.headline);
    json.member("because", findings.verdict.because);
    json.close('}');
    json.member("service", findings.service);
    json.place("service_at", findings.service_at);
    json.member("client", findings.client);
    json.member("helo", findings.helo);
    json.flag("tls", findings.is_encrypted);
    json.member_if("login", findings.login);
    json.key("relaying");
    if (findings.relaying.is_known) {
        json.open('{');
        json.flag("allowed", findings.relaying.is_allowed);
        json.member("because", findings.relaying.because);
        json.close('}');
    } else {
        json.raw("null");
    }
    write_list(json, "notes", findings.notes);
    write_list(json, "warnings", findings.warnings);
    json.key("steps");
    json.open('[');
    for (const Step& step : findings.steps) {
        json.open('{');
        json.member("command", step.command);
        json.number("code", step.code);
        json.member("reply", step.reply);
        write_events(json, "events", step.events, places);
        json.close('}');
    }
    json.close(']');
    json.flag("queued", findings.is_queued);
    json.flag("held", findings.is_held);
    if (findings.is_queued) json.member("sender", findings.sender);
    json.key("recipients");
    json.open('[');
    for (const Delivery& delivery : findings.deliveries) write_delivery(json, delivery, places);
    json.close(']');
    json.number("recipients_left_out", static_cast<std::int64_t>(findings.left_out));
    json.close('}');
    return json.take();
}

}  // namespace ekiden::explain
