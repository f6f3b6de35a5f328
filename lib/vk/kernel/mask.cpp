#include "vk/kernel/mask.hpp"

#include "vk/base/assert.hpp"
#include "vk/base/error.hpp"
#include "vk/base/limits.hpp"

#include <cerrno>

namespace vk {
namespace {

key_set keys_for(const mask::layout& memory, std::size_t least)
{
    if (memory.isolation == isolation::none || memory.way == mask_way::mprotect)
        return {};
    key_set found = key_set::take(least);
    if (found.empty() && memory.way == mask_way::pkey)
        raise(EOPNOTSUPP, "mask by protection keys (pkey), of which this machine has none to give");
    return found;
}

} // namespace

mask::mask(const layout& memory, std::uint64_t& calls)
    : memory_(memory), calls_(&calls), keys_(keys_for(memory, keys_least))
{
    if (!by_keys())
        return;
    all_closed_ = while_kernel_ = while_process_ = keys_.closed();
    if (memory_.isolation == isolation::full) {
        while_kernel_ &= ~os::pkey_closed(kernel_key());
        grant(while_kernel_);
        if (int failed = os::protect(memory_.kernel_heap, memory_.kernel_heap_bytes,
                                     os::access::read_write, kernel_key());
            failed < 0)
            raise(-failed, "give the kernel's heap its protection key");
    }
    grant(while_kernel_);
}

mask::~mask()
{
    if (by_keys() && memory_.isolation == isolation::full)
        (void)os::protect(memory_.kernel_heap, memory_.kernel_heap_bytes, os::access::read_write,
                          0); // it is unmapped soon
}

std::string_view mask::name() const noexcept
{
    if (memory_.isolation == isolation::none)
        return "none";
    return by_keys() ? "pkey" : "mprotect";
}

std::span<const std::uint8_t> mask::colours() const noexcept
{
    bool kernel_has_one = by_keys() && memory_.isolation == isolation::full;
    return keys_.keys().subspan(kernel_has_one ? 1 : 0);
}

void mask::close_kernel() noexcept
{
    if (by_keys())
        grant(while_process_);
    else if (memory_.isolation == isolation::full)
        protect(memory_.kernel_heap, memory_.kernel_heap_bytes, os::access::none);
}

void mask::open_kernel() noexcept
{
    if (by_keys())
        grant(while_kernel_);
    else if (memory_.isolation == isolation::full)
        protect(memory_.kernel_heap, memory_.kernel_heap_bytes, os::access::read_write);
}

void mask::open_kernel_too() noexcept
{
    if (by_keys() && memory_.isolation == isolation::full)
        grant(while_process_ & ~os::pkey_closed(kernel_key()));
    else if (!by_keys())
        open_kernel();
}

void mask::open(std::byte* heap, std::uint8_t key) noexcept
{
    if (!is_closed(heap))
        return;
    if (open_heap_ && open_key_ == 0)
        protect(open_heap_, memory_.heap_bytes, os::access::none);
    if (key == 0)
        protect(heap, memory_.heap_bytes, os::access::read_write);
    open_heap_ = heap;
    open_key_ = key;
    if (!by_keys())
        return;
    while_process_ = key == 0 ? all_closed_ : all_closed_ & ~os::pkey_closed(key);
    grant(while_process_);
}

bool mask::forget(const std::byte* heap) noexcept
{
    if (open_heap_ != heap)
        return false;
    open_heap_ = nullptr;
    while_process_ = all_closed_;
    return true;
}

void mask::open_block(std::byte* block) noexcept
{
    if (memory_.isolation != isolation::none)
        protect(block, limits::block_bytes, os::access::read_write);
}

void mask::close_block(std::byte* block) noexcept
{
    if (memory_.isolation != isolation::none)
        protect(block, limits::block_bytes, os::access::none);
}

// A mask that fails would leave memory open that was promised to be closed, and a process that cannot be opened
// may be the listener: when a second attempt fails too there is no going on. The number of mappings, the one
// cause in practice, is kept below the system's limit from the start (kernel.cpp).
void mask::protect(std::byte* at, std::size_t bytes, os::access rights) noexcept
{
    ++*calls_;
    if (os::protect(at, bytes, rights) < 0) [[unlikely]]
        VK_ASSERT(os::protect(at, bytes, rights) == 0);
}

// The bits of keys that are not ours stay as they are.
void mask::grant(std::uint32_t closed) noexcept
{
    granted_ = (os::pkey_rights() & ~all_closed_) | closed;
    os::set_pkey_rights(granted_);
}

void mask::reopen() noexcept
{
    if (by_keys())
        os::set_pkey_rights(granted_);
}

} // namespace vk
