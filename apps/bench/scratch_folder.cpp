#include "bench/scratch_folder.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vk::bench {
namespace {

// Make the folder, tell of it, and remove it when the other end is closed. What makes it is what removes it, so that there is
// no moment between at which an end of the program would leave it behind.
[[noreturn]] void keep(std::string name, int end)
{
    ::setsid(); // away from the terminal, whose Ctrl-C is for the program
    if (::mkdtemp(name.data()) == nullptr)
        ::_exit(errno);
    if (::send(end, name.data(), name.size(), MSG_NOSIGNAL) > 0) {
        char none = 0;
        while (::recv(end, &none, 1, 0) < 0 && errno == EINTR) {}
    }
    std::error_code ignored;
    std::filesystem::remove_all(name, ignored);
    ::_exit(0);
}

} // namespace

scratch_folder::scratch_folder()
{
    auto name = (std::filesystem::temp_directory_path() / "vk-bench-XXXXXX").string();
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::system_error(errno, std::generic_category(), "socketpair");
    keeper_ = ::fork();
    if (keeper_ == 0) {
        ::close(ends[0]);
        keep(std::move(name), ends[1]);
    }
    ::close(ends[1]);
    open_ = ends[0];
    if (keeper_ < 0) {
        const int error = errno;
        end();
        throw std::system_error(error, std::generic_category(), "fork");
    }
    if (::recv(open_, name.data(), name.size(), MSG_WAITALL) != static_cast<ssize_t>(name.size()))
        throw std::system_error(end(), std::generic_category(), name);
    path_ = name;
}

scratch_folder::~scratch_folder()
{
    end();
}

int scratch_folder::end() noexcept
{
    int status = 0;
    ::close(open_);
    if (keeper_ > 0)
        ::waitpid(keeper_, &status, 0);
    return WEXITSTATUS(status);
}

} // namespace vk::bench
