#pragma once

// line_up: the servers that a run compares, prepared once.
//
// It owns a folder for what they need (a binary that is built, a configuration), which goes with
// it. A server that was asked for and is not to be had has a failure, as one that does not answer;
// of those that nobody asked for by name, a note says why they are left out.

#include "bench/contestant.hpp"
#include "bench/scratch_folder.hpp"

#include <string>
#include <vector>

namespace vk::bench {

struct participant {
    std::string label; // what a table calls it
    arguments command; // empty where there is a failure
    std::string failure;
};

class line_up {
public:
    /// `names`: each one of contestants(), or a path (it has a '/') of another program, which must
    /// know `--listen ADDR:PORT`; options may follow, parted by spaces. None: all that are to be
    /// had. Throws std::invalid_argument for an unknown name.
    line_up(protocol spoken, const std::vector<std::string>& names);

    const std::vector<participant>& all() const noexcept { return all_; }
    const std::vector<std::string>& notes() const noexcept { return notes_; }

private:
    participant prepared(const std::string& name);
    arguments prepare(const contestant& which);

    protocol spoken_;
    scratch_folder folder_;
    std::vector<participant> all_;
    std::vector<std::string> notes_;
};

} // namespace vk::bench
