// A future without an answer: send() hands a value over, and waits until a responder has received it by recv().

#include "examples/options.hpp"

using post = vk::future<std::string>;

vk::task<> receive(vk::socket* io, post* from)
{
    vk::responder receiver(*from);
    for (int received = 0; received < 3; ++received) {
        std::string word = co_await receiver.recv();
        co_await io->print("received {}\n", word);
    }
}

vk::task<> send(vk::socket& io)
{
    post to;
    auto receiver = vk::spawn(receive, &io, &to);
    for (const char* word : {"one", "two", "three"}) {
        co_await io.print("sending {}\n", word);
        co_await to.send(word);
        co_await io.print("sent {}\n", word);
    }
    co_await receiver.join();
}

int main()
{
    return vk::run(send, examples::options());
}
