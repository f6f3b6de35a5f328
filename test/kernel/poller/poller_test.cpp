#include "support/catch.hpp"
#include "support/fds.hpp"
#include "support/pollers.hpp"

#include <vk/base/error.hpp>
#include <vk/base/os.hpp>
#include <vk/kernel/poller/poller.hpp>
#include <vk/proc/completions.hpp>

#include <cerrno>
#include <csignal>
#include <map>
#include <memory>
#include <memory_resource>
#include <ostream>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

using vk::fd_record;
using vk::nanoseconds;
using vk::ready;
using vk::test::connection_pair;
using vk::test::pollers;
using vk::test::socket_pair;
using vk::test::tcp_pair;
using vk::test::unique_fd;

// The contract of poller.hpp, for every driver that was compiled in: pollers() finds a new one by itself.

namespace {

// A driver, and in place of a kernel one process that owns all fds.
class bench {
public:
    static constexpr std::size_t fds_max = 20'000;

    explicit bench(const std::string& name)
        : table_(fds_max, &memory_),
          processes_(2, &memory_),
          owner_(processes_.add()),
          made_(vk::make_poller(name, {table_, run_, count, &memory_}))
    {
    }
    ~bench()
    {
        while (!owner_->fds.empty())
            forget(owner_->fds.front());
        made_->~poller();
    }
    bench(const bench&) = delete;
    bench& operator=(const bench&) = delete;

    vk::poller& driver() noexcept { return *made_; }

    fd_record& own(int fd, vk::fd_kind kind = vk::fd_kind::unix_socket)
    {
        fd_record& one = *table_.find(fd);
        one.kind = kind;
        one.fd = fd;
        one.owner = owner_;
        where_.erase(fd);
        one.where = &where_.try_emplace(fd, fd, kind).first->second;
        owner_->fds.push_back(one);
        return one;
    }

    fd_record& record(int fd) noexcept { return *table_.find(fd); }

    // As the kernel does before it closes an fd.
    void forget(fd_record& one)
    {
        made_->forget(one);
        one.fd_hook<vk::dirty_fd_tag>::unlink();
        one.fd_hook<vk::fresh_fd_tag>::unlink();
        one.fd_hook<vk::owned_fd_tag>::unlink();
        one.owner = nullptr;
        one.where = nullptr;
        one.fd = -1;
        one.interest = one.fresh = ready::none;
        one.lent = false;
    }

