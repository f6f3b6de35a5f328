#pragma once

// timers: deadlines in an intrusive red-black tree, the earliest at hand.
//
// A timer is a node of its owner (a blocked thread, a process), so that arming allocates nothing and
// disarming needs no search. A binary heap would arm faster and cancel slower; here nearly every timer is
// cancelled before it expires.

#include "vk/base/time.hpp"

#include <boost/intrusive/set.hpp>

namespace vk {

struct timer
    : boost::intrusive::set_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>,
                                      boost::intrusive::optimize_size<true>> {
    nanoseconds deadline = never;

    bool armed() const noexcept { return is_linked(); }
};

class timers {
public:
    /// Arm `node` at `deadline`; it must not be armed. Equal deadlines expire in the order of arming.
    void arm(timer& node, nanoseconds deadline) noexcept
    {
        node.deadline = deadline;
        tree_.insert(node);
    }

    /// Disarm `node` if it is armed, which must be here. One that is destroyed armed disarms itself, but walks
    /// up to the root for that.
    void disarm(timer& node) noexcept
    {
        if (node.armed())
            tree_.erase(tree_.iterator_to(node));
    }

    /// The earliest deadline, or never.
    nanoseconds next() const noexcept { return tree_.empty() ? never : tree_.begin()->deadline; }

    /// Disarm and return the earliest timer whose deadline is not after `now`, or null.
    timer* expire(nanoseconds now) noexcept
    {
        if (tree_.empty() || tree_.begin()->deadline > now)
            return nullptr;
        timer& first = *tree_.begin();
        tree_.erase(tree_.begin());
        return &first;
    }

    bool empty() const noexcept { return tree_.empty(); }

private:
    struct earlier {
        bool operator()(const timer& a, const timer& b) const noexcept
        {
            return a.deadline < b.deadline;
        }
    };

    boost::intrusive::multiset<timer, boost::intrusive::compare<earlier>,
                               boost::intrusive::constant_time_size<false>>
        tree_;
};

} // namespace vk
