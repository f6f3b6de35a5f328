// Writing: bytes, and what is formatted, go to the ring, and from there to the system when it is full, when the threads
// have run, or when flush() asks for it. tx_close() flushes and ends the output.

#include "examples/options.hpp"

#include <array>
#include <span>

vk::task<> write(vk::socket& io)
{
    std::array<unsigned char, 4> bytes{'a', 'b', 'c', '\n'};
    co_await io.write("a text\n");
    co_await io.write(std::as_bytes(std::span(bytes)));
    co_await io.print("{:>5}|{:<5}|{:#x}\n", "right", "left", 255);
    co_await io.flush();
    co_await io.write("the end\n");
    co_await io.tx_close(); // the client reads an end; the service could still read
}

int main()
{
    return vk::run(write, examples::options());
}
