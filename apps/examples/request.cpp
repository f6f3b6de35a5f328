// A future carries a question to a thread that listens, and the answer back. Nobody waits for ever: when the last
// responder has gone, a request fails by EPIPE.

#include "examples/options.hpp"

using squares = vk::future<int, int>;

vk::task<> answer_two(squares* of)
{
    vk::responder from(*of);
    for (int answered = 0; answered < 2; ++answered) {
        auto call = co_await from.listen();
        int n = call.request();
        call.respond(n * n);
    }
}

vk::task<> request(vk::socket& io)
{
    squares of;
    auto answering = vk::spawn(answer_two, &of);
    for (int n = 3; n <= 5; ++n) {
        std::string why;
        try {
            int square = co_await of.request(n);
            co_await io.print("{} * {} = {}\n", n, n, square);
        } catch (const vk::error& e) {
            why = e.what();
        }
        if (!why.empty())
            co_await io.print("{}: {}\n", n, why);
    }
    co_await answering.join();
}

int main()
{
    return vk::run(request, examples::options());
}
