#include "bench/dialogue.hpp"

namespace vk::bench {

std::unique_ptr<dialogue> make_dialogue(const traffic& kind)
{
    return kind.spoken == protocol::http ? make_http_dialogue(kind) : make_echo_dialogue();
}

} // namespace vk::bench
