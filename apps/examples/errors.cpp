// Errors: raise() throws what the system would say; raise_nested(), where an error is caught, throws one that says in which
// context that came to be and has it as its cause; describe() tells both.

#include "examples/options.hpp"

#include <string>

void read_record(int number)
{
    if (number > 1)
        vk::raise(std::errc::io_error, "read");
}

void load_user(int number)
{
    try {
        read_record(number);
    } catch (const vk::error&) {
        vk::raise_nested(std::errc::bad_message, "load user");
    }
}

vk::task<> errors(vk::socket& io)
{
    for (int number = 1; number <= 2; ++number) {
        std::string why = "no error";
        try {
            load_user(number);
        } catch (const std::system_error& e) {
            if (e.code() == std::errc::bad_message)
                why = vk::describe(e);
        }
        co_await io.print("{}: {}\n", number, why);
    }
    vk::raise(std::errc::no_such_process, "nobody catches this"); // and so vk::run() returns 1
}

int main()
{
    return vk::run(errors, examples::options()) == 1 ? 0 : 1;
}
