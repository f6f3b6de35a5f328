#pragma once

// date: the Date field (RFC 9110, 6.6.1), and dates as HTTP writes and reads them (5.6.7).

#include "vk/base/time.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace vk::http {

/// Bytes of a date as HTTP writes it.
inline constexpr std::size_t date_bytes = 29;

/// The clock of dates: whole seconds since 1970.
std::int64_t seconds_now() noexcept;

/// Write the `date_bytes` bytes of an IMF-fixdate of `seconds` since 1970 to `to`.
void write_date(char* to, std::int64_t seconds) noexcept;

/// Seconds since 1970 of a date in one of the three formats that must be read (RFC 9110, 5.6.7).
std::optional<std::int64_t> read_date(std::string_view text) noexcept;

/// The lines with which most answers begin, rendered once a second:
///
///     HTTP/1.1 200 OK
///     Date: Sun, 06 Nov 1994 08:49:37 GMT
class date_lines {
public:
    static constexpr std::size_t status_bytes = 17;
    static constexpr std::size_t bytes = status_bytes + 6 + date_bytes + 2;

    /// Both lines, with their CRLFs, as of `now`, the kernel's clock (commons::now). The view is good until the next call
    /// on this OS thread.
    static std::string_view at(nanoseconds now) noexcept
    {
        if (now >= shown_.until) [[unlikely]]
            render(now);
        return {shown_.text, bytes};
    }

    /// The line of the date alone.
    static std::string_view date_at(nanoseconds now) noexcept
    {
        return at(now).substr(status_bytes);
    }

private:
    static void render(nanoseconds now) noexcept;

    struct shown {
        nanoseconds until; // the kernel's clock at which the second ends
        char text[bytes];
    };
    [[gnu::tls_model("initial-exec")]] static inline constinit thread_local shown shown_{};
};

} // namespace vk::http
