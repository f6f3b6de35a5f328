// A reentrant service: it listens to more requests while earlier ones are unanswered. Four guests order at once, one
// waiter takes the orders of two guests, and then of two more, and each time serves who came last first.

#include "examples/options.hpp"

#include <vector>

using orders = vk::future<std::string, std::string>;

vk::task<> wait_at_tables(vk::socket* io, orders* all)
{
    vk::responder from(*all);
    for (int round = 1; round <= 2; ++round) {
        std::vector<orders::call> taken;
        while (taken.size() < 2) {
            auto order = co_await from.listen();
            co_await io->print("round {}: {} ordered\n", round, order.request());
            taken.push_back(std::move(order));
        }
        for (; !taken.empty(); taken.pop_back())
            taken.back().respond("a hot " + taken.back().request());
    }
}

vk::task<> order(vk::socket* io, orders* from, std::string dish)
{
    std::string served = co_await from->request(dish);
    co_await io->print("served {}\n", served);
}

vk::task<> reentrant(vk::socket& io)
{
    orders all;
    std::vector<vk::thread_handle> guests;
    for (const char* dish : {"soup", "pie", "stew", "tea"})
        guests.push_back(vk::spawn(order, &io, &all, std::string(dish)));
    auto waiter = vk::spawn(wait_at_tables, &io, &all);
    for (auto& guest : guests)
        co_await guest.join();
    co_await waiter.join();
}

int main()
{
    return vk::run(reentrant, examples::options());
}
