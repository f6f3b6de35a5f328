// A generator yields elements one by one, and may wait in between. It runs while its next element is awaited, in the
// thread that awaits it, and so is never ahead of its reader.

#include "examples/options.hpp"

#include <string_view>

vk::generator<std::string_view> words(vk::socket& io)
{
    while (auto line = co_await io.readline()) {
        std::string_view rest = *line;
        while (!rest.empty()) {
            std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
            rest.remove_prefix(std::min(word.size() + 1, rest.size()));
            if (!word.empty())
                co_yield word;
        }
    }
}

vk::generator<std::string_view> first(std::size_t count, vk::generator<std::string_view> of)
{
    while (count-- > 0) {
        auto* word = co_await of.next();
        if (!word)
            co_return;
        co_yield *word;
    }
}

vk::task<> generator(vk::socket& io)
{
    auto some = first(5, words(io));
    while (auto* word = co_await some.next())
        co_await io.print("{}\n", *word);
    auto next = co_await io.readline(); // the line after that of the fifth word
    co_await io.print("not touched: {}", next.value_or("nothing\n"));
}

int main()
{
    return vk::run(generator, examples::options());
}
