#include "support/catch.hpp"

#include "bench/blocking_connection.hpp"
#include "bench/fork_server.hpp"
#include "bench/load.hpp"
#include "bench/machine.hpp"
#include "bench/reply.hpp"

#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vk::bench;

namespace {

/// An echo server that forks, in a process of its own, which ends with the test.
class forking {
public:
    forking()
    {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(ends[1], STDOUT_FILENO);
            fork_server(serve_connection<echo_reply>, [] {}).run();
        }
        ::close(ends[1]);
        std::string said(64, ' ');
        const ssize_t got = ::read(ends[0], said.data(), said.size());
        ::close(ends[0]);
        REQUIRE(got > 0);
        const auto* first = said.data() + said.rfind(':', static_cast<std::size_t>(got)) + 1;
        REQUIRE(std::from_chars(first, said.data() + got, port_).ptr != first);
    }
    ~forking() { end(SIGKILL); }
    forking(const forking&) = delete;
    forking& operator=(const forking&) = delete;

    endpoint at() const { return {pid_, port_}; }

    /// How it ended: as waitpid(2) says.
    int end(int signal)
    {
        int status = 0;
        if (pid_ > 0) {
            ::kill(pid_, signal);
            CHECK(::waitpid(pid_, &status, 0) == pid_);
        }
        pid_ = -1;
        return status;
    }

    std::vector<pid_t> children() const
    {
        std::vector<pid_t> all;
        std::ifstream file(fmt::format("/proc/{0}/task/{0}/children", pid_));
        for (pid_t each = 0; file >> each;)
            all.push_back(each);
        return all;
    }

private:
    pid_t pid_ = -1;
    std::uint16_t port_ = 0;
};

// Within some seconds.
template <class True>
bool comes(True is)
{
    for (int i = 0; i < 5'000; ++i) {
        if (is())
            return true;
        ::usleep(1'000);
    }
    return false;
}

bool is_gone(pid_t pid)
{
    return ::kill(pid, 0) != 0;
}

} // namespace

TEST_CASE("a server that forks has a child for each connection, and reaps those that have ended")
{
    const forking server;
    {
        load clients(server.at(), {}, 5, 3);
        CHECK(clients.closed_loop_requests(600).answered >= 600);
        CHECK(server.children().size() == 5);
    }
    CHECK(comes([&] { // it reaps when the next one comes
        load next(server.at(), {}, 1, 1);
        return server.children().size() <= 2;
    }));
}

TEST_CASE("a server that forks ends with its children, and reaps them")
{
    forking server;
    load clients(server.at(), {}, 3, 1);
    const auto children = server.children();
    REQUIRE(children.size() == 3);
    const int status = server.end(SIGTERM);
    CHECK(WIFEXITED(status));
    for (const pid_t each : children)
        CHECK(is_gone(each));
}

TEST_CASE("the children of a server that is killed are killed too")
{
    forking server;
    load clients(server.at(), {}, 3, 1);
    const auto children = server.children();
    REQUIRE(children.size() == 3);
    server.end(SIGKILL);
    for (const pid_t each : children)
        CHECK(comes([each] {
            std::ifstream file(fmt::format("/proc/{}/stat", each));
            std::string text;
            return !std::getline(file, text) || text.find(") Z ") != std::string::npos;
        }));
}

TEST_CASE(
    "the CPU time of a server is that of its children too, those that live and those that ended")
{
    const forking server;
    const auto before = cpu_ns(server.at().pid);
    std::int64_t after = 0;
    {
        load clients(server.at(), {}, 2, 16);
        clients.closed_loop({0, 0.5});
        after = cpu_ns(server.at().pid);
        CHECK(after - before > 20'000'000);
    }
    CHECK(comes([&] {
        load next(server.at(), {}, 1, 1);
        return server.children().size() <= 2;
    }));
    CHECK(cpu_ns(server.at().pid) > after - 40'000'000); // to 10 ms each, user and system
}
