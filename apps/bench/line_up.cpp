#include "bench/line_up.hpp"

#include <sstream>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>

namespace vk::bench {

namespace {

arguments words(const std::string& text)
{
    std::istringstream stream(text);
    arguments result;
    for (std::string word; stream >> word;)
        result.push_back(word);
    return result;
}

void append(arguments& to, const arguments& what)
{
    to.insert(to.end(), what.begin(), what.end());
}

participant of_path(const std::string& name, arguments command)
{
    const auto program = name.substr(0, name.find(' '));
    append(command, {"--listen", "127.0.0.1:0"});
    return {name.substr(program.rfind('/') + 1), std::move(command), {}};
}

} // namespace

line_up::line_up(protocol spoken, const std::vector<std::string>& names) : spoken_(spoken)
{
    for (const auto& name : names)
        all_.push_back(prepared(name));
    if (!names.empty())
        return;
    for (const auto& each : contestants(spoken)) {
        auto next = prepared(std::string(each.name));
        if (next.failure.empty())
            all_.push_back(std::move(next));
        else
            notes_.push_back(fmt::format("without {}: {}", each.name, next.failure));
    }
}

participant line_up::prepared(const std::string& name)
{
    auto given = words(name);
    if (given.empty())
        throw std::invalid_argument("a server without a name");
    if (given.front().find('/') != std::string::npos)
        return of_path(name, std::move(given));
    const auto* which = find_contestant(spoken_, given.front());
    if (which == nullptr)
        throw std::invalid_argument(fmt::format("there is no server named '{}'", given.front()));
    participant result{name, {"/proc/self/exe", "serve"}, {}};
    if (spoken_ == protocol::http)
        append(result.command, {"--protocol", "http"});
    append(result.command, given);
    try {
        append(result.command, prepare(*which));
    } catch (const not_here& why) {
        result.failure = why.what();
    }
    return result;
}

// Twice the same server with other options: prepared twice, which is cheap.
arguments line_up::prepare(const contestant& which)
{
    return which.prepare == nullptr ? arguments{} : which.prepare(folder_.path());
}

} // namespace vk::bench
