// "Is X meant?": of the candidates that one after the other looks at, the one that takes the fewest edits, the first of
// several. ASCII case does not count. The candidate found is a view of what was given.
#pragma once

#include "base/text.hpp"

#include <string>
#include <string_view>

namespace ekiden::base {

class Nearest {
public:
    // One that takes more edits than `most` is not meant.
    Nearest(std::string_view word, int most) : word_(lower(word)), limit_(most + 1) {}

    void look_at(std::string_view candidate)
    {
        const int edits = edit_distance(word_, lower(candidate), limit_);
        if (edits >= limit_) return;
        limit_ = edits;
        best_ = candidate;
    }
    // Or "".
    std::string_view best() const { return best_; }

private:
    std::string word_;
    int limit_;    // fewer are better
    std::string_view best_;
};

template <class Candidates>
std::string_view nearest(std::string_view word, const Candidates& candidates, int most)
{
    Nearest nearest(word, most);
    for (const std::string_view candidate : candidates) nearest.look_at(candidate);
    return nearest.best();
}

}  // namespace ekiden::base
