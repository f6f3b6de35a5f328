#pragma once

// scratch_folder: a folder among the system's temporary ones, for as long as this program runs.
//
// A child makes it, waits for the end of this program, or of the object, and removes it: however that end
// comes, by Ctrl-C too, nothing is left behind.

#include <filesystem>

#include <sys/types.h>

namespace vk::bench {

class scratch_folder {
public:
    /// Throws std::system_error.
    scratch_folder();
    ~scratch_folder();
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;

    const std::filesystem::path& path() const noexcept { return path_; }

private:
    // Returns the errno that kept the folder from being made, or 0.
    int end() noexcept;

    std::filesystem::path path_;
    pid_t keeper_ = -1;
    int open_ = -1; // while it is, the folder stays
};

} // namespace vk::bench
