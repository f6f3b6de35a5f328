#include "vk/gateway/http1/date.hpp"

#include "vk/base/os.hpp"

#include <charconv>
#include <chrono>
#include <cstring>

namespace vk::http {
namespace {

using std::chrono::day;
using std::chrono::floor;
using std::chrono::hh_mm_ss;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::month;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::weekday;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr std::string_view days = "SunMonTueWedThuFriSat";
constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr nanoseconds second_ns = 1'000'000'000;

void write_two(char* to, unsigned value) noexcept
{
    to[0] = static_cast<char>('0' + value / 10 % 10);
    to[1] = static_cast<char>('0' + value % 10);
}

// Reads a date from the left; what does not fit makes it bad, and it stays so.
class reader {
public:
    explicit reader(std::string_view text) noexcept : text_(text) {}

    bool at_end() const noexcept { return good_ && text_.empty(); }

    void expect(std::string_view what) noexcept
    {
        good_ = good_ && text_.starts_with(what);
        drop(what.size());
    }

    unsigned number(std::size_t digits) noexcept
    {
        unsigned value = 0;
        std::string_view part = text_.substr(0, digits);
        auto read = std::from_chars(part.data(), part.data() + part.size(), value);
        good_ = good_ && part.size() == digits && read.ec == std::errc() &&
                read.ptr == part.data() + part.size();
        drop(digits);
        return value;
    }

    // A day of the month whose first digit may be a space (asctime).
    unsigned padded_day() noexcept
    {
        if (!text_.starts_with(' '))
            return number(2);
        drop(1);
        return number(1);
    }

    unsigned month() noexcept
    {
        std::size_t at = months.find(text_.substr(0, 3));
        good_ = good_ && text_.size() >= 3 && at != std::string_view::npos && at % 3 == 0;
        drop(3);
        return static_cast<unsigned>(at / 3 + 1);
    }

    seconds time() noexcept
    {
        unsigned h = number(2);
        expect(":");
        unsigned m = number(2);
        expect(":");
        unsigned s = number(2);
        good_ = good_ && h < 24 && m < 60 && s <= 60; // 60: a leap second
        return hours(h) + minutes(m) + seconds(s);
    }

private:
    void drop(std::size_t bytes) noexcept { text_.remove_prefix(std::min(bytes, text_.size())); }

    std::string_view text_;
    bool good_ = true;
};

std::optional<std::int64_t> seconds_of(const reader& from, int y, unsigned m, unsigned d,
                                       seconds time) noexcept
{
    year_month_day date{year(y), month(m), day(d)};
    if (!from.at_end() || !date.ok())
        return std::nullopt;
    return (sys_days(date).time_since_epoch() + time).count();
}

// A year of two digits that seems to lie more than 50 years ahead is one of the past (RFC 9110, 5.6.7).
int full_year(unsigned two_digits) noexcept
{
    year_month_day today(floor<std::chrono::days>(sys_seconds(seconds(seconds_now()))));
    int now = static_cast<int>(today.year());
    int guess = now / 100 * 100 + static_cast<int>(two_digits);
    return guess > now + 50 ? guess - 100 : guess;
}

// What is behind the comma of "Sun, 06 Nov 1994 08:49:37 GMT", or of "Sunday, 06-Nov-94 08:49:37 GMT".
std::optional<std::int64_t> read_behind_comma(std::string_view text, const char* separator,
                                              std::size_t year_digits) noexcept
{
    reader from(text);
    from.expect(" ");
    unsigned d = from.number(2);
    from.expect(separator);
    unsigned m = from.month();
    from.expect(separator);
    unsigned y = from.number(year_digits);
    from.expect(" ");
    seconds time = from.time();
    from.expect(" GMT");
    return seconds_of(from, year_digits == 2 ? full_year(y) : static_cast<int>(y), m, d, time);
}

} // namespace

std::int64_t seconds_now() noexcept
{
    return os::wall_clock() / second_ns;
}

void write_date(char* to, std::int64_t since_1970) noexcept
{
    sys_seconds at{seconds(since_1970)};
    auto midnight = floor<std::chrono::days>(at);
    year_month_day date(midnight);
    hh_mm_ss time(at - midnight);
    std::memcpy(to, "Day, 00 Mon 0000 00:00:00 GMT", date_bytes);
    std::memcpy(to, days.data() + 3 * weekday(midnight).c_encoding(), 3);
    write_two(to + 5, static_cast<unsigned>(date.day()));
    std::memcpy(to + 8, months.data() + 3 * (static_cast<unsigned>(date.month()) - 1), 3);
    write_two(to + 12, static_cast<unsigned>(static_cast<int>(date.year())) / 100);
    write_two(to + 14, static_cast<unsigned>(static_cast<int>(date.year())) % 100);
    write_two(to + 17, static_cast<unsigned>(time.hours().count()));
    write_two(to + 20, static_cast<unsigned>(time.minutes().count()));
    write_two(to + 23, static_cast<unsigned>(time.seconds().count()));
}

std::optional<std::int64_t> read_date(std::string_view text) noexcept
{
    std::size_t comma = text.find(',');
    if (comma == 3)
        return read_behind_comma(text.substr(4), " ", 4);
    if (comma != std::string_view::npos)
        return read_behind_comma(text.substr(comma + 1), "-", 2);
    if (text.size() < 4) // Sun Nov  6 08:49:37 1994
        return std::nullopt;
    reader from(text.substr(3));
    from.expect(" ");
    unsigned m = from.month();
    from.expect(" ");
    unsigned d = from.padded_day();
    from.expect(" ");
    seconds time = from.time();
    from.expect(" ");
    auto y = static_cast<int>(from.number(4));
    return seconds_of(from, y, m, d, time);
}

void date_lines::render(nanoseconds now) noexcept
{
    nanoseconds wall = os::wall_clock();
    shown_.until = now + second_ns - wall % second_ns;
    std::memcpy(shown_.text, "HTTP/1.1 200 OK\r\nDate: ", status_bytes + 6);
    write_date(shown_.text + status_bytes + 6, wall / second_ns);
    std::memcpy(shown_.text + bytes - 2, "\r\n", 2);
}

} // namespace vk::http
