#include "vk/memory/mapping.hpp"

#include "vk/base/assert.hpp"
#include "vk/base/error.hpp"

namespace vk {

mapping::mapping(std::size_t bytes, os::access rights)
{
    bytes = round_up(bytes, os::page_bytes());
    int error = 0;
    void* at = os::map(bytes, rights, error);
    if (!at)
        raise(error, "map");
    base_ = static_cast<std::byte*>(at);
    bytes_ = bytes;
}

mapping::~mapping()
{
    if (base_)
        (void)os::unmap(base_,
                        bytes_); // ENOMEM: at the limit of mappings; then the addresses stay taken
}

} // namespace vk