    // Read what there is, as a process does.
    void drain(fd_record& one)
    {
        char bytes[4096];
        vk::completions* by = one.where->by;
        while ((by ? by->receive(one.fd, bytes, sizeof(bytes))
                   : ::recv(one.fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {}
    }

    // The owner waits for `interest`, and the driver is told.
    void tell(fd_record& one, ready interest)
    {
        one.interest = one.interest | interest;
        if (!one.fd_hook<vk::dirty_fd_tag>::is_linked())
            dirty_.push_back(one);
        made_->submit(dirty_);
        CHECK(dirty_.empty());
    }

    // As tell(), unless the driver knows the fd and needs no further word.
    void tell_again(fd_record& one, ready interest)
    {
        if (!made_->registers_once())
            tell(one, interest);
    }

    // What one wait reports, by fd.
    std::map<int, ready> wait(nanoseconds timeout = 0)
    {
        made_->wait(run_.empty() ? timeout : 0); // as a kernel that has something to run
        std::map<int, ready> found;
        while (!owner_->fresh.empty()) {
            fd_record& one = owner_->fresh.front();
            owner_->fresh.pop_front();
            CHECK(found.count(one.fd) == 0);
            found[one.fd] = std::exchange(one.fresh, ready::none);
        }
        // The owner is queued if there is something to tell it, once.
        CHECK(run_.size() == (found.empty() ? 0u : 1u));
        run_.clear();
        return found;
    }

    vk::counters count;

private:
    template <class Tag>
    using fd_hook = vk::fd_hook<Tag>;

    // Owns what drivers allocate: a kernel gives it back with its heap.
    std::pmr::monotonic_buffer_resource memory_;
    vk::fd_table table_;
    vk::process_table processes_;
    vk::process_list<vk::run_tag> run_;
    vk::process_record* owner_;
    vk::dirty_fds dirty_;
    std::map<int, vk::descriptor> where_;
    vk::poller* made_;
};

using found = std::map<int, ready>;

bool has(const found& all, int fd, ready bits)
{
    auto at = all.find(fd);
    return at != all.end() && any(at->second & bits);
}

// Until the system takes no more; returns the bytes.
std::size_t fill(int fd)
{
    std::string much(64 * 1024, 'x');
    std::size_t all = 0;
    for (ssize_t sent; (sent = ::send(fd, much.data(), much.size(), MSG_DONTWAIT)) > 0;)
        all += static_cast<std::size_t>(sent);
    return all;
}

void drain(int fd)
{
    char bytes[4096];
    while (::recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {}
}

constexpr nanoseconds long_wait = 2'000'000'000; // ends early, unless something is broken

// A driver, and a kind of connection.
struct subject {
    std::string poller;
    vk::fd_kind kind;

    friend std::ostream& operator<<(std::ostream& to, const subject& of)
    {
        return to << of.poller << (of.kind == vk::fd_kind::tcp ? ", tcp" : ", unix");
    }
};

std::vector<subject> subjects()
{
    std::vector<subject> all;
    for (const std::string& name : pollers())
        for (vk::fd_kind kind : {vk::fd_kind::unix_socket, vk::fd_kind::tcp})
            all.push_back({name, kind});
    return all;
}

connection_pair connected(const subject& of)
{
    return of.kind == vk::fd_kind::tcp ? connection_pair(tcp_pair())
                                       : connection_pair(socket_pair());
}

std::vector<connection_pair> connected(const subject& of, std::size_t count)
{
    std::vector<connection_pair> all;
    for (std::size_t i = 0; i < count; ++i)
        all.push_back(connected(of));
    return all;
}

// What is reported of `one` until `bits` are. A driver that is told at each block may leave them to the next.
found hear(bench& on, fd_record& one, ready bits)
{
    found now = on.wait(long_wait);
    if (has(now, one.fd, bits) || on.driver().registers_once())
        return now;
    on.tell(one, ready::in);
    for (const auto& [fd, more] : on.wait(long_wait))
        now[fd] |= more;
    return now;
}

// kqueue(2) has no word for an urgent mark, and for a peer that is gone none but its end.
bool tells_all(const std::string& name)
{
    return name != "kqueue";
}

// The end of an io_uring interrupts a wait of its OS process, a while later.
void let_rings_end()
{
    while (vk::os::poll(nullptr, 0, 50'000'000) == -EINTR) {}
}

} // namespace

TEST_CASE("drivers are made by name, and say theirs", "[poller]")
{
    CHECK(pollers().size() >= 2);
    for (const std::string& name : pollers()) {
        CHECK(vk::is_poller(name));
        bench on(name);
        CHECK(on.driver().name() == name);
    }
}

TEST_CASE("a name that no driver has is refused, with those that are", "[poller]")
{
    CHECK_FALSE(vk::is_poller("select"));
    CHECK_FALSE(vk::is_poller(""));
    try {
        bench on("select");
        FAIL("made a driver called select");
    } catch (const vk::error& e) {
        CHECK(e.code() == std::errc::invalid_argument);
        CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("select"));
        CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("epoll, epoll-oneshot, poll, aio"));
    }
}

TEST_CASE("a driver needs no more memory than it says", "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        constexpr std::size_t fds = 100'000;
        std::pmr::monotonic_buffer_resource rest;
        vk::fd_table table(fds, &rest);
        vk::process_list<vk::run_tag> run;
        vk::counters count;
        std::vector<std::byte> space(vk::poller_bytes(name, fds));
        std::pmr::monotonic_buffer_resource memory(space.data(), space.size(),
                                                   std::pmr::null_memory_resource());
        vk::poller* made = vk::make_poller(name, {table, run, count, &memory});
        made->~poller();
    }
}

TEST_CASE("a driver gives back the fds that it opened", "[poller]")
{
    for (const std::string& name : pollers()) {
        std::size_t before = vk::test::open_fds();
        {
            bench on(name);
            socket_pair fds;
            on.tell(on.own(fds.near.get()), ready::in);
            on.wait();
        }
        CHECK(vk::test::open_fds() == before);
    }
}

TEST_CASE("where nothing is ready nothing is reported, and the wait ends in time", "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        let_rings_end();
        bench on(name);
        socket_pair fds;
        on.tell(on.own(fds.near.get()), ready::in);
        CHECK(on.wait(0).empty());
        nanoseconds before = vk::os::now();
        CHECK(on.wait(3'000'000).empty());
        CHECK(vk::os::now() - before >= 3'000'000);
        CHECK(vk::os::now() - before < long_wait);
        // To look may cost no call, or one more with a driver that polls another.
        CHECK(on.count.waits >= 1);
        CHECK(on.count.waits <= 3);
    }
}

