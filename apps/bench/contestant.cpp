#include "bench/contestant.hpp"

#include <stdexcept>

#include <fmt/core.h>

namespace vk::bench {

namespace {

constexpr contestant all[] = {
    {"epoll", "hand-written, single-threaded, edge-triggered epoll", echo_epoll},
    {"vk", "this library's echo service, with the options of our servers", echo_vk},
    {"asio", "Boost.Asio with C++20 coroutines, one thread", echo_asio},
    {"threads", "a thread a connection, blocking reads and writes", echo_threads},
};

} // namespace

std::span<const contestant> contestants()
{
    return all;
}

int serve(std::string_view name, const arguments& options)
{
    for (const auto& each : all)
        if (each.name == name)
            return each.serve(options);
    throw std::invalid_argument(fmt::format("there is no server named '{}'", name));
}

void refuse(const arguments& options)
{
    if (!options.empty())
        throw std::invalid_argument(fmt::format("this server has no option '{}'", options.front()));
}

} // namespace vk::bench
