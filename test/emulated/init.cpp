// init: the first program of an emulated machine. Runs the commands in /commands, one a line, and switches off.
//
// A line is the program, its arguments and what is to be added to the environment, `NAME=VALUE`, in one row, by single
// spaces; ';' stands for a space in an argument. After each it prints "=== status N: LINE".

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void mount_at(const char* kind, const char* at)
{
    ::mkdir(at, 0755);
    if (::mount(kind, at, kind, 0, nullptr) < 0)
        std::perror(at);
}

void start_loopback()
{
    int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
    ifreq device{};
    std::strcpy(device.ifr_name, "lo");
    device.ifr_flags = IFF_UP | IFF_RUNNING;
    if (::ioctl(fd, SIOCSIFFLAGS, &device) < 0)
        std::perror("lo");
    ::close(fd);
}

[[noreturn]] void become(const std::string& line)
{
    std::vector<std::string> words;
    std::istringstream text(line);
    for (std::string word; text >> word;) {
        if (word.rfind("VK_", 0) == 0) {
            ::putenv(::strdup(word.c_str()));
            continue;
        }
        std::replace(word.begin(), word.end(), ';', ' ');
        words.push_back(word);
    }
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    std::perror(arguments[0]);
    ::_exit(127);
}

void run(const std::string& line)
{
    int status = 0;
    int pid = ::fork();
    if (pid == 0)
        become(line);
    ::waitpid(pid, &status, 0);
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    std::printf("=== status %d: %s\n", status, line.c_str());
    std::fflush(stdout);
}

} // namespace

int main()
{
    mount_at("proc", "/proc");
    mount_at("sysfs", "/sys");
    mount_at("devtmpfs", "/dev");
    mount_at("tmpfs", "/tmp");
    start_loopback();
    std::ifstream commands("/commands");
    for (std::string line; std::getline(commands, line);)
        run(line);
    ::sync();
    ::reboot(RB_POWER_OFF);
}
