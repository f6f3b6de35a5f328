#pragma once

// world: one run of the simulated operating system. See sim.hpp for how a test uses it.
//
// A world owns the virtual clock, the descriptor table, the clients, the events that are due, the faults
// that were asked for, and the record of all calls. There is one at a time: os.hpp's functions find it by
// world::current(). Everything happens on the one thread of the program, inside its system calls: a call
// costs a little time, lets the world act up to that time, and then does its work (or fails).

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <sys/epoll.h>

#include "support/sim/call.hpp"
#include "support/sim/client.hpp"
#include "support/sim/dice.hpp"
#include "support/sim/epoll.hpp"
#include "support/sim/file.hpp"
#include "support/sim/pipe.hpp"
#include "support/sim/socket.hpp"

struct pollfd;
struct iocb;
struct io_uring;
struct io_uring_buf_ring;

namespace vk::sim {

using nanoseconds = std::chrono::nanoseconds;

/// Probabilities, for each call, of what a real system does now and then. All of them are schedules a correct
/// program must survive with every stream intact.
struct noise {
    double preempt = 0;    // the program loses the processor until the next event (if that is near)
    double late_wake = 0;  // a wait ends an event or more later than it could
    double short_io = 0;   // a read or write moves less than it could
    double spurious = 0;   // EAGAIN though there is data or room, EINTR where it may be
    double stray_edge = 0; // epoll queues an item without a reason, io_uring looks at a file
    double early_end = 0;  // an operation of io_uring that goes on ends, or finds no buffer
    double deferred = 0;   // io_uring completes a part of what it could, in any order

    /// A little of each.
    static noise all(double probability = 0.05)
    {
        return {probability, probability, probability, probability,
                probability, probability, probability};
    }
};

struct options {
    std::uint64_t seed = 1;
    std::int64_t call_ns = 200;       // what a system call costs
    std::int64_t now_ns = 20;         // what asking for the time costs
    std::int64_t latency_ns = 20'000; // from one end of a connection to the other
    std::int64_t jitter_ns = 0;       // at most this is added to a latency, by the seed
    std::size_t open_files = 1024;    // descriptors, standard ones included
    std::size_t socket_bytes = 65'536;
    std::size_t pipe_bytes = 65'536;
    std::size_t mapped_bytes_max = std::numeric_limits<std::size_t>::max();
    std::size_t map_count = 65'530;
    unsigned submissions_max = 32'768; // of an io_uring, whatever it asks for; a power of two
    unsigned completions_max = 65'536;
    std::size_t calls_max = 2'000'000; // a run that makes more is taken for a loop without end
    sim::noise noise = {};
};

/// What io_uring may do, and a test wants to have happened.
enum class happening : std::uint8_t {
    overflow,  // a completion did not fit
    starved,   // a receive found no buffer
    early_end, // what would have gone on has ended
    lost_race, // what was to be cancelled had ended
};

struct aio_events;
class ring;

class world {
public:
    world() : world{sim::options{}} {}
    explicit world(const sim::options& how);
    ~world();
    world(const world&) = delete;
    world& operator=(const world&) = delete;

    static world& current();

    // --- what happens -------------------------------------------------------------------------------

    /// A peer, without a script yet. It lives as long as the world.
    client& add_client(std::string name);

    /// Run `act` at a time from the start.
    void at(nanoseconds since_start, std::function<void()> act);

    /// A signal for the program, now.
    void signal(int number);

    /// SIGTERM, so long after the last client's script has ended.
    void terminate_when_done(nanoseconds after = std::chrono::milliseconds{1});

    /// The path of a unix socket whose server is gone: taken, though nobody listens.
    void leave_socket(const std::string& path) { paths_.insert("unix:" + path); }
    bool has_socket(const std::string& path) const { return paths_.contains("unix:" + path); }

    /// The descriptors of the two ends of a connection, both the program's; below 0 where there are no more.
    std::array<int, 2> connect_pair(int family);

    void set_open_files(std::size_t count) noexcept { options_.open_files = count; }
    void set_mapped_bytes_max(std::size_t bytes) noexcept { options_.mapped_bytes_max = bytes; }

    /// After the program has ended: let the world go on until nothing more happens.
    void settle();

    // --- faults -------------------------------------------------------------------------------------

    /// The call at this position of the run (0 is the first) fails.
    void fail_call(std::size_t position, int error);

    /// The `nth` call of a kind (0 is the first of the run) fails.
    void fail_nth(call what, std::size_t nth, int error);

    /// The next `times` calls of a kind fail.
    void fail_next(call what, int error, std::size_t times = 1);
    void heal() noexcept { rules_.clear(); }

    /// The next `times` reads or writes of a kind move at most `bytes`.
    void shorten_next(call what, std::size_t bytes, std::size_t times = 1);

