#pragma once

// refusal: why a message is not taken. A step of a parser returns a pointer to one of the constants below, or
// null when nothing is wrong; `more` says that the bytes end before the step does.
//
// parsed: what a parser says in the end.
//
// The status is the answer to a request. Of a response there is nobody to answer: whatever is wrong with it is
// the 502 of a gateway (RFC 9110, 15.6.3).

#include <cstdint>

namespace vk::http {

struct refusal {
    int status;
    const char* why;
};

struct parsed {
    enum outcome : std::uint8_t { complete, incomplete, refused };

    outcome state;
    std::uint32_t bytes; ///< of the head when complete, an empty line before it included
    int status;          ///< to answer with when refused
    const char* why;     ///< one sentence, static; "" unless refused
};

/// What a parser says of a step that ended with `wrong`, not null.
parsed to_parsed(const refusal& wrong) noexcept;

namespace refusals {

inline constexpr refusal more{0, ""};

// The start line (RFC 9112, 3 and 4).
inline constexpr refusal method{400, "The request line does not begin with a method and a space."};
inline constexpr refusal method_length{501, "The method is longer than any that is known."};
inline constexpr refusal target{
    400, "The request target is empty or has a character that none may have."};
inline constexpr refusal target_length{414, "The request line is too long."};
inline constexpr refusal request_line{400, "The request line does not end with HTTP/1.1 and CRLF."};
inline constexpr refusal version{505, "The version is not HTTP/1.x."};
inline constexpr refusal target_form{
    400, "The request target has none of the forms that its method allows."};
inline constexpr refusal status_line{
    502, "The status line is not HTTP/1.x, a status from 100 to 599, a phrase and CRLF."};

// Field lines (RFC 9112, 5; RFC 9110, 5).
inline constexpr refusal head_length{431, "The head is too long."};
inline constexpr refusal line_length{431, "A field line is too long."};
inline constexpr refusal field_count{431, "There are too many fields."};
inline constexpr refusal folding{400, "A line of the head begins with whitespace."};
inline constexpr refusal name{
    400, "A field name is empty, has a character that none may have, or no colon behind it."};
inline constexpr refusal value{
    400, "A field value has a control character, or a CR or LF that is not of a CRLF."};

// What single fields say (RFC 9112, 3.2 and 6; RFC 9110, 8.6 and 10.1.1).
inline constexpr refusal host{400, "The Host field is not a host and a port."};
inline constexpr refusal host_missing{400, "An HTTP/1.1 request has no Host field."};
inline constexpr refusal host_twice{400, "There are several Host fields."};
inline constexpr refusal length{400, "The Content-Length is not one number."};
inline constexpr refusal length_twice{400, "There are several Content-Length fields."};
inline constexpr refusal length_and_coding{400,
                                           "There are both Content-Length and Transfer-Encoding."};
inline constexpr refusal coding_in_1_0{400, "An HTTP/1.0 message has a Transfer-Encoding."};
inline constexpr refusal coding_not_chunked{
    400, "The transfer coding is not chunked, once and at last."};
inline constexpr refusal coding_unknown{501, "There is a transfer coding other than chunked."};
inline constexpr refusal expectation{417, "There is an expectation other than 100-continue."};
inline constexpr refusal body_length{413, "The body is too long."};

// The chunked coding (RFC 9112, 7.1).
inline constexpr refusal chunk_size{400, "A chunk size is not a hexadecimal number."};
inline constexpr refusal chunk_line{400,
                                    "A chunk's extensions are not such, or do not end with CRLF."};
inline constexpr refusal chunk_line_length{400, "A chunk's extensions are too long."};
inline constexpr refusal chunk_overhead{400, "The chunks have more extensions than data."};
inline constexpr refusal chunk_end{400, "A chunk's data do not end with CRLF."};
inline constexpr refusal trailer{400, "A trailer field is malformed."};
inline constexpr refusal trailer_length{431, "The trailer fields are too long."};

// The stream (RFC 9112, 8).
inline constexpr refusal stream_end{400, "The stream ended within a head."};

} // namespace refusals

inline parsed to_parsed(const refusal& wrong) noexcept
{
    if (&wrong == &refusals::more)
        return {parsed::incomplete, 0, 0, ""};
    return {parsed::refused, 0, wrong.status, wrong.why};
}

} // namespace vk::http