TEST_CASE("bytes that come are reported once, and again when more come after a drain", "[poller]")
{
    for (const subject& of : subjects()) {
        INFO(of);
        bench on(of.poller);
        connection_pair fds = connected(of);
        int fd = fds.near.get();
        fd_record& one = on.own(fd, of.kind);
        on.tell(one, ready::in);
        vk::test::write_all(fds.far.get(), "a");
        found now = on.wait(long_wait);
        CHECK(has(now, fd, ready::in));
        CHECK_FALSE(has(now, fd, ready::hang_up | ready::failed | ready::urgent));
        CHECK(now.size() == 1);
        CHECK(on.wait().empty()); // though they have not been read

        auto registered = on.count.registrations;
        for (int i = 0; i < 3; ++i) {
            on.drain(one);
            on.tell_again(one, ready::in);
            CHECK(on.wait().empty());
            vk::test::write_all(fds.far.get(), "b");
            CHECK(has(on.wait(long_wait), fd, ready::in));
        }
        if (on.driver().registers_once())
            CHECK(on.count.registrations == registered);
    }
}

TEST_CASE("bytes that came before the fd was told of are reported", "[poller]")
{
    for (const subject& of : subjects()) {
        INFO(of);
        bench on(of.poller);
        connection_pair fds = connected(of);
        vk::test::write_all(fds.far.get(), "early");
        on.tell(on.own(fds.near.get(), of.kind), ready::in);
        CHECK(has(on.wait(long_wait), fds.near.get(), ready::in));
    }
}

TEST_CASE("room to write is reported to who waits for it alone", "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        bench on(name);
        socket_pair fds;
        int fd = fds.near.get();
        fd_record& one = on.own(fd);
        on.tell(one, ready::in);
        CHECK(on.wait().empty()); // there is room, but nobody asked

        REQUIRE(fill(fd) > 0);
        CHECK(on.wait().empty());
        drain(fds.far.get()); // now there is room again
        CHECK(on.wait().empty());
    }
}

TEST_CASE("room to write is reported when it has come, not before", "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        bench on(name);
        socket_pair fds;
        int fd = fds.near.get();
        fd_record& one = on.own(fd);
        for (int i = 0; i < 3; ++i) {
            REQUIRE(fill(fd) > 0);
            on.tell(one, ready::out);
            CHECK(on.wait().empty());
            CHECK(on.wait(1'000'000).empty());
            drain(fds.far.get());
            found now = on.wait(long_wait);
            CHECK(has(now, fd, ready::out));
            CHECK_FALSE(has(now, fd, ready::in));
            CHECK(on.wait().empty());
        }
    }
}

TEST_CASE("both directions are waited for at once, and each is reported when it is ready",
          "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        bench on(name);
        socket_pair fds;
        int fd = fds.near.get();
        fd_record& one = on.own(fd);
        REQUIRE(fill(fd) > 0);
        on.tell(one, ready::in);
        on.tell(one, ready::out);
        CHECK(on.wait().empty());
        vk::test::write_all(fds.far.get(), "x");
        found now = on.wait(long_wait);
        CHECK(has(now, fd, ready::in));
        CHECK_FALSE(has(now, fd, ready::out));
        CHECK(on.wait().empty());
        drain(fds.far.get()); // who waits for room has not been forgotten
        CHECK(has(on.wait(long_wait), fd, ready::out));
    }
}

TEST_CASE("a peer that ends its side is a hang-up, and room is still waited for", "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        bench on(name);
        socket_pair fds;
        int fd = fds.near.get();
        fd_record& one = on.own(fd);
        REQUIRE(fill(fd) > 0);
        on.tell(one, ready::in);
        on.tell(one, ready::out);
        vk::test::write_all(fds.far.get(), "last words");
        ::shutdown(fds.far.get(), SHUT_WR);
        found now = hear(on, one, ready::hang_up);
        CHECK(has(now, fd, ready::in));
        CHECK(has(now, fd, ready::hang_up));
        CHECK_FALSE(has(now, fd, ready::out | ready::failed));
        drain(fds.far.get());
        CHECK(has(on.wait(long_wait), fd, ready::out));
    }
}