    /// Each call fails with this probability, with an error it may give, by the seed; but none of a kind that
    /// is `spared`.
    void set_fault_rate(double probability) noexcept { fault_rate_ = probability; }
    void spare(call what) { spared_.insert(what); }

    // --- what came of it ----------------------------------------------------------------------------

    const std::vector<call_record>& calls() const noexcept { return calls_; }
    std::size_t count(call what) const noexcept { return counts_[static_cast<std::size_t>(what)]; }
    std::size_t faults() const noexcept { return faults_; }
    std::size_t happened(happening what) const noexcept
    {
        return happened_[static_cast<std::size_t>(what)];
    }

    /// The clients whose connection was on the receiving end of a fault that is not transient.
    const std::set<const client*>& victims() const noexcept { return victims_; }

    /// What the program did that no correct one does: used a closed descriptor, waited for ever, ...
    const std::vector<std::string>& complaints() const noexcept { return complaints_; }

    /// Descriptors that are open, standard ones not counted.
    std::size_t open_fds() const noexcept;

    /// Bytes that are mapped now less those that were when this world began.
    std::ptrdiff_t mapped_bytes() const noexcept;

    nanoseconds elapsed() const noexcept;

    /// What the program wrote to standard output and error.
    const std::string& output() const noexcept { return output_; }

    /// The last calls, as text, oldest first.
    std::string trace(std::size_t last = 40) const;

    std::uint64_t seed() const noexcept { return options_.seed; }
    sim::dice& dice() noexcept { return dice_; }

    // --- for clients --------------------------------------------------------------------------------

    void later(std::int64_t delay_ns, std::function<void()> act);
    std::int64_t latency() noexcept;
    std::shared_ptr<socket> make_socket(int family, std::size_t capacity);
    const sim::options& how() const noexcept { return options_; }

    /// The listener for an address ("" for the first there is), or none.
    std::shared_ptr<socket> find_listener(const std::string& address) const;

    /// Whether such a listener has existed, though it may be closed.
    bool knew_listener(const std::string& address) const;

    /// Call `then` when the next listener appears.
    void when_listening(std::function<void()> then) { on_listen_.push_back(std::move(then)); }

    /// A client that waits for the program to connect to `address`, after those that were offered before.
    void offer_remote(const std::string& address, client& who)
    {
        remotes_[address].push_back(&who);
    }

    /// Take the descriptors 0 and 1 of the program away from the terminal.
    void set_standard(std::shared_ptr<file> input, std::shared_ptr<file> output);
    void client_done();

    // --- for os.cpp: the calls ----------------------------------------------------------------------

    std::int64_t now() noexcept;
    std::int64_t sleep_until(std::int64_t deadline);

    void* map(call what, std::size_t bytes, bool accessible, int& error);
    std::int64_t unmap(void* at, std::size_t bytes);
    std::int64_t protect(void* at, std::size_t bytes, bool accessible);
    std::int64_t advise(call what, void* at, std::size_t bytes);
    std::size_t map_count() const noexcept { return options_.map_count; }

    std::int64_t read(call what, int fd, const iovec* parts, int count);
    std::int64_t write(call what, int fd, const iovec* parts, int count);
    std::int64_t close(int fd);
    std::int64_t set_nonblocking(int fd, bool on);
    std::int64_t unlink(const char* path);
    std::int64_t is_socket(const char* path);
    std::size_t open_files() const noexcept { return options_.open_files; }
    std::int64_t pipe(int fds[2]);

    std::int64_t socket_open(int domain, int type);
    std::int64_t bind(int fd, const sockaddr* address, socklen_t bytes);
    std::int64_t listen(int fd, int backlog);
    std::int64_t accept(int fd);
    std::int64_t connect(int fd, const sockaddr* address, socklen_t bytes);
    std::int64_t shutdown(int fd, int how);
    std::int64_t set_option(int fd, int level, int name, int value);
    std::int64_t get_option(int fd, int level, int name, int& value);
    std::int64_t local_address(int fd, sockaddr_storage& address);
    std::int64_t peer_address(int fd, sockaddr_storage& address);

    std::int64_t epoll_create();
    std::int64_t epoll_control(int epoll, int operation, int fd, epoll_event* event);
    std::int64_t epoll_wait(int epoll, epoll_event* events, int count, std::int64_t timeout_ns);
    std::int64_t poll(pollfd* fds, std::size_t count, std::int64_t timeout_ns);

    std::int64_t uring_open(io_uring& shared, unsigned submissions, unsigned completions);
    std::int64_t uring_provide(int fd, io_uring_buf_ring* from, unsigned count);

    /// Submit what was prepared, without waiting; and wait for a completion, as io_uring_enter(2).
    std::int64_t uring_submit(int fd);
    std::int64_t uring_enter(int fd, std::int64_t timeout_ns);

