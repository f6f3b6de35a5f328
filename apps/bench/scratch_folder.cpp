#include "bench/scratch_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vk::bench {

scratch_folder::scratch_folder()
{
    auto name = (std::filesystem::temp_directory_path() / "vk-bench-XXXXXX").string();
    int ends[2];
    if (::mkdtemp(name.data()) == nullptr || ::pipe2(ends, O_CLOEXEC) != 0)
        throw std::system_error(errno, std::generic_category(), name);
    path_ = name;
    remover_ = ::fork();
    if (remover_ == 0) {
        ::close(ends[1]);
        remove_when_closed(ends[0]);
    }
    ::close(ends[0]);
    open_ = ends[1];
    if (remover_ < 0)
        throw std::system_error(errno, std::generic_category(), "fork");
}

void scratch_folder::remove_when_closed(int end) const
{
    ::setsid(); // away from the terminal, whose Ctrl-C is for the program
    char none = 0;
    while (::read(end, &none, 1) < 0 && errno == EINTR) {}
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
    ::_exit(0);
}

scratch_folder::~scratch_folder()
{
    ::close(open_);
    ::waitpid(remover_, nullptr, 0);
}

} // namespace vk::bench
