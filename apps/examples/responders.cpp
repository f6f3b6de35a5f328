// Many ask and many answer: what is asked goes to whoever listens, in the order in which it came. Two tellers serve five
// customers; a customer knows who served it only from the answer.

#include "examples/options.hpp"

#include <vector>

using numbers = vk::future<int, std::string>;

vk::task<> serve(numbers* all, std::string name)
{
    vk::responder from(*all);
    for (;;) {
        auto call = co_await from.listen();
        co_await vk::yield(); // it takes a while, in which the other serves the next
        call.respond(name);
    }
}

vk::task<> ask(vk::socket* io, numbers* of, int number)
{
    std::string by = co_await of->request(number);
    co_await io->print("customer {} was served by {}\n", number, by);
}

vk::task<> responders(vk::socket& io)
{
    numbers all;
    auto ann = vk::spawn(serve, &all, std::string("Ann"));
    auto bob = vk::spawn(serve, &all, std::string("Bob"));
    std::vector<vk::thread_handle> customers;
    for (int number = 1; number <= 5; ++number)
        customers.push_back(vk::spawn(ask, &io, &all, number));
    for (auto& customer : customers)
        co_await customer.join();
    for (auto* teller : {&ann, &bob}) {
        teller->cancel();
        try {
            co_await teller->join();
        } catch (const vk::cancelled&) {
            // as it was told
        }
    }
}

int main()
{
    return vk::run(responders, examples::options());
}
