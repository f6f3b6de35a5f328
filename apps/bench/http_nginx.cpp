// nginx, one worker, as fast as its configuration lets it answer: `return 200`, nothing logged.
//
// Without a master, the process that was started is the one that serves, and the one whose CPU time
// is measured. nginx cannot be told to take any port, nor says when it listens: the port is one that
// was free a moment before, and a child of its own process tells when a connection stands. (A
// listening socket that it inherits, it takes by a master only.)

#include "bench/client.hpp"
#include "bench/contestant.hpp"
#include "bench/listener.hpp"

#include <cstdint>
#include <fstream>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vk::bench {

namespace {

constexpr const char* configuration = R"(
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile {0};
pid {1}/{2}.pid;
error_log stderr crit;
events {{
    worker_connections {0};
    use epoll;
    multi_accept on;
}}
http {{
    access_log off;
    server_tokens off;
    default_type text/plain;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {1}/body;
    proxy_temp_path {1}/proxy;
    fastcgi_temp_path {1}/fastcgi;
    uwsgi_temp_path {1}/uwsgi;
    scgi_temp_path {1}/scgi;
    server {{
        listen 127.0.0.1:{2} backlog=4096;
        location / {{
            return 200 "Hello, World!";
        }}
    }}
}}
)";

constexpr int connections_max = 16'384;

constexpr int start_ms_max = 4'000;

std::uint16_t free_port()
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    const int fd = client_socket(0);
    if (::bind(fd, any, bytes) != 0 || ::getsockname(fd, any, &bytes) != 0)
        fail("a free port");
    ::close(fd);
    return ntohs(address.sin_port);
}

bool accepts(std::uint16_t port)
{
    const int fd = client_socket(0);
    const bool stands = connect_to(fd, port);
    ::close(fd);
    return stands;
}

// In a child, while this process becomes nginx.
void tell_when_it_listens(std::uint16_t port)
{
    if (::fork() != 0)
        return;
    for (int ms = 0; ms < start_ms_max && !accepts(port); ms += 5)
        ::usleep(5'000);
    if (accepts(port))
        say_listening(port);
    ::_exit(0);
}

} // namespace

arguments prepare_nginx(const std::filesystem::path& folder)
{
    if (!is_installed("nginx"))
        throw not_here("nginx is not installed");
    const auto own = folder / "nginx";
    std::filesystem::create_directories(own);
    return {"--folder", own};
}

int http_nginx(const arguments& options)
{
    if (options.size() != 2 || options.front() != "--folder")
        throw std::invalid_argument("nginx needs `--folder DIR`, for its files, and no more");
    const std::filesystem::path folder = options.back();
    const auto port = free_port();
    const auto file = folder / fmt::format("{}.conf", port);
    std::ofstream(file) << fmt::format(configuration, connections_max, folder.string(), port);
    tell_when_it_listens(port);
    become({"nginx", "-e", "stderr", "-p", folder, "-c", file});
}

} // namespace vk::bench
