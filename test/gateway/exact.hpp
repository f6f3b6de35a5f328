#pragma once

// exact: bytes in memory of their own, so that a sanitizer sees a read beyond them.

#include <cstddef>
#include <memory>
#include <string_view>

namespace vk::test {

class exact {
public:
    explicit exact(std::string_view text) : data_{new char[text.size()]}, size_{text.size()}
    {
        text.copy(data_.get(), text.size());
    }
    std::string_view view() const { return {data_.get(), size_}; }

private:
    std::unique_ptr<char[]> data_;
    std::size_t size_;
};

} // namespace vk::test
