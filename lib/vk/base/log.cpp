#include "vk/base/log.hpp"

#include <cstdlib>
#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace vk::log {
namespace {

describer describe = nullptr;

spdlog::level::level_enum spdlog_level(level of) noexcept
{
    switch (of) {
    case level::debug:
        return spdlog::level::debug;
    case level::info:
        return spdlog::level::info;
    case level::warn:
        return spdlog::level::warn;
    case level::error:
        return spdlog::level::err;
    }
    return spdlog::level::info;
}

spdlog::logger& logger()
{
    static const std::shared_ptr<spdlog::logger> instance = [] {
        auto made = std::make_shared<spdlog::logger>(
            "vk", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%f %l [%P] %v");
        const char* wanted = std::getenv("VK_LOG");
        made->set_level(wanted ? spdlog::level::from_str(wanted) : spdlog::level::info);
        return made;
    }();
    return *instance;
}

} // namespace

bool enabled(level of) noexcept
{
    return logger().should_log(spdlog_level(of));
}

void set_level(level least) noexcept
{
    logger().set_level(spdlog_level(least));
}

void set_describer(describer who) noexcept
{
    describe = who;
}

void write(level of, std::string_view text) noexcept
try {
    std::string prefix;
    if (describe)
        describe(prefix);
    if (prefix.empty())
        logger().log(spdlog_level(of), "{}", text);
    else
        logger().log(spdlog_level(of), "{}: {}", prefix, text);
} catch (...) {
}

} // namespace vk::log
