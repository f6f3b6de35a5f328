// Our own: the echo service on the virtual kernel, with the command line of all our servers.

#include "bench/contestant.hpp"
#include "options/server_options.hpp"

#include <vk/vk.hpp>

namespace vk::bench {

namespace {

task<> echo(socket& io)
{
    for (;;) {
        auto line = co_await io.readline();
        if (!line)
            co_return;
        co_await io.write(*line);
    }
}

} // namespace

int echo_vk(const arguments& options)
{
    std::vector<const char*> words{"vk-bench serve vk", "--listen", "127.0.0.1:0"};
    for (const auto& each : options)
        words.push_back(each.c_str());
    apps::program program("vk-bench serve vk", "Echo, on the virtual kernel.");
    if (!program.parse(static_cast<int>(words.size()), const_cast<char**>(words.data())))
        return program.status();
    return program.serve(echo);
}

} // namespace vk::bench
