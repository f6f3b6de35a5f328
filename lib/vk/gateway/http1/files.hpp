#pragma once

// files: a directory, served.
//
// A file is opened beneath the directory by the system itself (openat2(2), RESOLVE_BENEATH): neither ".." nor a
// symbolic link leads out. It is sent by the system (sendfile(2)), or, when it is small, together with the
// head. Conditional requests (RFC 9110, 13) and ranges (14) are answered.
//
// Reading from a disk blocks the kernel's thread: for files that stay in the page cache.

#include "vk/gateway/http1/handler.hpp"

#include <string>

namespace vk::http {

class files {
public:
    /// Serve what is in the directory `root`. Throws vk::error when it cannot be opened.
    explicit files(const std::string& root);
    ~files();
    files(const files&) = delete;
    files& operator=(const files&) = delete;

    /// The handler for a route whose parameter `path` names the file: "/static/{path...}". A directory with a '/'
    /// behind it stands for its index.html; one without is redirected there, so that what its index refers to is
    /// found. The files must outlive it.
    handler answer() const noexcept { return {answer_file, *this}; }

private:
    static task<> answer_file(request& req, response& res, const files& from);

    int directory_;
};

} // namespace vk::http
