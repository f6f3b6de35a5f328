// An error that is put right where it is raised: raise_resumable() asks the handlers before anything is unwound. One that
// answers *resume* has made it good, and the loop goes on with all that it has; one that declines lets it be thrown.

#include "examples/options.hpp"

#include <vector>

struct shelf {
    std::size_t room = 2;
    std::vector<int> books;
};

vk::task<> put(shelf& to, int books)
{
    for (int book = 1; book <= books; ++book) {
        while (to.books.size() == to.room)
            co_await vk::raise_resumable(std::errc::no_space_on_device, "put");
        to.books.push_back(book);
    }
}

vk::task<> resume(vk::socket& io)
{
    shelf one;
    auto enlarge = [&](const vk::error& why) -> vk::task<vk::answer> {
        if (one.room == 6)
            co_return vk::answer::decline;
        one.room += 2;
        co_await io.print("{}: room for {} now\n", why.what(), one.room);
        co_return vk::answer::resume;
    };
    vk::on_error enlarging(enlarge);
    co_await put(one, 5);
    co_await io.print("{} books\n", one.books.size());

    std::string why;
    try {
        co_await put(one, 5);
    } catch (const vk::error& e) {
        why = e.what();
    }
    co_await io.print("{}: {} books\n", why, one.books.size());
}

int main()
{
    return vk::run(resume, examples::options());
}