TEST_CASE("a peer that is gone is reported to who reads and to who writes", "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        bench on(name);
        socket_pair reading;
        socket_pair writing;
        REQUIRE(fill(writing.near.get()) > 0);
        on.tell(on.own(reading.near.get()), ready::in);
        on.tell(on.own(writing.near.get()), ready::out);
        CHECK(on.wait().empty());
        reading.far.reset();
        writing.far.reset();
        found now = on.wait(long_wait);
        if (now.size() < 2) // the system may tell of one after the other
            now.merge(on.wait(long_wait));
        CHECK(has(now, reading.near.get(), tells_all(name) ? ready::failed : ready::hang_up));
        CHECK(has(now, writing.near.get(), tells_all(name) ? ready::failed : ready::out));
    }
}

TEST_CASE("a connection that is reset is a failure", "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        bench on(name);
        tcp_pair fds;
        int fd = fds.near.get();
        on.tell(on.own(fd), ready::in);
        CHECK(on.wait().empty());
        fds.reset();
        CHECK(has(on.wait(long_wait), fd, ready::failed));
    }
}

TEST_CASE("an urgent mark is reported, until it is read past", "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        bench on(name);
        tcp_pair fds;
        int fd = fds.near.get();
        fd_record& one = on.own(fd);
        on.tell(one, ready::in);
        ::send(fds.far.get(), "!", 1, MSG_OOB);
        CHECK(has(hear(on, one, ready::urgent), fd, ready::urgent) == tells_all(name));
        drain(fd); // which takes the mark away
        on.tell_again(one, ready::in);
        CHECK(on.wait(1'000'000).empty());
    }
}

TEST_CASE("a file that never blocks is ready at once, for reading and writing", "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        bench on(name);
        unique_fd file(::memfd_create("test", MFD_CLOEXEC));
        fd_record& one = on.own(file.get(), vk::fd_kind::other);
        for (int i = 0; i < 3; ++i) { // each time that somebody waits for it
            on.tell(one, ready::in);
            CHECK(has(on.wait(long_wait), file.get(), ready::in));
            on.tell(one, ready::out);
            CHECK(has(on.wait(long_wait), file.get(), ready::out));
        }
        CHECK(on.wait().empty());
    }
}

TEST_CASE("of an fd that is forgotten nothing is reported", "[poller]")
{
    for (const subject& of : subjects()) {
        INFO(of);
        bench on(of.poller);
        connection_pair kept = connected(of);
        connection_pair lent = connected(of);
        int fd = lent.near.get();
        fd_record& one = on.own(fd, of.kind);
        one.lent = true; // it is not closed, so that the system does not forget it by itself
        on.tell(one, ready::in);
        on.tell(on.own(kept.near.get(), of.kind), ready::in);
        CHECK(on.wait().empty());
        on.forget(one);
        vk::test::write_all(lent.far.get(), "x");
        vk::test::write_all(kept.far.get(), "x");
        found now = on.wait(long_wait);
        CHECK(now.size() == 1);
        CHECK(has(now, kept.near.get(), ready::in));
    }
}

TEST_CASE("what is no connection is forgotten though somebody else has it open", "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        bench on(name);
        socket_pair fds; // for a listening socket that another OS process keeps
        int fd = fds.near.get();
        unique_fd elsewhere(::dup(fd));
        fd_record& one = on.own(fd, vk::fd_kind::other);
        on.tell(one, ready::in);
        CHECK(on.wait().empty());
        on.forget(one);
        socket_pair next;
        REQUIRE(::dup2(next.near.get(), fd) == fd); // closes it, and takes its number
        on.tell(on.own(fd, vk::fd_kind::other), ready::in);
        CHECK(on.wait().empty());
        vk::test::write_all(fds.far.get(), "x");
        CHECK(on.wait(20'000'000).empty());
        vk::test::write_all(next.far.get(), "x");
        CHECK(has(on.wait(long_wait), fd, ready::in));
    }
}

