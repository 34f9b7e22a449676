// Short lines for somebody at night: the verdict first, then why, step by step.
#include "explain/render.hpp"

#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ekiden::explain {

namespace {

// "reject" is what a restriction answers to refuse for now, too.
bool is_for_now(const std::vector<Event>& events)
{
    return std::ranges::any_of(events, [](const Event& event) {
        return (event.what == "reject" && event.value.starts_with('4')) || is_for_now(event.inside);
    });
}

class Page {
public:
    explicit Page(Places& places) : places_(places) {}

    void line(std::size_t depth, std::string_view text)
    {
        out_ += std::string(depth * 2, ' ').append(text).append("\n");
    }
    // A name, and what is said of it in a second column.
    void row(std::size_t depth, std::string_view name, std::string_view text)
    {
        line(depth, text.empty() ? std::string(name) : fmt::format("{:<{}} {}", name, 46 - 2 * depth, text));
    }
    std::string take() { return std::move(out_); }

    void events(const std::vector<Event>& events, std::size_t depth, const std::string& parameter)
    {
        const Event* before = nullptr;    // the same thing may be looked up twice in a row
        for (const Event& event : events) {
            if (!before || !event.inside.empty() || !is_same(*before, event)) this->event(event, depth, parameter);
            before = &event;
        }
    }

private:
    static bool is_same(const Event& a, const Event& b)
    {
        return a.what == b.what && a.name == b.name && a.detail == b.detail && a.value == b.value &&
               a.where == b.where && a.answer == b.answer;
    }
    void event(const Event& event, std::size_t depth, const std::string& parameter)
    {
        if (event.what == "list") {
            if (event.inside.empty() && event.answer == "dunno") return;    // an empty list
            row(depth, event.name, "(" + places_.find(event.name).text() + ")");
            return events(event.inside, depth + 1, event.name);
        }
        if (event.what == "class") {
            row(depth, event.name, fmt::format("{}  (class, {})", event.answer, places_.find(event.name).text()));
            return events(event.inside, depth + 1, event.name);
        }
        if (event.what == "restriction") {
            const std::string name = event.detail.empty() ? event.name : event.name + " " + event.detail;
            const std::string word = event.detail.empty() ? event.name : event.detail;
            const bool is_left_out = !event.inside.empty() && event.inside.front().what == "left out";
            std::string answer = event.answer == "dunno"    ? "-"
                                 : event.answer == "reject" ? is_for_now(event.inside) ? "DEFER" : "REJECT"
                                                            : event.answer;
            if (is_left_out)
                answer = event.name == "check_policy_service"            ? "not asked (--ask-policy asks it)"
                         : event.name.starts_with("reject_unverified_") ? "not asked: it would send a probe"
                                                                        : "not asked";
            if (event.answer == "reject" || event.answer == "permit")
                answer += fmt::format("  ({})", places_.find(parameter, word).text());
            row(depth, name, answer);
            return events(event.inside, depth + 1, parameter);
        }
        fact(event, depth);
    }

    void fact(const Event& event, std::size_t depth)
    {
        if (event.what == "lookup")
            line(depth, fmt::format("{} {}: {} -> {}", event.name, event.where, event.detail, event.value));
        else if (event.what == "trouble")
            line(depth,
                 fmt::format("{} {}: cannot be asked for {}: {}", event.name, event.where, event.detail, event.value));
        else if (event.what == "match")
            line(depth, fmt::format("{}: {}{}{}", event.name, event.value == "no" ? "!" : "", event.where,
                                    event.where == event.detail ? "" : " matches " + event.detail));
        else if (event.what == "reject") line(depth, event.value);
        else if (event.what == "reject_warning") line(depth, "only warned: " + event.value);
        else if (event.what == "defer_if_permit") line(depth, "if nothing refuses: " + event.value);
        else if (event.what == "defer_if_reject") line(depth, "if something refuses: " + event.value);
        else if (event.what == "address") line(depth, fmt::format("{} <{}>", event.name, event.detail));
        else if (event.what == "rewrite")
            line(depth, fmt::format("{}: {} -> {}", event.name, event.detail, event.value));
    }

