// The echo service on the simulated operating system: every system call failing, at every position, with
// every error it may give; and schedules that no test on a real system meets.
//
// The scene is five clients with different habits. What must hold after any run, whatever has failed:
//
// 1. The server has ended by itself, with no descriptor and no mapping left.
// 2. What a client received is the beginning of what it should have: never a wrong byte.
// 3. A client was served in full, unless its own connection was hit by an error that ends one.
//
// A failure names the fault or the seed. VK_SEED=7 runs that seed alone, VK_FAULT=19:ECONNABORTED that fault,
// here rather than in a child, for a debugger; VK_SIM_TRACE=1 prints the calls.

#include "support/catch.hpp"
#include "support/child.hpp"
#include "support/isolation.hpp"
#include "support/sim/sim.hpp"

#include <vk/vk.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;

namespace vk {

namespace {

using sim::call;
using sim::client;
using sim::world;

task<> echo(socket& io)
{
    for (std::size_t n = 0;; ++n) {
        auto line = co_await io.readline();
        if (!line)
            co_return;
        co_await io.print("Line {}: {}", n, *line);
    }
}

/// What the service answers to `sent`.
std::string answer_to(std::string_view sent)
{
    std::string answer;
    for (std::size_t n = 0; !sent.empty(); ++n) {
        const std::size_t length = std::min(sent.find('\n'), sent.size() - 1) + 1;
        answer += fmt::format("Line {}: {}", n, sent.substr(0, length));
        sent.remove_prefix(length);
    }
    return answer;
}

std::string lines(std::size_t count, std::size_t length)
{
    std::string all;
    for (std::size_t n = 0; n < count; ++n)
        all += std::string(length - 1, static_cast<char>('a' + n % 26)) + '\n';
    return all;
}

/// Whether the driver has operations of io_uring, which read, write and look in the place of calls.
bool has_operations()
{
    const char* const poller = std::getenv("VK_POLLER");
    return poller != nullptr && std::string_view{poller}.starts_with("uring");
}

server_options small_server()
{
    server_options made;
    made.listen = "127.0.0.1:8080";
    made.heap_pages = 8;
    made.connections_max = 16;
    made.isolation = test::isolation_level();
    made.announce = false;
    return made;
}

sim::options small_system()
{
    sim::options made;
    made.open_files = 64;
    made.socket_bytes = 4096;
    return made;
}

/// What a scene is played in.
struct setting {
    std::string address = "127.0.0.1:8080";
    sim::options system = small_system();
    std::string left_behind = {}; // the path of a unix socket without a server

    server_options server() const
    {
        server_options made = small_server();
        made.listen = address;
        return made;
    }
};

/// A world with a server in it.
class scene {
public:
    explicit scene(const setting& set) : scene{set.system}
    {
        if (!set.left_behind.empty())
            in.leave_socket(set.left_behind);
    }
    explicit scene(const sim::options& how = small_system()) : in{how}
    {
        log::set_level(log::level::error); // what fails here is meant to
    }

    client& add(std::string name) { return *clients.emplace_back(&in.add_client(std::move(name))); }

    /// Clients with different habits: question and answer, a pipelined batch in pieces, a reader so
    /// slow that the server's output backs up, one that breaks off, one that is short.
    void add_usual_clients(const std::string& address = {})
    {
        auto& asks = add("asks").connect(address);
        for (const char* line : {"one\n", "two\n", "three\n"})
            asks.send(line).receive_line();
        asks.close();

        const std::string batch = lines(20, 30);
        add("sends all at once")
            .connect(address)
            .send_cut(batch, 77, 3us)
            .receive(answer_to(batch).size())
            .half_close()
            .receive_end();

        const std::string flood = lines(150, 200); // more than a ring holds
        add("reads slowly")
            .window(3000)
            .read_slowly(2500, 50us)
            .connect(address)
            .send(flood)
            .half_close()
            .receive_end();

        add("breaks off").connect(address).send("half a li").after(200us).reset();
        add("is short").after(700us).connect(address).send("hello\n").half_close().receive_end();
    }

    void serve(const server_options& options = small_server())
    {
        in.terminate_when_done();
        serve_until_ended(options);
    }

    void serve_until_ended(const server_options& options = small_server())
    {
        status = vk::serve(options, echo);
        in.settle();
    }

    static bool is_intact(const client& one)
    {
        return one.completed() &&
               (one.received() == answer_to(one.sent()) || one.name() == "breaks off");
    }

    std::vector<const client*> harmed() const
    {
        std::vector<const client*> found;
        std::copy_if(clients.begin(), clients.end(), std::back_inserter(found),
                     [](const client* one) { return !is_intact(*one); });
        return found;
    }

