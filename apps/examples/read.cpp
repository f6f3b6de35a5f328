// read() waits until all that was asked for is there, and is short at the end of the stream alone: here for records of two
// digits that say how long a word is, and the word.

#include "examples/options.hpp"

#include <array>
#include <span>

vk::task<> read_records(vk::socket& io)
{
    std::array<char, 2> header;
    std::array<char, 100> word;
    for (;;) {
        std::size_t got = co_await io.read(header);
        if (got < header.size()) {
            co_await io.print("{} bytes of a header, and the end\n", got);
            co_return;
        }
        std::size_t length = static_cast<std::size_t>((header[0] - '0') * 10 + (header[1] - '0'));
        std::span<char> wanted = std::span(word).first(length);
        got = co_await io.read(wanted);
        co_await io.print("{} of {}: {}\n", got, length, std::string_view(word.data(), got));
    }
}

int main()
{
    return vk::run(read_records, examples::options());
}
