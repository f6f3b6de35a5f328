#include "vk/gateway/http1/files.hpp"

#include "vk/base/error.hpp"
#include "vk/base/os.hpp"
#include "vk/gateway/http1/conditions.hpp"
#include "vk/gateway/http1/date.hpp"
#include "vk/gateway/http1/error.hpp"
#include "vk/gateway/http1/mime.hpp"
#include "vk/gateway/http1/response.hpp"
#include "vk/gateway/http1/uri.hpp"
#include "vk/proc/owned_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace vk::http {
namespace {

[[noreturn]] void refuse(int number)
{
    switch (number) {
    case EACCES:
    case EPERM:
        throw error(403, "Forbidden");
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        throw error(503, "Service Unavailable");
    default: // ENOENT, ENOTDIR, ELOOP; EXDEV: it would lead out of the directory
        throw error(404, "Not Found");
    }
}

owned_fd open_beneath(int directory, const char* path, os::file_status& found)
{
    int fd = os::open_beneath(directory, path);
    if (fd < 0)
        refuse(-fd);
    owned_fd file(fd);
    if (int result = os::status_of(fd, found); result < 0)
        refuse(-result);
    return file;
}

// The file that `req` names, the index of the directory, or the directory itself when no '/' is behind it.
owned_fd open_named(int directory, const request& req, std::string& path, os::file_status& found)
{
    auto decoded = percent_decoded(req.param("path"));
    if (!decoded || decoded->find('\0') != decoded->npos)
        throw error(400, "a malformed path");
    path = std::move(*decoded);
    bool is_index = path.empty() || path.ends_with('/');
    if (is_index)
        path += "index.html";
    owned_fd file = open_beneath(directory, path.c_str(), found);
    bool is_directory = found.kind == os::file_kind::directory;
    if (found.kind != os::file_kind::regular && (is_index || !is_directory))
        throw error(404, "Not Found");
    return file;
}

// To the same with a '/' behind its path.
task<> redirect(const request& req, response& res)
{
    std::string there(req.path());
    there += '/';
    if (!req.query().empty())
        there.append("?").append(req.query());
    res.status(301).header("Location", there);
    co_await res.send();
}

// What was modified in the future was modified now (RFC 9110, 8.8.2.1).
std::int64_t modified_by_now(std::int64_t seconds) noexcept
{
    return std::clamp(seconds, std::int64_t{0}, seconds_now());
}

// Read into the ring behind the head, to leave with it.
bool send_with_head(socket& io, int file, byte_range part)
{
    std::span<char> room = io.prepare();
    if (room.size() < part.count)
        return false;
    auto count = static_cast<std::size_t>(part.count);
    if (os::read_at(file, room.data(), count, part.first) != static_cast<ssize_t>(count))
        raise(EIO, "read a file");
    io.commit(count);
    return true;
}

} // namespace

files::files(const std::string& root) : directory_(os::open_directory(root.c_str()))
{
    if (directory_ < 0)
        raise(-directory_, root.c_str());
}

files::~files()
{
    (void)os::close(directory_);
}

task<> files::answer_file(request& req, response& res, const files& from)
{
    std::string path;
    os::file_status found{};
    task<> making_room = owned_fd::room();
    co_await std::move(making_room);
    owned_fd file = open_named(from.directory_, req, path, found);

    if (found.kind == os::file_kind::directory) {
        task<> redirecting = redirect(req, res);
        co_await std::move(redirecting);
        co_return;
    }

    // As nginx makes it: a version is told by its time and its size.
    char etag[48];
    auto* end = fmt::format_to(etag, "\"{:x}-{:x}\"", found.modified_s, found.bytes);
    validators version{{etag, static_cast<std::size_t>(end - etag)},
                       modified_by_now(found.modified_s)};
    char modified[date_bytes];
    write_date(modified, version.modified);
    res.header("ETag", version.etag)
        .header("Last-Modified", {modified, date_bytes})
        .header("Accept-Ranges", "bytes");

    if (int status = evaluate(req, version); status != 200) {
        co_await res.status(status).send();
        co_return;
    }
    byte_range part{0, found.bytes};
    switch (wanted_range(req, version, found.bytes, part)) {
    case range_outcome::unsatisfiable:
        res.header("Content-Range", fmt::format("bytes */{}", found.bytes));
        co_await res.status(416).send();
        co_return;
    case range_outcome::part:
        res.status(206).header(
            "Content-Range",
            fmt::format("bytes {}-{}/{}", part.first, part.first + part.count - 1, found.bytes));
        break;
    case range_outcome::whole:
        break;
    }
    res.type(media_type_of(path)).length(part.count);
    co_await res.begin();
    if (req.method() == method::head)
        co_return;
    if (!send_with_head(req.io(), file.number(), part))
        co_await req.io().send_file(file.number(), part.first, part.count);
    res.written(part.count);
}

} // namespace vk::http
