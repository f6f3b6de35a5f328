#pragma once

// workers: OS processes that do the same, under a parent that keeps them running.
//
// The parent serves nothing. It passes SIGTERM and SIGINT on, waits until every worker has ended and adds up
// what they counted. A worker that ends before it was told to is replaced by a fresh one in its place
// (worker_restarts says when): what a place owns lies with the parent, and every worker of that place inherits it.
// A worker that never came to serve when the crew started is no case for that, but a server that cannot be
// started; nor is one that ends early over and over. Then the others are ended too, in good order.

#include "vk/proc/counters.hpp"
#include "vk/service/worker_restarts.hpp"

#include <functional>

namespace vk {

/// What a crew of workers does, and what its parent is to do when.
struct worker_crew {
    /// In a worker, at place `worker` from 0 on: run, call `ready` once it serves, keep `count` up to date
    /// while it runs (a worker that is killed leaves what is there), return the exit status.
    std::function<int(unsigned worker, const std::function<void()>& ready, counters& count)> work;

    /// In the parent, once: every place has a worker that serves, or had one.
    std::function<void()> announce = [] {};

    /// In the parent, once, before the workers are told to end: no other will be started, so that what the parent
    /// keeps for them can go.
    std::function<void()> retire = [] {};

    worker_restart_policy restarts{};
};

/// Fork `workers` OS processes that run `crew.work`, and keep as many running until SIGTERM or SIGINT. Returns 0
/// when those that ran last ended with 0, else 1; `total` gets the sum of all counters, those of replaced workers
/// included. Throws vk::error.
int run_workers(unsigned workers, const worker_crew& crew, counters& total);

} // namespace vk
