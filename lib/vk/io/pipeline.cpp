#include "vk/io/pipeline.hpp"

#include <new>

namespace vk::detail {

static_assert(alignof(socket) <= 16, "what a frame stack gives is aligned so");

stage_socket make_stage_socket()
{
    return stage_socket(new (frame_stack::current->allocate(sizeof(socket))) socket());
}

task<> end_stage(socket& io)
{
    co_await io.tx_close();
    if (io.eof())
        co_await io.read_hup(); // who ended it by hup() waits for that
}

} // namespace vk::detail
