// Go's net/http, on one core: go/main.go, built once for a run.

#include "bench/contestant.hpp"

#include <cstdlib>

#include <fmt/core.h>

namespace vk::bench {

arguments prepare_go(const std::filesystem::path& folder)
{
    const auto program = folder / "http-go";
    if (!is_installed("go"))
        throw not_here("go is not installed");
    const auto build =
        fmt::format("cd '{}' && go build -o '{}' . 1>&2", VK_BENCH_GO, program.string());
    if (!std::filesystem::exists(program) && std::system(build.c_str()) != 0)
        throw not_here("go does not build its server");
    return {"--program", program};
}

int http_go(const arguments& options)
{
    if (options.size() != 2 || options.front() != "--program")
        throw std::invalid_argument("go needs `--program FILE`, built from go/, and no more");
    ::setenv("GOMAXPROCS", "1", 1);
    become({options.back()});
}

} // namespace vk::bench