TEST_CASE("an fd that is closed while it is watched is closed", "[poller]")
{
    for (const subject& of : subjects()) {
        INFO(of);
        bench on(of.poller);
        connection_pair fds = connected(of);
        fd_record& one = on.own(fds.near.get(), of.kind);
        on.tell(one, ready::in);
        CHECK(on.wait().empty());
        on.forget(one);
        fds.near.reset();
        CHECK(on.wait().empty());
        pollfd peer{fds.far.get(), POLLRDHUP, 0}; // an operation under way would hold the file open
        CHECK(::poll(&peer, 1, 2'000) == 1);
    }
}

TEST_CASE("an fd whose number is used again is a new one", "[poller]")
{
    for (const subject& of : subjects()) {
        INFO(of);
        bench on(of.poller);
        for (int i = 0; i < 3; ++i) {
            connection_pair fds = connected(of);
            int fd = fds.near.get();
            fd_record& one = on.own(fd, of.kind);
            on.tell(one, ready::in);
            CHECK(on.wait().empty());
            vk::test::write_all(fds.far.get(), "x");
            CHECK(has(on.wait(long_wait), fd, ready::in));
            on.forget(one);
        }
    }
}

TEST_CASE("more fds than one wait takes are all reported, each once", "[poller]")
{
    constexpr std::size_t count = vk::limits::poll_events_max + 150;
    for (const subject& of : subjects()) {
        INFO(of);
        bench on(of.poller);
        std::vector<connection_pair> fds = connected(of, count);
        for (const connection_pair& each : fds)
            on.tell(on.own(each.near.get(), of.kind), ready::in);
        for (const connection_pair& each : fds)
            vk::test::write_all(each.far.get(), "x");
        std::map<int, int> times;
        for (int i = 0; i < 8; ++i)
            for (const auto& [fd, bits] : on.wait())
                ++times[fd];
        CHECK(times.size() == count);
        std::size_t once = 0;
        for (const auto& [fd, number] : times)
            once += number == 1;
        CHECK(once == count);
    }
}

TEST_CASE("more fds than a driver has room for are all reported", "[poller]")
{
    // Linux AIO has room for 16,384 here, a ring of io_uring for as many completions.
    constexpr std::size_t count = 17'000;
    for (const std::string& name : pollers()) {
        INFO(name);
        bench on(name);
        socket_pair one;
        std::vector<unique_fd> fds;
        for (std::size_t i = 0; i < count; ++i) {
            int fd = ::fcntl(one.near.get(), F_DUPFD_CLOEXEC, 0);
            if (fd < 0) {
                WARN("a limit of fds so low that this cannot be tried");
                return;
            }
            fds.emplace_back(fd);
            on.tell(on.own(fd), ready::in);
        }
        for (int i = 0; i < 3; ++i) {
            vk::test::write_all(one.far.get(), "x");
            std::map<int, ready> all;
            for (int waits = 0; waits < 200 && all.size() < count; ++waits)
                all.merge(on.wait(1'000'000));
            CHECK(all.size() == count);
            drain(one.near.get());
            for (const unique_fd& each : fds)
                on.tell_again(on.record(each.get()), ready::in);
            CHECK(on.wait().empty());
        }
    }
}

TEST_CASE("fds that are forgotten in any order leave the others watched", "[poller]")
{
    for (const subject& of : subjects()) {
        INFO(of);
        bench on(of.poller);
        std::vector<connection_pair> fds = connected(of, 40);
        std::vector<fd_record*> records;
        for (const connection_pair& each : fds) {
            records.push_back(&on.own(each.near.get(), of.kind));
            on.tell(*records.back(), ready::in);
        }
        // The first, the last, every third, and some that were reported just now.
        vk::test::write_all(fds[5].far.get(), "x");
        CHECK(has(on.wait(long_wait), fds[5].near.get(), ready::in));
        std::vector<bool> kept(40, true);
        for (std::size_t i : {0u, 39u, 5u, 3u, 6u, 9u, 12u, 38u, 1u}) {
            kept[i] = false;
            on.forget(*records[i]);
            fds[i].near.reset();
        }
        for (const connection_pair& each : fds)
            ::send(each.far.get(), "x", 1, MSG_NOSIGNAL);
        found now = on.wait(long_wait);
        for (std::size_t i = 0; i < fds.size(); ++i)
            if (kept[i])
                CHECK(has(now, fds[i].near.get(), ready::in));
        CHECK(now.size() == 31);
    }
}

TEST_CASE("a signal ends a wait, and nothing is reported", "[poller]")
{
    for (const std::string& name : pollers()) {
        INFO(name);
        bench on(name);
        socket_pair fds;
        on.tell(on.own(fds.near.get()), ready::in);
        struct sigaction ignore{};
        ignore.sa_handler = [](int) {};
        struct sigaction before{};
        ::sigaction(SIGALRM, &ignore, &before);
        ::ualarm(2'000, 2'000); // again and again: the first may come before the wait
        CHECK(on.wait(long_wait).empty());
        ::ualarm(0, 0);
        ::sigaction(SIGALRM, &before, nullptr);
    }
}
