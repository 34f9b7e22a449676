// A resolver that leaves out what a filter names (smtp_dns_reply_filter and its relatives). The filter is asked about
// each record of an answer as a line of text, "mx.example. 300 IN AAAA 2001:db8::1" or "example. 300 IN MX 10
// mx.example.", names with their final dot; "IGNORE", in any case, drops the record. An answer of which nothing is left,
// and a filter that does not answer or says anything else, is trouble: try later. Only query_dns() is filtered, since
// query() may answer from /etc/hosts. A question that was asked may outlive this, as long as `inner` is there; any core.
#pragma once

#include "base/log.hpp"
#include "dns/resolver.hpp"

#include <functional>
#include <optional>

namespace ekiden::dns {

class FilteredResolver : public Resolver {
public:
    using Filter = std::function<Task<Result<std::optional<std::string>>>(std::string line)>;
    // `parameter`: what set the filter, for the log.
    FilteredResolver(Resolver& inner, std::string parameter, Filter filter, Logger log)
        : parts_(std::make_shared<const Parts>(inner, std::move(parameter), std::move(filter), std::move(log)))
    {
    }

    Task<Result<Answer>> query(std::string name, Type type) override
    {
        return parts_->inner.query(std::move(name), type);
    }
    Task<Result<Answer>> query_dns(std::string name, Type type) override { return ask(parts_, std::move(name), type); }

private:
    struct Parts {
        Resolver& inner;
        std::string parameter;
        Filter filter;
        Logger log;
    };
    static Task<Result<Answer>> ask(std::shared_ptr<const Parts> parts, std::string name, Type type);
    std::shared_ptr<const Parts> parts_;
};

// Did a filter leave nothing of an answer that there was?
bool is_all_filtered(const Error& error);

// Pure; for filters. A name that has no dot at the end gets one.
std::string line_of(std::string_view name, std::uint32_t ttl, const Record& record);

}  // namespace ekiden::dns
