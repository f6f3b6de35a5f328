#include "vk/base/log.hpp"

#include "vk/base/critical.hpp"
#include "vk/base/gate.hpp"

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

// spdlog takes a word that is no level for "off".
spdlog::level::level_enum level_named(const char* name)
{
    if (!name)
        return spdlog::level::info;
    spdlog::level::level_enum found = spdlog::level::from_str(name);
    bool unknown = found == spdlog::level::off && std::string_view(name) != "off";
    return unknown ? spdlog::level::info : found;
}

spdlog::logger& logger()
{
    static const std::shared_ptr<spdlog::logger> instance = [] {
        global_account::uncounted here;
        auto made = std::make_shared<spdlog::logger>(
            "vk", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%f %l [%P] %v");
        made->set_level(level_named(std::getenv("VK_LOG")));
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
    global_account::uncounted here;
    gate::pass through;
    std::string prefix;
    if (describe)
        describe(prefix);
    critical locked; // spdlog's
    if (prefix.empty())
        logger().log(spdlog_level(of), "{}", text);
    else
        logger().log(spdlog_level(of), "{}: {}", prefix, text);
} catch (...) {
}

} // namespace vk::log
