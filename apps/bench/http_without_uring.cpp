// In place of http_uring.cpp where there is no liburing.

#include "bench/contestant.hpp"

namespace vk::bench {

arguments prepare_uring(const std::filesystem::path&)
{
    throw not_here("built without liburing");
}

int http_uring(const arguments&)
{
    throw not_here("built without liburing");
}

} // namespace vk::bench