    Places& places_;
    std::string out_;
};

bool is_class_list(std::string_view parameter)
{
    return parameter == "mydestination" || parameter == "virtual_alias_domains" ||
           parameter == "virtual_mailbox_domains" || parameter == "relay_domains";
}

void print_host(Page& page, const Host& host, std::size_t number)
{
    page.row(2, fmt::format("{}. {}", number, host.relay), host.destination);
    std::string tls = fmt::format("TLS {}{}", host.tls, host.is_wrapped ? " from the first byte" : "");
    if (!host.tls_names.empty()) tls += ", the certificate must be for " + host.tls_names;
    page.line(3, fmt::format("{}  ({})", tls, host.tls_by));
    if (!host.login.empty())
        page.line(3,
                  fmt::format("logs in as {}{}", host.login, host.login_by.empty() ? "" : "  (" + host.login_by + ")"));
}

void print_act(Page& page, const Event& event)
{
    if (event.name == "read") page.line(2, fmt::format("{} {}", event.where, event.value));
    else if (event.name == "command") page.line(2, fmt::format("runs, as user {}: {}", event.detail, event.value));
    else
        page.line(2, fmt::format("writes, as user {}: {}{}", event.detail, event.where,
                                 event.value.empty() ? "" : ": cannot be: " + event.value));
}

void print_delivery(Page& page, const Delivery& delivery, Places& places)
{
    std::string title = "<" + delivery.address + ">";
    if (!delivery.original.empty() && delivery.original != delivery.address)
        title += " (was <" + delivery.original + ">)";
    if (!delivery.forwarded_from.empty()) title += ", sent on by " + delivery.forwarded_from;
    page.line(0, title);
    std::string why, transport_by, next_hop_by;
    for (const Event& event : delivery.route) {
        if (event.what == "match" && event.value == "yes" && is_class_list(event.name) && why.empty())
            why = fmt::format("  ({}: {}, {})", event.name, event.where, places.find(event.name, event.where).text());
        if (event.what == "route")
            (event.detail == "transport" ? transport_by : next_hop_by) =
                fmt::format("  ({}, {})", event.name, places.find(event.name).text());
    }
    if (!delivery.address_class.empty()) page.line(1, fmt::format("class      {}{}", delivery.address_class, why));
    for (const Event& event : delivery.route) {
        if (event.what == "lookup" && !is_class_list(event.name))
            page.line(1, fmt::format("{} {}: {} -> {}", event.name, event.where, event.detail, event.value));
    }
    if (!delivery.transport.empty()) {
        page.line(1, fmt::format("transport  {}{}{}", delivery.transport,
                                 delivery.program.empty() || delivery.program == delivery.transport
                                     ? ""
                                     : " = " + delivery.program + "(8)",
                                 transport_by));
        page.line(1, fmt::format("next hop   {}{}", delivery.next_hop, next_hop_by));
    }
    for (const Event& event : delivery.events) {
        if (event.what == "act") print_act(page, event);
        else if (event.what == "lookup" && !event.name.contains("tls_") && !event.name.ends_with("sasl_password_maps"))
            page.line(2, fmt::format("{} {}: {} -> {}", event.name, event.where, event.detail, event.value));
    }
    for (std::size_t i = 0; i < delivery.hosts.size(); ++i) print_host(page, delivery.hosts[i], i + 1);
    for (const Delivery::End& end : delivery.ends) {
        const char* fate = end.fate == Fate::delivered  ? "ok"
                           : end.fate == Fate::bounced  ? "RETURNED"
                           : end.fate == Fate::deferred ? "WAITS"
                                                        : "?";
        page.line(1, fmt::format("{:<10} {}{}{}{}", fate,
                                 end.address == delivery.address ? "" : "<" + end.address + ">: ", end.code,
                                 end.code.empty() ? "" : " ", end.text));
    }
}

}  // namespace

std::string as_text(const Findings& findings, Places& places)
{
    Page page(places);
    page.line(0, findings.verdict.headline);
    if (!findings.verdict.because.empty()) page.line(0, "  by " + findings.verdict.because);
    page.line(0, "");
    page.line(0, fmt::format("service    {}  ({})", findings.service, findings.service_at.text()));
    page.line(0, fmt::format("client     {}", findings.client));
    page.line(0, fmt::format("session    HELO {}, TLS {}, login {}", findings.helo,
                             findings.is_encrypted ? "yes" : "no", findings.login.empty() ? "none" : findings.login));
    if (findings.relaying.is_known)
        page.line(0, fmt::format("relaying   {}  ({})",
                                 findings.relaying.is_allowed ? "this client may send to anybody"
                                                              : "no: only to our own domains",
                                 findings.relaying.because));
    for (const std::string& note : findings.notes) page.line(0, "note       " + note);
    for (const Step& step : findings.steps) {
        page.line(0, "");
        page.row(0, step.command, step.reply);
        page.events(step.events, 1, {});
    }
    if (!findings.deliveries.empty()) {
        page.line(0, "");
        page.line(0, fmt::format("Queued{}: from <{}>", findings.is_held ? " and held" : "", findings.sender));
    }
    for (const Delivery& delivery : findings.deliveries) {
        page.line(0, "");
        print_delivery(page, delivery, places);
    }
    if (findings.left_out > 0) page.line(0, fmt::format("and {} more recipients", findings.left_out));
    if (!findings.warnings.empty()) page.line(0, "\nThe log would complain:");
    for (const std::string& warning : findings.warnings) page.line(1, warning);
    return page.take();
}

}  // namespace ekiden::explain
