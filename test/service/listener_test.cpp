#include "support/catch.hpp"
#include "support/fds.hpp"

#include <vk/base/error.hpp>
#include <vk/service/listener.hpp>

#include <filesystem>
#include <fstream>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

using Catch::Matchers::ContainsSubstring;
using vk::address;
using vk::open_listener;
using vk::test::unique_fd;

namespace {

struct temporary_folder {
    temporary_folder()
    {
        char pattern[] = "/tmp/vk-listen-XXXXXX";
        path = ::mkdtemp(pattern);
    }
    ~temporary_folder() { std::filesystem::remove_all(path); }
    address at(const char* name) const { return address::parse("unix:" + (path / name).string()); }
    std::filesystem::path path;
};

bool connects(const address& to)
{
    unique_fd fd(::socket(to.family(), SOCK_STREAM, 0));
    return ::connect(fd.get(), to.raw(), to.bytes()) == 0;
}

} // namespace

TEST_CASE("a listener on port 0 finds a port, on which it can be reached")
{
    for (const char* text : {"127.0.0.1:0", "[::1]:0"}) {
        unique_fd fd(open_listener(address::parse(text), {}));
        address found = address::of_socket(fd.get());
        CHECK(found.text() != text);
        CHECK(connects(found));
    }
}

TEST_CASE("a port that is taken is refused, with the address, and no fd is left open")
{
    unique_fd first(open_listener(address::parse("127.0.0.1:0"), {}));
    address taken = address::of_socket(first.get());
    std::size_t fds = vk::test::open_fds();
    try {
        unique_fd second(open_listener(taken, {}));
        FAIL("listened twice on " << taken.text());
    } catch (const vk::error& e) {
        CHECK(e.code() == std::errc::address_in_use);
        CHECK_THAT(e.what(), ContainsSubstring(taken.text()));
    }
    CHECK(vk::test::open_fds() == fds);
}

TEST_CASE("listeners that share a port can be several")
{
    unique_fd first(open_listener(address::parse("127.0.0.1:0"), {.share_port = true}));
    address shared = address::of_socket(first.get());
    unique_fd second(open_listener(shared, {.share_port = true}));
    CHECK(address::of_socket(second.get()).text() == shared.text());
    CHECK(connects(shared));
}

TEST_CASE("a unix socket that was left behind is replaced")
{
    temporary_folder folder;
    address at = folder.at("left.sock");
    {
        unique_fd gone(open_listener(at, {}));
    }
    CHECK_FALSE(connects(at));
    CHECK(std::filesystem::exists(at.path()));
    unique_fd next(open_listener(at, {}));
    CHECK(connects(at));
}

TEST_CASE("a unix socket at which somebody answers is not replaced")
{
    temporary_folder folder;
    address at = folder.at("busy.sock");
    unique_fd first(open_listener(at, {}));
    std::size_t fds = vk::test::open_fds();
    CHECK_THROWS_AS(open_listener(at, {}), vk::error);
    CHECK(vk::test::open_fds() == fds);
    CHECK(connects(at));
}

TEST_CASE("a file that is no socket is not replaced")
{
    temporary_folder folder;
    address at = folder.at("precious");
    std::ofstream(at.path()) << "data";
    CHECK_THROWS_AS(open_listener(at, {}), vk::error);
    CHECK(std::filesystem::file_size(at.path()) == 4);
}

TEST_CASE("an address that is not this machine's is refused, with what was tried")
{
    std::size_t fds = vk::test::open_fds();
    try {
        unique_fd fd(open_listener(address::parse("192.0.2.1:0"), {}));
        FAIL("listened on an address of nobody");
    } catch (const vk::error& e) {
        CHECK(e.code() == std::errc::address_not_available);
        CHECK_THAT(e.what(), ContainsSubstring("listen on 192.0.2.1:0"));
    }
    CHECK(vk::test::open_fds() == fds);
}
