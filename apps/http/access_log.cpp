#include "access_log.hpp"

#include <vk/base/gate.hpp>
#include <vk/service/address.hpp>

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

namespace apps::access_log {
namespace {

constexpr std::size_t queue_lines = 8192;

spdlog::sink_ptr sink;
std::shared_ptr<spdlog::async_logger> lines;
std::shared_ptr<spdlog::details::thread_pool> writer;

// Not before the first line: a thread does not survive the fork() that makes a worker.
void start()
{
    writer = std::make_shared<spdlog::details::thread_pool>(queue_lines, 1);
    lines = std::make_shared<spdlog::async_logger>("access", sink, writer,
                                                   spdlog::async_overflow_policy::overrun_oldest);
}

} // namespace

void open(const std::string& file)
{
    if (file == "-")
        sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
    else
        sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
    sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %v");
}

void write(const vk::http::request& req, const vk::http::response& res) noexcept
try {
    vk::gate::pass through;
    if (!lines)
        start();
    const vk::http::request_head& head = req.head();
    lines->info("{} \"{} {} HTTP/1.{}\" {} {}", vk::address::of_peer(req.io().rx_fd()).text(),
                head.method_name(), head.target(), head.version_minor(), res.status(),
                res.body_bytes());
} catch (const std::exception&) {
    // A client that is gone has no address any more; a line is not worth a request.
}

void close() noexcept
{
    if (lines)
        lines->flush();
    lines.reset();
    writer.reset(); // joins the thread, when the queue is empty
}

} // namespace apps::access_log
