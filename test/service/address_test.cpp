#include "support/catch.hpp"
#include "support/fds.hpp"

#include <vk/base/error.hpp>
#include <vk/service/address.hpp>

#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

using Catch::Matchers::ContainsSubstring;
using vk::address;

TEST_CASE("an IPv4 address with a port is read and written")
{
    address at = address::parse("127.0.0.1:8080");
    CHECK(at.family() == AF_INET);
    CHECK_FALSE(at.is_unix());
    CHECK(at.bytes() == sizeof(sockaddr_in));
    const auto& raw = *reinterpret_cast<const sockaddr_in*>(at.raw());
    CHECK(ntohs(raw.sin_port) == 8080);
    CHECK(ntohl(raw.sin_addr.s_addr) == 0x7f000001u);
    CHECK(at.text() == "127.0.0.1:8080");
}

TEST_CASE("an IPv6 address goes in brackets")
{
    address at = address::parse("[2001:db8::1]:443");
    CHECK(at.family() == AF_INET6);
    CHECK(at.bytes() == sizeof(sockaddr_in6));
    const auto& raw = *reinterpret_cast<const sockaddr_in6*>(at.raw());
    CHECK(ntohs(raw.sin6_port) == 443);
    CHECK(at.text() == "[2001:db8::1]:443");
    CHECK(address::parse("[::]:0").text() == "[::]:0");
    CHECK(address::parse("[::ffff:10.0.0.1]:1").family() == AF_INET6);
}

TEST_CASE("a unix address is a path")
{
    address at = address::parse("unix:/tmp/echo.sock");
    CHECK(at.family() == AF_UNIX);
    CHECK(at.is_unix());
    CHECK(std::string(at.path()) == "/tmp/echo.sock");
    CHECK(at.text() == "unix:/tmp/echo.sock");
    CHECK(address::parse("unix:a:b:c").text() == "unix:a:b:c"); // colons are a path's to have

    std::string longest(107, 'x');
    CHECK(std::string(address::parse("unix:" + longest).path()) == longest);
}

TEST_CASE("short forms: every interface, localhost, a port to be found")
{
    CHECK(address::parse(":80").text() == "0.0.0.0:80");
    CHECK(address::parse("*:80").text() == "0.0.0.0:80");
    CHECK(address::parse("localhost:0").text() == "127.0.0.1:0");
    CHECK(address::parse("1.2.3.4:65535").text() == "1.2.3.4:65535");
}

TEST_CASE("what is written is read back as the same")
{
    for (const char* text : {"127.0.0.1:1", "0.0.0.0:0", "[::1]:65535", "[fe80::1]:22", "unix:x",
                             "unix:/a b/c", "255.255.255.255:9"})
        CHECK(address::parse(address::parse(text).text()).text() == text);
}

TEST_CASE("what is no address is refused, with the text and what is wrong with it")
{
    auto [text, why] = GENERATE(table<std::string, const char*>({
        {"", "ADDRESS:PORT"},
        {"127.0.0.1", "ADDRESS:PORT"},
        {"127.0.0.1:", "port"},
        {"127.0.0.1:http", "port"},
        {"127.0.0.1:80x", "port"},
        {"127.0.0.1:-1", "port"},
        {"127.0.0.1:+1", "port"},
        {"127.0.0.1: 1", "port"},
        {"127.0.0.1:65536", "port"},
        {"127.0.0.1:99999999999", "port"},
        {"256.0.0.1:1", "IPv4"},
        {"127.0.1:1", "IPv4"},
        {"example.org:80", "not resolved"},
        {"::1:80", "brackets"},
        {"[::1]", "port"},
        {"[::1:80", "IPv4"},
        {"[]:80", "IPv6"},
        {"[127.0.0.1]:80", "IPv6"},
        {"[::1]x:80", "IPv4"},
        {"unix:", "path"},
        {"unix:" + std::string(108, 'x'), "path"},
        {"UNIX:/tmp/x", "port"},
    }));
    INFO("'" << text << "'");
    try {
        address at = address::parse(text);
        FAIL("read as " << at.text());
    } catch (const vk::error& e) {
        CHECK(e.code() == std::errc::invalid_argument);
        CHECK_THAT(e.what(), ContainsSubstring("'" + text + "'"));
        CHECK_THAT(e.what(), ContainsSubstring(why));
    }
}

TEST_CASE("the address of a socket is the one that it was bound to")
{
    vk::test::unique_fd fd(::socket(AF_INET, SOCK_STREAM, 0));
    address wanted = address::parse("127.0.0.1:0");
    REQUIRE(::bind(fd.get(), wanted.raw(), wanted.bytes()) == 0);
    address found = address::of_socket(fd.get());
    CHECK(found.family() == AF_INET);
    CHECK(found.bytes() == sizeof(sockaddr_in));
    CHECK_THAT(found.text(), Catch::Matchers::StartsWith("127.0.0.1:"));
    CHECK(found.text() != "127.0.0.1:0");
    CHECK(address::parse(found.text()).text() == found.text());
}

TEST_CASE("what is no socket has no address")
{
    CHECK_THROWS_AS(address::of_socket(-1), vk::error);
    vk::test::unique_fd file(::open("/dev/null", O_RDONLY));
    CHECK_THROWS_AS(address::of_socket(file.get()), vk::error);
}
