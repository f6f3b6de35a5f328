#pragma once

// server_options: the command line that every server of this project takes.

#include <vk/vk.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace apps {

class program {
public:
    program(const char* name, const char* purpose);
    ~program();

    /// Read the command line. False when the program should end with status(), all having been said.
    bool parse(int argc, char** argv);
    int status() const noexcept { return status_; }

    /// Serve as the options say; returns the exit status.
    int serve(const vk::service& what) const;

    /// For options of a program's own, which includes <CLI/CLI.hpp>.
    CLI::App& command_line() noexcept { return *app_; }

    /// An option that is a time in seconds, with a fraction; `span`, which must outlive parse(), has its default.
    void add_seconds(const std::string& name, std::chrono::milliseconds& span,
                     const std::string& help);
    vk::server_options& options() noexcept { return options_; }

private:
    std::unique_ptr<CLI::App> app_;
    vk::server_options options_;
    bool standard_ = false;
    int status_ = 0;
};

} // namespace apps
