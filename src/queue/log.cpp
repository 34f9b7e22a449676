#include "queue/log.hpp"

namespace ekiden::queue {

void Log::add_live(Place place)
{
    if (auto at = segments.find(place.segment); at != segments.end()) at->second->live += place.length;
    counts.live_bytes += place.length;
}

void Log::drop_live(Place place)
{
    counts.live_bytes -= place.length;
    auto at = segments.find(place.segment);
    if (at == segments.end()) return;
    at->second->live -= place.length;
    if (at->second->live == 0) has_empty_segment = true;
}

void Log::add_live(const Entry& entry)
{
    add_live(entry.accept);
    for (const Place& place : entry.content.all()) add_live(place);
    for (const Place& place : entry.chain.all()) add_live(place);
}

void Log::drop_live(const Entry& entry)
{
    drop_live(entry.accept);
    for (const Place& place : entry.content.all()) drop_live(place);
    for (const Place& place : entry.chain.all()) drop_live(place);
}

}  // namespace ekiden::queue
