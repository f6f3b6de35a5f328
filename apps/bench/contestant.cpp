#include "bench/contestant.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <system_error>

#include <fmt/core.h>
#include <unistd.h>

namespace vk::bench {

namespace {

constexpr contestant of_echo[] = {
    {"epoll", "hand-written, single-threaded, edge-triggered epoll", echo_epoll},
    {"vk", "this library's echo service, with the options of our servers", echo_vk},
    {"asio", "Boost.Asio with C++20 coroutines, one thread", echo_asio},
    {"threads", "a thread a connection, blocking reads and writes", echo_threads},
    {"fork", "a process a connection, forked when it comes, blocking reads and writes", echo_fork},
};

constexpr contestant of_http[] = {
    {"epoll", "hand-written, single-threaded, edge-triggered epoll, parses nothing", http_epoll},
    {"uring", "the same with io_uring: multishot receives, batched sends", http_uring,
     prepare_uring},
    {"vk", "vk-http, with the options of our servers", http_vk, prepare_vk},
    {"asio", "Boost.Asio with C++20 coroutines, one thread, parses nothing", http_asio},
    {"threads", "a thread a connection, blocking, parses nothing", http_threads},
    {"fork", "a process a connection, forked when it comes, blocking, parses nothing", http_fork},
    {"nginx", "nginx with one worker, 'return 200'", http_nginx, prepare_nginx},
    {"go", "Go's net/http with GOMAXPROCS=1", http_go, prepare_go},
};

} // namespace

std::span<const contestant> contestants(protocol spoken)
{
    if (spoken == protocol::http)
        return of_http;
    return of_echo;
}

const contestant* find_contestant(protocol spoken, std::string_view name)
{
    const auto all = contestants(spoken);
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
    return found == all.end() ? nullptr : &*found;
}

int serve(protocol spoken, std::string_view name, const arguments& options)
{
    if (const auto* found = find_contestant(spoken, name))
        return found->serve(options);
    throw std::invalid_argument(fmt::format("there is no server named '{}'", name));
}

void refuse(const arguments& options)
{
    if (!options.empty())
        throw std::invalid_argument(fmt::format("this server has no option '{}'", options.front()));
}

void become(const arguments& command)
{
    std::vector<char*> words;
    for (const auto& word : command)
        words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    throw std::system_error(errno, std::generic_category(),
                            fmt::format("cannot run '{}'", command.front()));
}

bool is_installed(const char* program)
{
    const char* const path = std::getenv("PATH");
    std::istringstream folders(path == nullptr ? "" : path);
    for (std::string folder; std::getline(folders, folder, ':');)
        if (::access(fmt::format("{}/{}", folder, program).c_str(), X_OK) == 0)
            return true;
    return false;
}

} // namespace vk::bench
