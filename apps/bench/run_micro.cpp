#include "bench/machine.hpp"
#include "bench/micro.hpp"
#include "bench/run.hpp"

#include <stdexcept>

#include <fmt/core.h>

namespace vk::bench {

void run_micro(const micro_options& options, report& into)
{
    pin(options.core);
    bool found = false;
    for (const auto& all :
         {call_topics(), thread_topics(), copy_topics(), socket_topics(), pipeline_topics(),
          heap_topics(), timer_topics(), mask_topics(), gate_topics()}) {
        for (const auto& each : all) {
            if (each.name.find(options.filter) == std::string::npos)
                continue;
            found = true;
            if (options.list)
                fmt::print("{}\n", each.name);
            else
                measure(each, {options.rounds, options.round_ms}, into);
        }
    }
    if (!found)
        throw std::invalid_argument(fmt::format("no topic's name contains '{}'", options.filter));
}

} // namespace vk::bench
