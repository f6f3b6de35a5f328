#include "vk/gateway/http1/media_type.hpp"

#include "vk/base/error.hpp"

#include <cerrno>

namespace vk::http {

void media_type::check() const
{
    if (!ascii::all<ascii::value>(text_))
        raise(EINVAL, "a media type");
}

} // namespace vk::http
