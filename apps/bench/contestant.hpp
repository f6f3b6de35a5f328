#pragma once

// contestant: a server to compare, by name: one that lives in this program, or one that it starts.
//
// Each is one function that serves until it is killed, in one file: what a good engineer would
// write with that tool, no more and no less. Those of a protocol answer the same. What is no part
// of this program (nginx, Go's net/http, our own vk-http) takes the place of the process that
// serves (exec), after the run has prepared for it once.

#include "bench/dialogue.hpp"

#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace vk::bench {

using arguments = std::vector<std::string>;

/// What a server needs is not on this machine.
struct not_here : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct contestant {
    std::string_view name;
    std::string_view is;
    int (*serve)(const arguments& options);

    /// Null, or what a run does before it starts the first of them; `folder` is the run's own. The
    /// options that serve() needs then. Throws not_here.
    arguments (*prepare)(const std::filesystem::path& folder) = nullptr;
};

std::span<const contestant> contestants(protocol spoken);

/// Null when there is none of this name.
const contestant* find_contestant(protocol spoken, std::string_view name);

/// Run one by name until it ends; its exit status. Throws std::invalid_argument for an unknown
/// name, or for options that it does not have.
int serve(protocol spoken, std::string_view name, const arguments& options);

/// What the baselines do with options: they have none.
void refuse(const arguments& options);

/// Become another program, found by PATH. Throws std::system_error.
[[noreturn]] void become(const arguments& command);

/// Whether PATH has a program.
bool is_installed(const char* program);

int echo_epoll(const arguments& options);
int echo_asio(const arguments& options);
int echo_fork(const arguments& options);
int echo_threads(const arguments& options);
int echo_vk(const arguments& options);

int http_epoll(const arguments& options);
int http_asio(const arguments& options);
int http_uring(const arguments& options);
int http_fork(const arguments& options);
int http_threads(const arguments& options);
int http_vk(const arguments& options);
int http_nginx(const arguments& options);
int http_go(const arguments& options);
arguments prepare_uring(const std::filesystem::path& folder);
arguments prepare_vk(const std::filesystem::path& folder);
arguments prepare_nginx(const std::filesystem::path& folder);
arguments prepare_go(const std::filesystem::path& folder);

} // namespace vk::bench
