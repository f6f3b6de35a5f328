#pragma once

// error: an answer as an exception. A handler throws it, or one escapes from reading a bad body; the client
// gets its status and its text.

#include <stdexcept>
#include <string>

namespace vk::http {

class error : public std::runtime_error {
public:
    /// `status` is from 200 to 599: another is the caller's bug, when it is answered. `why` is sent as text/plain.
    error(int status, const std::string& why) : std::runtime_error(why), status_(status) {}

    int status() const noexcept { return status_; }

private:
    int status_;
};

} // namespace vk::http