    world in;
    std::vector<client*> clients;
    int status = -1;
};

// --- what must hold ---------------------------------------------------------------------------------

using problems = std::vector<std::string>;

/// After every run, whatever has failed in it.
problems problems_of(const scene& one, bool unmapping_failed = false)
{
    problems found = one.in.complaints();
    if (const std::size_t fds = one.in.open_fds(); fds != 0)
        found.push_back(fmt::format("{} descriptors are left open", fds));
    if (const auto bytes = one.in.mapped_bytes(); bytes != 0 && !unmapping_failed)
        found.push_back(fmt::format("{} bytes are left mapped", bytes));
    for (const client* who : one.clients)
        if (!answer_to(who->sent()).starts_with(who->received()))
            found.push_back(fmt::format("\"{}\" received what it should not", who->name()));
    return found;
}

std::string describe_harm(const client& who)
{
    return fmt::format("\"{}\" received {} bytes of {}{}", who.name(), who.received().size(),
                       answer_to(who.sent()).size(), who.completed() ? "" : ", and gave up");
}

/// After a run in which nothing was to be lost.
problems problems_of_calm(const scene& one)
{
    problems found = problems_of(one);
    if (one.status != 0)
        found.push_back(fmt::format("serve() returned {}", one.status));
    for (const client* who : one.harmed())
        found.push_back(describe_harm(*who));
    return found;
}

/// Whether a connection may be lost to this error of this call.
bool may_harm(call what, int error)
{
    const bool shortage = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
    if (what == call::accept && shortage)
        return false; // the connection waits in the queue
    return !sim::is_transient(error);
}

/// A mask that fails would leave memory open that was promised to be closed, or out of the kernel's own reach:
/// there is no going on, and the program says so (dispatcher::protect). Which is an end, but not an answer to
/// garbage or a silent hole.
bool may_end_program(call what)
{
    return what == call::mask || what == call::unmask;
}

bool ended_by_mask(const test::ending& how)
{
    return how.killed_by(SIGABRT) && how.said.find("os::protect") != std::string::npos;
}

/// Only the connection that the fault was given to may be lost; one at most, if it was given to none.
problems problems_of_harm(const scene& one)
{
    problems found;
    const auto harmed = one.harmed();
    const auto& victims = one.in.victims();
    if (harmed.size() > 1)
        found.push_back(fmt::format("{} clients were harmed", harmed.size()));
    for (const client* who : harmed)
        if (harmed.size() > 1 || (!victims.empty() && !victims.contains(who)))
            found.push_back(describe_harm(*who));
    return found;
}

// --- the sweep --------------------------------------------------------------------------------------

/// A fault, and what the run without it says of where it stands.
struct planned_fault {
    std::size_t position;
    call what;
    int error;
    bool starting;         // the server does not serve yet
    std::size_t calls_max; // more would be spinning
};

std::string text_of(const planned_fault& fault)
{
    return fmt::format("call {}, {}, fails with {}", fault.position, sim::name_of(fault.what),
                       sim::name_of_error(fault.error));
}

problems run_with(const setting& in, const planned_fault& fault, std::string& trace)
{
    scene one{in};
    one.add_usual_clients(in.address);
    one.in.fail_call(fault.position, fault.error);
    one.serve(in.server());

    trace = one.in.trace();
    problems found = problems_of(one, fault.what == call::unmap);
    const auto& calls = one.in.calls();
    if (calls.size() <= fault.position || calls[fault.position].result != -fault.error)
        found.push_back("the fault was not injected");
    if (fault.starting && one.status == 1)
        return found; // it could not start, and has said so
    if (one.status != 0)
        found.push_back(fmt::format("serve() returned {}", one.status));
    if (one.in.calls().size() > fault.calls_max)
        found.push_back(fmt::format("it spins: {} calls", one.in.calls().size()));
    if (may_harm(fault.what, fault.error))
        std::ranges::move(problems_of_harm(one), std::back_inserter(found));
    else if (!one.harmed().empty())
        found.push_back("harmed by what harms nobody: " + describe_harm(*one.harmed().front()));
    return found;
}

/// One of many runs: says what was wrong with it, and which calls it made last.
using numbered_run = std::function<problems(std::size_t number, std::string& trace)>;

/// The runs from `begin` to `end`, in an OS process of their own.
test::ending run_apart(std::size_t begin, std::size_t end, const numbered_run& run)
{
    constexpr unsigned seconds_max = 60;
    return test::in_child(
        [&] {
            bool good = true;
            for (std::size_t number = begin; number < end; ++number) {
                std::string trace;
                const problems found = run(number, trace);
                for (const std::string& each : found)
                    std::fprintf(stderr, "%s\n", each.c_str());
                if (!found.empty())
                    std::fputs(trace.c_str(), stderr);
                good = good && found.empty();
            }
            return good ? 0 : 1;
        },
        seconds_max);
}

/// Runs apart, so that an assertion in one does not hide the next; many in a process, since processes are
/// dear. If one of many fails, each gets its own. `check` is told how the processes of single runs ended.
void run_all_apart(std::size_t count, const numbered_run& run,
                   const std::function<void(std::size_t number, const test::ending&)>& check)
{
    constexpr std::size_t many = 32;
    for (std::size_t begin = 0; begin < count; begin += many) {
        const std::size_t end = std::min(begin + many, count);
        const auto together = run_apart(begin, end, run);
        bool explained = together.exited_with(0);
        for (std::size_t number = begin; number < end && !together.exited_with(0); ++number) {
            const auto ended = run_apart(number, number + 1, run);
            explained = explained || !ended.exited_with(0);
            check(number, ended);
        }
        if (!explained) // one of them is spoilt by those before it
            check(begin, together);
    }
}

/// A run for each of `count` seeds (VK_SEED: that one alone); `run` is given a small system with the seed.
void run_seeds(std::size_t count,
               const std::function<problems(sim::options how, std::string& trace)>& run)
{
    const auto seeds = sim::seeds(count);
    const auto run_one = [&](std::size_t number, std::string& trace) {
        sim::options how = small_system();
        how.seed = seeds[number];
        return run(how, trace);
    };
    run_all_apart(seeds.size(), run_one, [&](std::size_t number, const test::ending& ended) {
        INFO("VK_SEED=" << seeds[number] << ": " << ended.text());
        CHECK(ended.exited_with(0));
    });
}

/// The fault that the environment asks for, if it does.
bool is_wanted(const planned_fault& fault)
{
    const char* const wanted = std::getenv("VK_FAULT");
    return wanted == nullptr ||
           wanted == fmt::format("{}:{}", fault.position, sim::name_of_error(fault.error));
}

std::vector<planned_fault> all_faults(const setting& in)
{
    scene before{in};
    before.add_usual_clients(in.address);
    before.serve(in.server());
    const auto& calls = before.in.calls();
    const auto first_wait =
        std::find_if(calls.begin(), calls.end(), [](const sim::call_record& one) {
            return one.what == call::epoll_wait || one.what == call::epoll_look ||
                   one.what == call::poll || one.what == call::uring_enter;
        });
    const auto serving_from = static_cast<std::size_t>(first_wait - calls.begin());

    std::vector<planned_fault> all;
    for (std::size_t at = 0; at < calls.size(); ++at)
        for (const int error : calls[at].errors)
            if (error != -calls[at].result)
                all.push_back({.position = at,
                               .what = calls[at].what,
                               .error = error,
                               .starting = at < serving_from,
                               .calls_max = calls.size() + 500});
    return all;
}

void sweep(const setting& in)
{
    auto faults = all_faults(in);
    CHECK(faults.size() > 200);
    if (std::getenv("VK_FAULT") != nullptr) {
        std::string trace;
        for (const planned_fault& fault : faults)
            if (is_wanted(fault))
                CHECK(run_with(in, fault, trace) == problems{});
        return;
    }
    // Those that may end their process must not end that of others.
    std::ranges::stable_partition(
        faults, [](const planned_fault& fault) { return !may_end_program(fault.what); });
    const auto run = [&](std::size_t number, std::string& trace) {
        return run_with(in, faults[number], trace);
    };
    run_all_apart(faults.size(), run, [&](std::size_t number, const test::ending& ended) {
        const planned_fault& fault = faults[number];
        INFO(text_of(fault) << ": " << ended.text());
        CHECK((ended.exited_with(0) || (may_end_program(fault.what) && ended_by_mask(ended))));
    });
}

} // namespace

TEST_CASE("the scene without faults: everybody is served, and nothing is left")
{
    scene one;
    one.add_usual_clients();
    one.serve();
    INFO(one.in.trace(1000));
    CHECK(problems_of_calm(one) == problems{});
    CHECK(one.in.count(call::accept) >= one.clients.size());
    for (const sim::call_record& each : one.in.calls())
        if (each.what == call::write || each.what == call::writev)
            CHECK(each.result > 0); // a short write says enough: none is tried in vain
}

TEST_CASE("a line in flight is one read and one write, a batch too, and nothing fails")
{
    if (has_operations())
        return;
    for (const std::size_t in_flight : {1, 16}) {
        scene one;
        auto& asks = one.add("asks").connect();
        for (std::size_t n = 0; n < 100; ++n) {
            const std::string batch = lines(in_flight, 64);
            asks.send(batch);
            for (std::size_t line = 0; line < in_flight; ++line)
                asks.receive_line();
        }
        asks.close();
        one.serve();
        INFO(in_flight << " lines in flight\n" << one.in.trace());
        CHECK(problems_of_calm(one) == problems{});
        CHECK(one.in.count(call::read) + one.in.count(call::readv) == 100 + 1); // the end
        CHECK(one.in.count(call::write) + one.in.count(call::writev) == 100);
        const auto& calls = one.in.calls();
        // The listener and the signals, before and after; never a connection.
        CHECK(std::ranges::count(calls, -EAGAIN, &sim::call_record::result) <= 5);
        const std::size_t waits = one.in.count(call::epoll_wait) + one.in.count(call::poll);
        CHECK(waits < 2 * 100 + 10);
    }
}

TEST_CASE("the echo service survives each system call failing, at each position, with each error")
{
    sweep({});
}

TEST_CASE("each system call failing, with clients on a unix socket")
{
    sweep({.address = "unix:/run/echo"});
}

TEST_CASE("each system call failing, where a unix socket was left behind")
{
    sweep({.address = "unix:/run/echo", .left_behind = "/run/echo"});
}

TEST_CASE("each system call failing, on a system that is noisy as well")
{
    for (const std::uint64_t seed : sim::seeds(4)) {
        INFO("VK_SEED=" << seed);
        setting noisy;
        noisy.system.seed = seed;
        noisy.system.jitter_ns = 50'000;
        noisy.system.noise = sim::noise::all(0.1);
        sweep(noisy);
    }
}

TEST_CASE(
    "no schedule loses a byte: short reads and writes, EAGAIN, EINTR, stray edges, late wakes")
{
    run_seeds(500, [](sim::options how, std::string& trace) {
        how.jitter_ns = 50'000;
        how.noise = sim::noise::all(how.seed % 2 == 0 ? 0.05 : 0.3);
        scene one{how};
        one.add_usual_clients();
        one.add("is cut at random").connect().send_random(lines(20, 50)).half_close().receive_end();
        one.serve();
        trace = one.in.trace();
        return problems_of_calm(one);
    });
}

TEST_CASE("many failures at once: no wrong byte, no leak, and an end")
{
    run_seeds(500, [](sim::options how, std::string& trace) {
        how.noise = sim::noise::all();
        scene one{how};
        one.add_usual_clients();
        one.in.spare(call::mask);
        one.in.spare(call::unmask);
        one.in.set_fault_rate(how.seed % 2 == 0 ? 0.02 : 0.1);
        one.serve();
        trace = one.in.trace();
        problems found = problems_of(one, true);
        const bool started = one.in.count(call::accept) > 0;
        if (one.status != (started ? 0 : 1))
            found.push_back(fmt::format("serve() returned {}", one.status));
        return found;
    });
}

TEST_CASE("unix sockets are served alike, and their path is removed")
{
    run_seeds(100, [](sim::options how, std::string& trace) {
        const setting in{.address = "unix:/run/echo", .system = how};
        how.noise = sim::noise::all(how.seed == 1 ? 0 : 0.1);
        scene one{how};
        one.add_usual_clients(in.address);
        one.serve(in.server());
        trace = one.in.trace();
        problems found = problems_of_calm(one);
        if (one.in.count(call::unlink) != 1)
            found.push_back("the path was not removed");
        return found;
    });
}

TEST_CASE("of several addresses one that cannot be had: nothing is left of the others")
{
    server_options options = small_server();
    options.listen = {"unix:/run/echo", "127.0.0.1:8080", "127.0.0.1:8081"};
    for (const std::size_t which : {0, 1, 2}) {
        INFO("address " << which);
        scene one;
        one.in.fail_nth(call::bind, which, EACCES);
        one.serve(options);
        CHECK(one.status == 1);
        CHECK(problems_of(one) == problems{});
        CHECK_FALSE(one.in.has_socket("/run/echo"));
    }
}

TEST_CASE("a system with few descriptors: clients are served in turn")
{
    sim::options how = small_system();
    how.open_files = 8; // standard ones, the listener, the poller, the signals: two are left
    scene one{how};
    for (int n = 0; n < 12; ++n)
        one.add("waits its turn").connect().send("x\n").receive_line().after(10ms).close();
    one.serve();
    INFO(one.in.trace());
    CHECK(problems_of_calm(one) == problems{});
    CHECK(one.in.count(call::accept) < 100);
}

TEST_CASE("descriptors that are gone: the listener waits without spinning, and goes on when some "
          "are back")
{
    scene one;
    for (int n = 0; n < 12; ++n)
        one.add("waits its turn")
            .at(100us)
            .connect()
            .send("x\n")
            .receive_line()
            .after(10ms)
            .close();
    one.in.at(50us, [&] { one.in.set_open_files(8); });
    one.add("stays").at(90us).connect().send("x\n").receive_line().after(300ms).close();
    one.add("is late").at(400ms).connect().send("x\n").receive_line().close();
    one.in.at(500us, [&] { one.in.set_open_files(5); });
    one.in.at(1s, [&] { one.in.set_open_files(64); });
    one.serve();
    INFO(one.in.trace());
    CHECK(problems_of_calm(one) == problems{});
    const auto& calls = one.in.calls();
    const auto refused = std::ranges::count(calls, -EMFILE, &sim::call_record::result);
    CHECK(refused > 2);
    CHECK(refused < 40);
    CHECK(one.in.elapsed() < 2s);
}

TEST_CASE("without memory for another connection, that one is closed and the others are served")
{
    server_options options = small_server();
    options.pool = 2;
    scene one;
    one.add("first").connect().send("x\n").receive_line().after(10ms).send("y\n").receive_line();
    one.add("second").connect().send("x\n").receive_line().after(10ms).send("y\n").receive_line();
    one.in.at(1ms, [&] { one.in.set_mapped_bytes_max(1); });
    one.add("third").after(2ms).connect().send("x\n").receive_end();
    for (client* each : one.clients)
        each->close();
    one.serve(options);
    INFO(one.in.trace());
    CHECK(problems_of(one) == problems{});
    const auto harmed = one.harmed();
    REQUIRE(harmed.size() <= 1);
    for (const client* who : harmed)
        CHECK(who->name() == "third");
}

TEST_CASE("a line longer than the heap ends its connection, and no other")
{
    scene one;
    one.add_usual_clients();
    auto& endless = one.add("endless").connect().send(std::string(1 << 20, 'x')).receive_end();
    one.serve();
    INFO(one.in.trace());
    CHECK(problems_of(one) == problems{});
    CHECK(endless.received().empty());
    CHECK(endless.ended() != client::ending::none);
    CHECK(one.harmed() == std::vector<const client*>{&endless});
}

TEST_CASE("a client that never reads does not hold up the others, nor the end for ever")
{
    scene one;
    one.add_usual_clients();
    auto& never = one.add("never reads").connect().stop_reading().send(lines(1000, 1000));
    one.in.at(100ms, [&] { one.in.signal(SIGTERM); });
    one.serve_until_ended();
    INFO(one.in.trace());
    CHECK(problems_of(one) == problems{});
    CHECK(one.status == 0);
    CHECK(one.harmed() == std::vector<const client*>{&never});
    CHECK(one.in.elapsed() < 10s);
}

TEST_CASE("an idle client is dropped in its time")
{
    server_options options = small_server();
    options.timeout = 30s;
    scene one;
    one.add("active")
        .connect()
        .send("a\n")
        .receive_line()
        .after(29s)
        .send("b\n")
        .receive_line()
        .close();
    auto& idle = one.add("idle").connect().send("a\n").receive_end();
    one.serve(options);
    INFO(one.in.trace());
    CHECK(problems_of(one) == problems{});
    CHECK(idle.received() == "Line 0: a\n");
    CHECK(idle.ended() == client::ending::eof);
    CHECK(one.harmed().empty());
    CHECK(one.in.elapsed() < 31s);
    CHECK(one.in.elapsed() >= 30s);
}

TEST_CASE("SIGTERM at any time: an end in good order")
{
    run_seeds(300, [](sim::options how, std::string& trace) {
        how.noise = sim::noise::all(0.1);
        scene one{how};
        one.add_usual_clients();
        const auto pause = std::chrono::microseconds{13} * how.seed;
        one.add("sees it serving")
            .connect()
            .send("x\n")
            .receive_line()
            .after(pause)
            .then([&](client&) { one.in.signal(SIGTERM); });
        one.serve_until_ended();
        trace = one.in.trace();
        problems found = problems_of(one);
        if (one.status != 0)
            found.push_back(fmt::format("serve() returned {}", one.status));
        if (one.in.elapsed() > 10s)
            found.push_back("it took too long");
        return found;
    });
}

} // namespace vk
