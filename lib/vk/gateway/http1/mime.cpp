#include "vk/gateway/http1/mime.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace vk::http {
namespace {

struct entry {
    std::string_view ending;
    std::string_view type;
};

// In the order of the endings, which are looked up by halving.
constexpr std::array types{
    entry{"7z", "application/x-7z-compressed"},
    entry{"aac", "audio/aac"},
    entry{"atom", "application/atom+xml"},
    entry{"avif", "image/avif"},
    entry{"bin", "application/octet-stream"},
    entry{"bmp", "image/bmp"},
    entry{"bz2", "application/x-bzip2"},
    entry{"css", "text/css"},
    entry{"csv", "text/csv"},
    entry{"flac", "audio/flac"},
    entry{"gif", "image/gif"},
    entry{"gz", "application/gzip"},
    entry{"htm", "text/html"},
    entry{"html", "text/html"},
    entry{"ico", "image/vnd.microsoft.icon"},
    entry{"ics", "text/calendar"},
    entry{"jpeg", "image/jpeg"},
    entry{"jpg", "image/jpeg"},
    entry{"js", "text/javascript"},
    entry{"json", "application/json"},
    entry{"jsonld", "application/ld+json"},
    entry{"jxl", "image/jxl"},
    entry{"m4a", "audio/mp4"},
    entry{"map", "application/json"},
    entry{"md", "text/markdown"},
    entry{"mjs", "text/javascript"},
    entry{"mp3", "audio/mpeg"},
    entry{"mp4", "video/mp4"},
    entry{"mpeg", "video/mpeg"},
    entry{"oga", "audio/ogg"},
    entry{"ogg", "audio/ogg"},
    entry{"ogv", "video/ogg"},
    entry{"otf", "font/otf"},
    entry{"pdf", "application/pdf"},
    entry{"png", "image/png"},
    entry{"rss", "application/rss+xml"},
    entry{"rtf", "application/rtf"},
    entry{"svg", "image/svg+xml"},
    entry{"tar", "application/x-tar"},
    entry{"tif", "image/tiff"},
    entry{"tiff", "image/tiff"},
    entry{"ttf", "font/ttf"},
    entry{"txt", "text/plain"},
    entry{"vtt", "text/vtt"},
    entry{"wasm", "application/wasm"},
    entry{"wav", "audio/wav"},
    entry{"weba", "audio/webm"},
    entry{"webm", "video/webm"},
    entry{"webmanifest", "application/manifest+json"},
    entry{"webp", "image/webp"},
    entry{"woff", "font/woff"},
    entry{"woff2", "font/woff2"},
    entry{"xhtml", "application/xhtml+xml"},
    entry{"xml", "application/xml"},
    entry{"yaml", "application/yaml"},
    entry{"yml", "application/yaml"},
    entry{"zip", "application/zip"},
    entry{"zst", "application/zstd"},
};

constexpr bool precedes(const entry& a, const entry& b) noexcept
{
    return a.ending < b.ending;
}
static_assert(std::is_sorted(types.begin(), types.end(), precedes));

constexpr std::size_t longest_ending = 11;

} // namespace

std::string_view media_type_of(std::string_view path) noexcept
{
    constexpr std::string_view unknown = "application/octet-stream";
    std::string_view name = path.substr(path.rfind('/') + 1);
    std::size_t dot = name.rfind('.');
    if (dot == name.npos || dot == 0 || name.size() - dot - 1 > longest_ending)
        return unknown;
    char lower[longest_ending];
    std::string_view ending = name.substr(dot + 1);
    std::transform(ending.begin(), ending.end(), lower, [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    entry wanted{{lower, ending.size()}, {}};
    const auto* found = std::lower_bound(types.begin(), types.end(), wanted, precedes);
    return found != types.end() && found->ending == wanted.ending ? found->type : unknown;
}

} // namespace vk::http
