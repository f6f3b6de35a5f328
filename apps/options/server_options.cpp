#include "options/server_options.hpp"

#include <vk/kernel/poller/poller.hpp>
#include <vk/service/address.hpp>

#include "version.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <map>

namespace apps {
namespace {

// As CLI11 wants a check: an empty string when the text is an address, else what is wrong.
std::string check_address(const std::string& text)
try {
    vk::address::parse(text);
    return {};
} catch (const vk::error& e) {
    return e.what();
}

// CLI::Range lets NaN pass.
std::string check_seconds(const std::string& text)
{
    double seconds = 0;
    bool good = CLI::detail::lexical_cast(text, seconds) && seconds >= 0 && seconds <= 1e9;
    return good ? std::string{} : "'" + text + "' is not a number of seconds from 0 to 1e9";
}

// "64k" becomes "65536". CLI::AsSizeValue lets a negative number wrap.
std::string read_bytes(std::string& text)
{
    if (text.starts_with('-'))
        return "'" + text + "' is not a number of bytes";
    return CLI::AsSizeValue(false)(text);
}

const std::map<std::string, vk::isolation> isolation_levels{
    {"none", vk::isolation::none},
    {"process", vk::isolation::process},
    {"full", vk::isolation::full},
};

const std::map<std::string, vk::mask_way> mask_ways{
    {"auto", vk::mask_way::automatic},
    {"mprotect", vk::mask_way::mprotect},
    {"pkey", vk::mask_way::pkey},
};

const std::map<std::string, vk::syscall_gate> gate_settings{
    {"off", vk::syscall_gate::off},
    {"raise", vk::syscall_gate::raise},
    {"end", vk::syscall_gate::end},
};

std::chrono::milliseconds milliseconds_of(double seconds)
{
    return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

} // namespace

program::program(const char* name, const char* purpose)
    : app_(std::make_unique<CLI::App>(purpose, name))
{
    std::vector<std::string>& addresses = options_.listen;
    app_->add_option("--listen", addresses, "where to listen; may be repeated (port 0 picks one)")
        ->type_name("ADDR:PORT|unix:PATH")
        ->check(CLI::Validator(check_address, ""))
        ->allow_extra_args(false)
        ->capture_default_str();
    app_->add_flag("--stdio", standard_, "serve standard input and output, once");
    std::string pollers = "auto, " + vk::poller_names();
    app_->add_option("--poller", options_.poller, "driver: " + pollers + " (VK_POLLER)")
        ->check(CLI::Validator(
            [pollers](const std::string& text) {
                return text == "auto" || vk::is_poller(text)
                           ? std::string{}
                           : "'" + text + "' is not one of " + pollers;
            },
            ""))
        ->type_name("NAME");
    app_->add_option("--isolation", options_.isolation, "none, process or full")
        ->transform(CLI::CheckedTransformer(isolation_levels).description(""))
        ->type_name("LEVEL");
    app_->add_flag("--privileged", options_.privileged,
                   "keep the kernel's memory in reach of the service");
    app_->add_flag("--crash-on-fault{false}", options_.contain_faults,
                   "let a fault end the program, with a core");
    app_->add_option("--mask", options_.mask,
                     "isolate by: auto, mprotect or pkey (protection keys)")
        ->transform(CLI::CheckedTransformer(mask_ways).description(""))
        ->type_name("WAY");
    app_->add_option(
            "--syscall-gate", options_.syscall_gate,
            "what a system call of a service meets: off, raise (an exception; if no WHAT is "
            "given) or end (of its process)")
        ->transform(CLI::CheckedTransformer(gate_settings).description(""))
        ->expected(0, 1)
        ->default_str("raise")
        ->type_name("WHAT");
    app_->add_option("--workers", options_.workers, "OS processes that share the port")
        ->check(CLI::Range(1, 1024))
        ->type_name("N")
        ->capture_default_str();
    app_->add_flag("--supervise", options_.supervised,
                   "replace a worker that dies, be it the only one");
    app_->add_option("--heap-pages", options_.heap_pages, "pages of a connection's heap")
        ->check(CLI::Range(1, 1 << 20))
        ->type_name("N")
        ->capture_default_str();
    app_->add_option("--pool", options_.pool, "heaps in the pool (0: one a connection)")
        ->check(CLI::Range(0, 1 << 24))
        ->type_name("N");
    app_->add_option("--global-memory", options_.global_bytes_max,
                     "memory of a connection outside of its heap, as 65536, 64k, 1M (0: any)")
        ->transform(CLI::Validator(read_bytes, ""))
        ->type_name("BYTES");
    app_->add_option("--connections", options_.connections_max,
                     "connections at most, each worker (0: as fds last)")
        ->check(CLI::Range(0, 1 << 24))
        ->type_name("N");
    add_seconds("--timeout", options_.timeout, "drop a client that is idle for longer (0: never)");
    add_seconds("--drain", options_.drain, "time for connections to end after SIGTERM");
    app_->add_option("--stats", options_.stats, "write counters as JSON on exit")
        ->type_name("FILE");
    app_->set_version_flag("--version", std::string(name) + " " + version);
}

void program::add_seconds(const std::string& name, std::chrono::milliseconds& span,
                          const std::string& help)
{
    app_->add_option_function<double>(
            name, [&span](const double& seconds) { span = milliseconds_of(seconds); }, help)
        ->check(CLI::Validator(check_seconds, ""))
        ->type_name("SECONDS")
        ->default_str(fmt::format("{}", static_cast<double>(span.count()) / 1000));
}

program::~program() = default;

bool program::parse(int argc, char** argv)
try {
    app_->parse(argc, argv);
    return true;
} catch (const CLI::Success& e) { // --help, --version
    status_ = app_->exit(e);
    return false;
} catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "%s: %s\n", app_->get_name().c_str(), e.what());
    status_ = 2;
    return false;
}

int program::serve(const vk::service& what) const
{
    return standard_ ? vk::serve_standard(options_, what) : vk::serve(options_, what);
}

} // namespace apps
