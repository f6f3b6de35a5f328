// Our own: vk-http as it is built beside this program, with the command line of all our servers.

#include "bench/contestant.hpp"

#include <fmt/core.h>
#include <unistd.h>

namespace vk::bench {

namespace {

std::filesystem::path program()
{
    const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    return here.parent_path() / "http" / "vk-http";
}

} // namespace

arguments prepare_vk(const std::filesystem::path&)
{
    if (::access(program().c_str(), X_OK) != 0)
        throw not_here(fmt::format("there is no {}", program().string()));
    return {};
}

int http_vk(const arguments& options)
{
    arguments command{program(), "--listen", "127.0.0.1:0"};
    command.insert(command.end(), options.begin(), options.end());
    become(command);
}

} // namespace vk::bench
