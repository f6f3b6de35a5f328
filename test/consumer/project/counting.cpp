// A program that limits what its processes take of the global heap, to which it needs to do no more than link the
// library that counts.

#include <vk/vk.hpp>

#include <new>
#include <vector>

vk::task<> take(bool* refused)
{
    try {
        std::vector<char> much(1'000'000);
    } catch (const vk::memory_exhausted&) {
        *refused = true;
    }
    co_return;
}

struct taking final : vk::program {
    explicit taking(bool* into) : refused(into) {}
    void start(vk::process& fresh, int) const override
    {
        fresh.start([&] { return take(refused); });
    }
    bool* refused;
};

int main()
{
    bool refused = false;
    taking what(&refused);
    vk::kernel_options options;
    options.processes_max = 4;
    options.global_bytes_max = 100'000;
    vk::kernel::pointer here = vk::kernel::make(options);
    here->start(what);
    here->run();
    return refused ? 0 : 1;
}
