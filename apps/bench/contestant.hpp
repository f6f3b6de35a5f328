#pragma once

// contestant: an echo server that lives in this program, by name.
//
// Each is one function that serves until it is killed, in one file: what a good engineer would
// write with that tool, no more and no less. They answer the same: every byte that comes in goes
// out again.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vk::bench {

using arguments = std::vector<std::string>;

struct contestant {
    std::string_view name;
    std::string_view is;
    int (*serve)(const arguments& options);
};

std::span<const contestant> contestants();

/// Run one by name until it ends; its exit status. Throws std::invalid_argument for an unknown
/// name, or for options that it does not have.
int serve(std::string_view name, const arguments& options);

/// What the baselines do with options: they have none.
void refuse(const arguments& options);

int echo_epoll(const arguments& options);
int echo_asio(const arguments& options);
int echo_threads(const arguments& options);
int echo_vk(const arguments& options);

} // namespace vk::bench
