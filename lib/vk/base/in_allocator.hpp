#pragma once

// in_allocator: whether this OS thread is inside of malloc or free.
//
// For the handler of a hardware fault. An allocator that faults, since its records were overwritten, may hold
// its lock and has left its records half changed: there is no going on in this OS process. Set by
// memory/counted_allocation.hpp, and so only in a program that links counted_new; what calls malloc itself (a
// library in C, the C++ runtime for an exception) is not seen.

namespace vk {

/// A signal handler may read it. Volatile, since a compiler that knows malloc takes a store before it that is
/// overwritten after it for a useless one.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local volatile bool in_allocator = false;

} // namespace vk