    std::int64_t aio_open(const aio_events& shared);
    std::int64_t aio_submit(int fd, iocb** blocks, unsigned count);
    std::int64_t aio_cancel(int fd, const iocb& block);

    std::int64_t signal_open(const int* signals, int count);
    std::int64_t signal_read(int fd);
    std::int64_t kill(bool itself, int number);
    // --- for io_uring: what an operation does on the file that it holds, whatever its descriptor has become

    std::shared_ptr<file> find(int fd) const noexcept;
    std::int64_t operate(call what, int fd, const std::shared_ptr<file>& on, const iovec& part);
    void note(happening what) noexcept { ++happened_[static_cast<std::size_t>(what)]; }

    void ignore_sigpipe() noexcept { sigpipe_ignored_ = true; }

    /// A call that the world knows only to be made (and to fail, if asked to).
    std::int64_t other(call what, std::int64_t result);

private:
    /// What is to happen to some of the next calls of a kind.
    struct rule {
        call what;
        std::size_t first; // counted among the calls of that kind
        std::size_t times;
        int error; // 0: they move at most `bytes`
        std::size_t bytes;
    };
    class signals;

    using action = std::function<std::int64_t()>;

    // A call from beginning to end.
    std::int64_t perform(call what, int fd, const action& act);
    std::int64_t perform_on(call what, int fd, const std::shared_ptr<file>& on, const action& act);
    void begin(call what, int fd, const std::shared_ptr<file>& on);
    int pick_fault();
    const rule* rule_for(call what, bool shortening) const;
    std::int64_t inject(int error, const std::shared_ptr<file>& on, const action& act);
    void take_effect(const std::shared_ptr<file>& on, int error);
    void take_effect_on_socket(call what, socket& on, int error);
    std::int64_t end(std::size_t position, std::int64_t result);
    std::string describe(const call_record& one) const;

    // Reads and writes.
    std::int64_t transfer(int fd, const iovec* parts, int count, bool reads);
    std::int64_t transfer_on(const std::shared_ptr<file>& on, const iovec* parts, int count,
                             bool reads);
    std::size_t limit_of(const file& on, std::size_t bytes, bool reads);
    void stall(const std::shared_ptr<file>& on, bool input);
    void check_sigpipe();

    // Time.
    bool next_is_near() const noexcept;
    void run_next();
    void run_due();
    std::int64_t wait(std::int64_t timeout_ns, const action& ready);
    void unstick();

    // Descriptors.
    std::shared_ptr<file> find_or_complain(int fd);
    template <class File>
    std::shared_ptr<File> find_as(int fd, int& error);
    std::int64_t free_fd() const noexcept;
    std::int64_t install(std::shared_ptr<file> one);
    std::int64_t drop(int fd);

    std::shared_ptr<ring> find_ring(int fd);

    // Sockets.
    std::shared_ptr<socket> find_socket(int fd, int& error);
    std::int64_t bind_to(socket& one, const sockaddr* address, socklen_t bytes);
    bool is_taken(const socket& one, const std::string& name) const;
    std::int64_t connect_to(const std::shared_ptr<socket>& one, const std::string& name);
    bool establish(const std::shared_ptr<socket>& one, const std::string& name);
    std::int64_t count_ready(pollfd* fds, std::size_t count);

    void complain(std::string what);
    [[noreturn]] void give_up(const std::string& why) const;

    sim::options options_;
    sim::dice dice_;
    std::int64_t clock_;
    std::multimap<std::int64_t, std::function<void()>> events_;
    std::string output_;

    std::vector<std::shared_ptr<file>> fds_;
    std::set<std::string> paths_; // of unix sockets, until they are unlinked
    std::vector<std::string> ever_listened_;
    std::vector<std::function<void()>> on_listen_;
    std::map<std::string, std::deque<client*>> remotes_;
    int next_port_ = 40'000;

    std::vector<std::unique_ptr<client>> clients_;
    std::size_t clients_done_ = 0;
    std::optional<nanoseconds> terminate_after_;

    std::set<int> signals_blocked_;
    std::set<int> signals_pending_;
    std::vector<std::weak_ptr<signals>> signal_files_;
    bool sigpipe_ignored_ = false;

    std::map<std::size_t, int> failing_at_;
    std::vector<rule> rules_;
    double fault_rate_ = 0;
    std::set<call> spared_;

    std::vector<call_record> calls_;
    std::array<std::size_t, call_kinds> counts_{};
    std::size_t faults_ = 0;
    std::array<std::size_t, 4> happened_{};
    std::set<const client*> victims_;
    std::vector<std::string> complaints_;
    std::size_t stuck_ = 0;
    bool settling_ = false;
    std::size_t mapped_before_;
    bool tracing_;
};

} // namespace vk::sim
