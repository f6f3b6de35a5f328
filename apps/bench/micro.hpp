#pragma once

// micro: the topics of `vk-bench micro`, one file for what belongs together.

#include "bench/meter.hpp"

#include <vector>

namespace vk::bench {

using topics = std::vector<topic>;

topics call_topics();     // micro_call.cpp: nested tasks
topics thread_topics();   // micro_thread.cpp: switch, spawn and join
topics copy_topics();     // micro_copy.cpp: rings
topics socket_topics();   // micro_socket.cpp: satisfied reads and writes
topics pipeline_topics(); // micro_pipeline.cpp: stages
topics heap_topics();     // micro_heap.cpp: the memory of a process
topics timer_topics();    // micro_timer.cpp: a million timers
topics mask_topics();     // micro_mask.cpp: memory that is closed and opened
topics gate_topics();     // micro_gate.cpp: the system-call gate, where there can be one

} // namespace vk::bench
