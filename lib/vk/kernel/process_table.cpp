#include "vk/kernel/process_table.hpp"

#include "vk/base/assert.hpp"

namespace vk {

process_table::process_table(std::size_t size, std::pmr::memory_resource* memory)
    : records_(size, memory), free_(memory)
{
    free_.reserve(size);
}

process_record* process_table::add() noexcept
{
    process_record* place;
    if (!free_.empty()) {
        place = &records_[free_.back()];
        free_.pop_back();
    } else if (fresh_ < records_.size()) {
        place = &records_[fresh_++];
    } else {
        return nullptr;
    }
    place->id = ++ids_;
    all_.push_back(*place);
    ++live_;
    return place;
}

void process_table::remove(process_record& ended) noexcept
{
    VK_ASSERT(ended.fds.empty() && !ended.armed());
    ended.fresh.clear();
    ended.process_hook<run_tag>::unlink();
    ended.process_hook<process_tag>::unlink();
    ended.process_hook<vacancy_tag>::unlink();
    ended.heap = nullptr;
    ended.local = nullptr;
    ended.what = nullptr;
    ended.fd = -1;
    ended.wanted = never;
    ended.orders = order::none;
    ended.blocks = 0;
    ended.daemon = ended.connection = ended.dependent = ended.needed = false;
    free_.push_back(index_of(ended));
    --live_;
}

} // namespace vk
