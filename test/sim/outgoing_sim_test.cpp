// Outgoing connections on the simulated operating system: a relay, whose every system call fails once, with
// every error it may give; and noisy schedules.
//
// The scene: a client asks three questions on one connection; the relay puts each to an upstream of its own, over a
// connection that it makes for it, and answers "failed" where that cannot be done. What must hold after any run:
//
// 1. The server has ended by itself, with no descriptor and no mapping left.
// 2. The client received the beginning of what it should have: the upstream's answer to each question, or "failed".
// 3. One fault harms one answer; an error that means "try again" harms none.
//
// VK_SEED=7 runs that seed alone; VK_SIM_TRACE=1 prints the calls.

#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/isolation.hpp"
#include "support/sim/sim.hpp"

#include <vk/vk.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace vk {

namespace {

using sim::call;
using sim::client;
using sim::world;
using problems = std::vector<std::string>;

constexpr std::size_t questions = 3;

struct upstreams {
    explicit upstreams(const char* base)
    {
        for (std::size_t n = 0; n < questions; ++n)
            at.push_back(address::parse(fmt::format("{}{}", base, n + 1)));
    }
    std::vector<address> at;
};

task<std::string> ask(const address* upstream, std::string question)
{
    outgoing one;
    co_await one.connect(*upstream, 20ms);
    one.io().set_timeout(20ms);
    co_await one.io().write(question);
    auto answer = co_await one.io().readline();
    if (!answer || !answer->ends_with('\n'))
        raise(EPROTO, "read the answer");
    co_return std::string(*answer);
}

task<> relay(socket& io, upstreams& all)
{
    for (std::size_t n = 0;; ++n) {
        auto line = co_await io.readline();
        if (!line || n == all.at.size())
            co_return;
        std::string answer = "failed\n";
        try {
            auto asking = ask(&all.at[n], std::string(*line));
            answer = co_await std::move(asking);
        } catch (const cancelled&) {
            throw;
        } catch (const std::system_error&) {
            // It is told below.
        }
        co_await io.write(answer);
    }
}

struct scene {
    explicit scene(const char* base, const sim::options& how = {}) : in{how}, all{base}
    {
        log::set_level(log::level::error); // what fails here is meant to
        asks = &in.add_client("asks");
        asks->connect();
        for (std::size_t n = 0; n < questions; ++n)
            asks->send(fmt::format("question {}\n", n)).receive_line();
        asks->close();
        in.at(400ms, [this] { in.signal(SIGTERM); });
    }

    client& add_upstream(std::size_t n)
    {
        return in.add_client(fmt::format("answers {}", n)).accept(all.at[n].text()).receive_line();
    }

    void add_usual_upstreams()
    {
        for (std::size_t n = 0; n < questions; ++n)
            add_upstream(n).send(fmt::format("answer {}\n", n)).receive_end().close();
    }

    void serve()
    {
        server_options options;
        options.listen = "127.0.0.1:8080";
        options.heap_pages = 16;
        options.connections_max = 16;
        options.isolation = test::isolation_level();
        options.announce = false;
        status = vk::serve(options, {relay, all});
        in.settle();
    }

    // How many answers came, and how many of them were "failed"; a wrong one is a problem.
    problems look(std::size_t& came, std::size_t& failed) const
    {
        problems found = in.complaints();
        if (const std::size_t fds = in.open_fds(); fds != 0)
            found.push_back(fmt::format("{} descriptors are left open", fds));
        std::string_view left = asks->received();
        came = failed = 0;
        for (; !left.empty(); ++came) {
            std::string right = fmt::format("answer {}\n", came);
            if (left.starts_with("failed\n")) {
                ++failed;
                left.remove_prefix(7);
            } else if (left.starts_with(right)) {
                left.remove_prefix(right.size());
            } else {
                if (!right.starts_with(left) && !std::string_view("failed\n").starts_with(left))
                    found.push_back("the client received what it should not");
                break;
            }
        }
        return found;
    }

    problems look_calm() const
    {
        std::size_t came = 0;
        std::size_t failed = 0;
        problems found = look(came, failed);
        if (came != questions || failed != 0)
            found.push_back(fmt::format("{} answers came, {} failed", came, failed));
        if (status != 0)
            found.push_back(fmt::format("serve() returned {}", status));
        if (in.mapped_bytes() != 0)
            found.push_back("mappings are left");
        return found;
    }

