#pragma once

// ascii: the character classes of HTTP, comparisons that do not see case, and scans for the first byte that is
// not of a class.
//
// A scan looks at 16 bytes at a time where the processor can, and at one byte at a time at the end of the input:
// nothing beyond it is read. `by_byte` is the meaning of the scans, `by_block` must agree with it (ascii_test).

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace vk::http::ascii {

enum class_bits : std::uint8_t {
    token = 1,  ///< tchar (RFC 9110, 5.6.2)
    path = 2,   ///< of a request target up to its query: visible ASCII but '#' and '?'
    query = 4,  ///< path or '?'
    value = 8,  ///< of a field value: visible, SP, HTAB, obs-text (RFC 9110, 5.5)
    name = 16,  ///< of a registered name but '%': unreserved and sub-delims (RFC 3986, 3.2.2)
    digit = 32, ///< decimal
    hex = 64,   ///< hexadecimal
    word = 128, ///< letter, digit, '-' or '.': what most field names and host names are made of
};

constexpr bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Whitespace in a line (RFC 9110, 5.6.3).
constexpr bool is_blank(char c) noexcept
{
    return c == ' ' || c == '\t';
}

constexpr std::uint8_t classes_of(char c) noexcept
{
    auto one_of = [c](std::string_view set) { return set.find(c) != set.npos; };
    bool alphanumeric = is_digit(c) || is_letter(c);
    bool visible = c > ' ' && c < 0x7f;
    bool obs_text = static_cast<unsigned char>(c) >= 0x80;
    unsigned bits = 0;
    if (alphanumeric || one_of("!#$%&'*+-.^_`|~"))
        bits |= token;
    if (visible && !one_of("#?"))
        bits |= path;
    if (visible && c != '#')
        bits |= query;
    if (visible || is_blank(c) || obs_text)
        bits |= value;
    if (alphanumeric || one_of("-._~!$&'()*+,;="))
        bits |= name;
    if (is_digit(c))
        bits |= digit;
    if (is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
        bits |= hex;
    if (alphanumeric || one_of("-."))
        bits |= word;
    return static_cast<std::uint8_t>(bits);
}

inline constexpr auto class_table = [] {
    std::array<std::uint8_t, 256> table{};
    for (unsigned c = 0; c < table.size(); ++c)
        table[c] = classes_of(static_cast<char>(c));
    return table;
}();

constexpr bool is(char c, unsigned bits) noexcept
{
    return (class_table[static_cast<unsigned char>(c)] & bits) != 0;
}

/// Value of a hexadecimal digit.
constexpr unsigned hex_value(char c) noexcept
{
    return is_digit(c) ? static_cast<unsigned>(c - '0')
                       : static_cast<unsigned>((c | 0x20) - 'a' + 10);
}

// --- comparing without regard to case

constexpr char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

constexpr bool equal(std::string_view a, std::string_view b) noexcept
{
    if (a.size() != b.size())
        return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

template <typename Word>
Word load(const char* from) noexcept
{
    Word word;
    std::memcpy(&word, from, sizeof(word));
    return word;
}

/// Whether the characters at `text`, as many as `lowercase` has, are those, which must be letters and hyphens:
/// setting bit 5 maps no other character of a name or value to them.
template <std::size_t N>
bool matches(const char* text, const char (&lowercase)[N]) noexcept
{
    constexpr std::size_t bytes = N - 1;
    auto differ = [&]<typename Word>(Word ones, std::size_t at) {
        auto bit5 = static_cast<Word>(ones * 0x20);
        return static_cast<Word>((load<Word>(text + at) | bit5) ^ load<Word>(lowercase + at));
    };
    constexpr std::uint64_t ones64 = 0x0101010101010101u;
    constexpr std::uint32_t ones32 = 0x01010101u;
    static_assert(bytes >= 4);
    if constexpr (bytes < 8) {
        return (differ(ones32, 0) | differ(ones32, bytes - 4)) == 0;
    } else {
        std::uint64_t all = differ(ones64, bytes - 8);
        for (std::size_t at = 0; at + 8 < bytes; at += 8)
            all |= differ(ones64, at);
        return all == 0;
    }
}

// --- scanning

struct by_byte {
    template <class_bits Class>
    static const char* skip(const char* from, const char* end) noexcept
    {
        while (from != end && is(*from, Class))
            ++from;
        return from;
    }
};

#if defined(__SSE2__)

/// Sees 16 bytes at once, but knows no more of a class than its usual members: of `token` and `value`, that is
/// not all of them.
struct by_block {
    /// The first byte that is no usual member: not behind the one at which skip() stops.
    template <class_bits Class>
    static const char* leap(const char* from, const char* end) noexcept
    {
        for (const char* last = end - 15; from < last; from += 16) {
            unsigned others =
                usual_members<Class>(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))) ^
                0xffff;
            if (others != 0) [[likely]]
                return from + __builtin_ctz(others);
        }
        return by_byte::skip<Class>(from, end);
    }

private:
    static __m128i all(int c) noexcept { return _mm_set1_epi8(static_cast<char>(c)); }

    /// Bytes from `first` to `last`, which are ASCII. Comparisons are signed, and what is not ASCII is below zero:
    /// a range that is shifted to end at 127 is found by one.
    static __m128i in(__m128i block, int first, int last) noexcept
    {
        return _mm_cmpgt_epi8(_mm_add_epi8(block, all(127 - last)), all(126 - (last - first)));
    }

    /// A bit for each byte of `block` that is a usual member.
    template <class_bits Class>
    static unsigned usual_members(__m128i block) noexcept
    {
        __m128i found;
        if constexpr (Class == token) { // most names are of letters and hyphens
            found = _mm_or_si128(in(_mm_or_si128(block, all(0x20)), 'a', 'z'),
                                 _mm_cmpeq_epi8(block, all('-')));
        } else if constexpr (Class == word) {
            __m128i letters = in(_mm_or_si128(block, all(0x20)), 'a', 'z');
            __m128i others = _mm_andnot_si128(_mm_cmpeq_epi8(block, all('/')), in(block, '-', '9'));
            found = _mm_or_si128(letters, others);
        } else if constexpr (Class == digit) {
            found = in(block, '0', '9');
        } else if constexpr (Class == value) {
            found = in(block, ' ', '~');
        } else {
            static_assert(Class == path || Class == query);
            found = _mm_andnot_si128(_mm_cmpeq_epi8(block, all('#')), in(block, '!', '~'));
            if constexpr (Class == path)
                found = _mm_andnot_si128(_mm_cmpeq_epi8(block, all('?')), found);
        }
        return static_cast<unsigned>(_mm_movemask_epi8(found));
    }
};

#else

struct by_block {
    template <class_bits Class>
    static const char* leap(const char* from, const char* end) noexcept
    {
        return by_byte::skip<Class>(from, end);
    }
};

#endif

/// The first byte of [from, end) that is not of the class, or `end`; or before that one that is rare in it.
template <class_bits Class>
const char* leap(const char* from, const char* end) noexcept
{
    return by_block::leap<Class>(from, end);
}

/// The first byte of [from, end) that is not of the class, or `end`.
template <class_bits Class>
[[gnu::noinline]] const char* skip(const char* from, const char* end) noexcept
{
    for (;; ++from) {
        from = leap<Class>(from, end);
        if (from == end || !is(*from, Class))
            return from;
    }
}

/// Whether all of `text` is of the class.
template <class_bits Class>
bool all(std::string_view text) noexcept
{
    const char* end = text.data() + text.size();
    return text.empty() || skip<Class>(text.data(), end) == end;
}

/// Whether `text` is a token (RFC 9110, 5.6.2): a method, the name of a field.
inline bool is_token(std::string_view text) noexcept
{
    return !text.empty() && all<token>(text);
}

/// `text` without the blanks at its ends.
constexpr std::string_view trim(std::string_view text) noexcept
{
    while (!text.empty() && is_blank(text.front()))
        text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back()))
        text.remove_suffix(1);
    return text;
}

/// Call `take` with each element of a comma-separated list (RFC 9110, 5.6.1.2), the empty ones left out.
template <typename Take>
constexpr void for_each_element(std::string_view list, Take take)
{
    while (!list.empty()) {
        std::size_t comma = list.find(',');
        std::string_view element = trim(list.substr(0, comma));
        if (!element.empty())
            take(element);
        list.remove_prefix(comma == list.npos ? list.size() : comma + 1);
    }
}

} // namespace vk::http::ascii
