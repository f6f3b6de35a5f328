#include "bench/meter.hpp"

#include "bench/in_turn.hpp"
#include "bench/sample.hpp"

#include <algorithm>

namespace vk::bench {

namespace {

struct entry {
    const subject* what = nullptr;
    std::uint64_t operations = 0;
    std::vector<double> samples;
    std::string failure;
};

// How many operations fill a round: doubled until a tenth of it is filled, which also warms up.
std::uint64_t calibrate(const subject& who, double round_ms)
{
    for (std::uint64_t n = 1;; n *= 2) {
        const double ms = static_cast<double>(who.run(n)) / 1e6;
        if (ms >= round_ms / 10 || n >= (std::uint64_t{1} << 40))
            return std::max<std::uint64_t>(
                1, static_cast<std::uint64_t>(static_cast<double>(n) * round_ms / ms));
    }
}

} // namespace

void measure(const topic& question, const meter_options& options, report& into)
{
    std::vector<entry> entries(question.subjects.size());
    for (std::size_t i = 0; i < entries.size(); ++i)
        entries[i].what = &question.subjects[i];
    in_turn(1, entries, [&](entry& each) {
        each.operations = question.operations != 0 ? question.operations
                                                   : calibrate(*each.what, options.round_ms);
    });
    in_turn(options.rounds, entries, [](entry& each) {
        each.samples.push_back(static_cast<double>(each.what->run(each.operations)) /
                               static_cast<double>(each.operations));
    });
    for (std::size_t i = 0; i < entries.size(); ++i) {
        row r;
        r.group = question.name;
        r.name = entries[i].what->name;
        r.baseline = question.subjects.front().name;
        r.unit = "ns";
        r.decimals = 2;
        r.samples = entries[i].samples;
        r.value = median(r.samples);
        r.ratio = paired_ratio(r.samples, entries.front().samples);
        r.failure = entries[i].failure;
        into.add(r);
    }
}

} // namespace vk::bench
