#include "vk/gateway/http1/conditions.hpp"

#include "vk/gateway/http1/ascii.hpp"
#include "vk/gateway/http1/date.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace vk::http {
namespace {

// The opaque part of an entity tag; two that agree in it match weakly (RFC 9110, 8.8.3.2).
std::string_view opaque(std::string_view tag) noexcept
{
    return tag.starts_with("W/") ? tag.substr(2) : tag;
}

// Whether a list of entity tags, or "*", has `etag`. A comma may stand within a tag.
bool lists(std::string_view list, std::string_view etag, bool weakly) noexcept
{
    list = ascii::trim(list);
    if (list == "*")
        return true;
    while (!list.empty()) {
        std::size_t open = list.find('"');
        std::size_t close = open == list.npos ? list.npos : list.find('"', open + 1);
        if (close == list.npos)
            return false;
        bool weak = open >= 2 && list.substr(open - 2, 2) == "W/";
        if ((weakly || !weak) && list.substr(open, close - open + 1) == opaque(etag))
            return true;
        list.remove_prefix(close + 1);
    }
    return false;
}

// Whether the fields `name`, which are one list (RFC 9110, 5.3), have `etag`. Nothing when there is none.
std::optional<bool> listed(const request& req, std::string_view name, std::string_view etag,
                           bool weakly) noexcept
{
    std::optional<bool> found;
    for (const field& one : req.fields())
        if (ascii::equal(one.name, name))
            found = found.value_or(false) || lists(one.value, etag, weakly);
    return found;
}

// A date in the field `name`, or nothing: a date that is none is passed over (RFC 9110, 13.1.3).
std::optional<std::int64_t> date_in(const request& req, std::string_view name) noexcept
{
    auto value = req.field(name);
    return value ? read_date(*value) : std::nullopt;
}

std::optional<std::uint64_t> number(std::string_view digits) noexcept
{
    std::uint64_t value = 0;
    auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || read.ptr != digits.data() + digits.size())
        return std::nullopt;
    // More than 64 bits is a number all the same, and behind every end.
    bool fits = read.ec == std::errc();
    return fits ? value : std::numeric_limits<std::uint64_t>::max();
}

// A date tells versions apart when it is over: within a second there may be two (RFC 9110, 8.8.2.2).
bool is_over(std::int64_t second) noexcept
{
    return seconds_now() > second;
}

// RFC 9110, 13.1.5: a range is of the version that the client knows, or not wanted.
bool is_of_this_version(const request& req, const validators& now) noexcept
{
    auto known = req.field("If-Range");
    if (!known)
        return true;
    if (known->find('"') != known->npos)
        return *known == now.etag && !now.etag.starts_with("W/");
    return read_date(*known) == now.modified && is_over(now.modified);
}

} // namespace

int evaluate(const request& req, const validators& now) noexcept
{
    bool safe = req.method() == method::get || req.method() == method::head;
    if (auto match = listed(req, "If-Match", now.etag, false)) {
        if (!*match)
            return 412;
    } else if (auto since = date_in(req, "If-Unmodified-Since"); since && now.modified > *since) {
        return 412;
    }
    if (auto none = listed(req, "If-None-Match", now.etag, true)) {
        if (*none)
            return safe ? 304 : 412;
    } else if (auto since = date_in(req, "If-Modified-Since");
               since && safe && now.modified <= *since) {
        return 304;
    }
    return 200;
}

range_outcome wanted_range(const request& req, const validators& now, std::uint64_t size,
                           byte_range& part) noexcept
{
    auto field = req.field("Range");
    if (!field || req.method() != method::get || !is_of_this_version(req, now))
        return range_outcome::whole;
    std::string_view spec = *field;
    constexpr std::string_view unit = "bytes="; // in any case (RFC 9110, 14.1)
    if (!ascii::equal(spec.substr(0, unit.size()), unit) || spec.find(',') != spec.npos)
        return range_outcome::whole;
    spec = ascii::trim(spec.substr(unit.size()));
    std::size_t dash = spec.find('-');
    if (dash == spec.npos)
        return range_outcome::whole;
    auto first = number(spec.substr(0, dash));
    auto last = number(spec.substr(dash + 1));
    if (dash == 0) { // the last so many
        if (!last ||
            (*last > 0 && size == 0)) // all of nothing is satisfiable, but has no Content-Range
            return range_outcome::whole;
        std::uint64_t count = std::min(*last, size);
        part = {size - count, count};
        return count > 0 ? range_outcome::part : range_outcome::unsatisfiable;
    }
    bool open = dash + 1 == spec.size();
    if (!first || (!open && (!last || *last < *first)))
        return range_outcome::whole;
    if (*first >= size)
        return range_outcome::unsatisfiable;
    part = {*first, (open ? size : std::min(*last, size - 1) + 1) - *first};
    return range_outcome::part;
}

} // namespace vk::http