    world in;
    upstreams all;
    client* asks = nullptr;
    int status = -1;
};

struct planned_fault {
    std::size_t position;
    call what;
    int error;
    std::size_t calls_max;
};

problems run_with(const char* base, const planned_fault& fault)
{
    scene one{base};
    one.add_usual_upstreams();
    one.in.fail_call(fault.position, fault.error);
    one.serve();

    std::size_t came = 0;
    std::size_t failed = 0;
    problems found = one.look(came, failed);
    if (fault.what != call::unmap && one.in.mapped_bytes() != 0)
        found.push_back("mappings are left");
    if (one.status != 0)
        found.push_back(fmt::format("serve() returned {}", one.status));
    if (one.in.calls().size() > fault.calls_max)
        found.push_back(fmt::format("it spins: {} calls", one.in.calls().size()));
    if (failed > 1)
        found.push_back(fmt::format("{} answers failed", failed));
    if (sim::is_transient(fault.error) && (came != questions || failed != 0))
        found.push_back(fmt::format("{} answers came, {} failed, though it could be tried again",
                                    came, failed));
    if (came != questions && one.in.victims().empty() && fault.what != call::accept)
        found.push_back(fmt::format("{} answers came, though no connection broke", came));
    return found;
}

// Failing masks end the program, and what fails before it serves keeps it from serving, as with every service:
// see echo_sim_test.
bool may_end_program(call what)
{
    return what == call::mask || what == call::unmask;
}

std::vector<planned_fault> all_faults(const char* base)
{
    scene before{base};
    before.add_usual_upstreams();
    before.serve();
    const auto& calls = before.in.calls();
    std::vector<planned_fault> all;
    bool starting = true;
    for (std::size_t at = 0; at < calls.size(); ++at) {
        starting = starting && calls[at].what != call::epoll_wait &&
                   calls[at].what != call::epoll_look && calls[at].what != call::poll &&
                   calls[at].what != call::uring_enter;
        for (const int error : calls[at].errors)
            if (!starting && error != -calls[at].result && !may_end_program(calls[at].what))
                all.push_back({at, calls[at].what, error, calls.size() + 200});
    }
    return all;
}

constexpr std::array bases{"10.0.0.1:900", "[fd00::1]:900", "unix:/run/up"};

} // namespace

TEST_CASE("the relay without faults: every answer comes, and nothing is left")
{
    for (const char* base : bases) {
        INFO(base);
        scene one{base};
        one.add_usual_upstreams();
        one.serve();
        INFO(one.in.trace(200));
        CHECK(one.look_calm() == problems{});
        CHECK(one.in.count(call::connect) == questions);
        CHECK(one.in.count(call::socket) == questions + 1);
    }
}

TEST_CASE("the relay survives each system call failing, at each position, with each error")
{
    for (const char* base : bases) {
        auto faults = all_faults(base);
        CHECK(faults.size() > 100);
        for (const planned_fault& fault : faults) {
            INFO(base << ": call " << fault.position << ", " << sim::name_of(fault.what)
                      << ", fails with " << sim::name_of_error(fault.error));
            CHECK(run_with(base, fault) == problems{});
        }
    }
}

TEST_CASE("no schedule harms an answer of the relay")
{
    for (const std::uint64_t seed : sim::seeds(200)) {
        INFO("VK_SEED=" << seed);
        sim::options how;
        how.seed = seed;
        how.jitter_ns = 50'000;
        how.noise = sim::noise::all(seed % 2 == 0 ? 0.05 : 0.2);
        scene one{bases[seed % bases.size()], how};
        one.add_usual_upstreams();
        one.serve();
        INFO(one.in.trace(80));
        CHECK(one.look_calm() == problems{});
    }
}

TEST_CASE("an upstream that refuses, resets or says nothing is a failed answer, in time")
{
    for (const char* base : bases) {
        INFO(base);
        scene one{base};
        one.add_upstream(1).reset(); // nobody is at 0
        one.add_upstream(2).after(200ms).send("too late\n").close();
        one.serve();
        CHECK(one.in.complaints() == problems{});
        CHECK(one.in.open_fds() == 0);
        CHECK(one.asks->completed());
        CHECK(one.asks->received() == "failed\nfailed\nfailed\n");
        CHECK(one.in.elapsed() < 1s);
    }
}

} // namespace vk
