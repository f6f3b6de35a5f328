#pragma once

// Chunked bodies, right and wrong: for the tests of the decoder and its fuzz target.

#include <string>
#include <vector>

namespace vk::test {

struct chunked_body {
    std::string about;
    std::string bytes;
    std::string payload; ///< as far as it goes, where the body is refused
    int status = 0;      ///< 0 when it is taken
};

inline const std::vector<chunked_body> chunked_bodies{
    {"nothing", "0\r\n\r\n", ""},
    {"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"},
    {"two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
    {"digits of both cases", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n",
     "01234567890123456789a"},
    {"leading zeros", "0005\r\nhello\r\n000\r\n\r\n", "hello"},
    {"data that look like framing", "7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n\r\n"},
    {"extensions", "5;a\r\nhello\r\n0;b=c;d=\"e \\\" f\"\r\n\r\n", "hello"},
    {"whitespace before an extension", "5 \t; a = b\r\nhello\r\n0\r\n\r\n", "hello"},
    {"trailer fields", "1\r\nx\r\n0\r\nA: b\r\nContent-Length: 9\r\nC:\r\n\r\n", "x"},
    {"something behind it", "0\r\n\r\nGET / HTTP/1.1\r\n", ""},
    {"as much as may be", "100000\r\n" + std::string(1 << 20, 'x') + "\r\n0\r\n\r\n",
     std::string(1 << 20, 'x')},

    {"no size", "\r\nhello\r\n0\r\n\r\n", "", 400},
    {"an extension without a size", ";a\r\n\r\n", "", 400},
    {"a size that is no number", "x\r\n", "", 400},
    {"a size with a prefix", "0x5\r\nhello\r\n0\r\n\r\n", "", 400},
    {"a size with a sign", "+5\r\nhello\r\n0\r\n\r\n", "", 400},
    {"a negative size", "-5\r\nhello\r\n0\r\n\r\n", "", 400},
    {"whitespace before a size", " 5\r\nhello\r\n0\r\n\r\n", "", 400},
    {"whitespace behind a size", "5 \r\nhello\r\n0\r\n\r\n", "", 400},
    {"two numbers", "5 5\r\nhello\r\n0\r\n\r\n", "", 400},
    {"a bare LF behind a size", "5\nhello\r\n0\r\n\r\n", "", 400},
    {"a bare CR behind a size", "5\rhello\r\n0\r\n\r\n", "", 400},
    {"a bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n", "", 400},
    {"a bare CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", "", 400},
    {"a control character in an extension", "5;a\x01\r\nhello\r\n0\r\n\r\n", "", 400},
    {"data that are longer than their size", "5\r\nhello!\r\n0\r\n\r\n", "hello", 400},
    {"data that are shorter than their size", "5\r\nhell\r\n0\r\n\r\n", "hell\r", 400},
    {"a bare LF behind data", "5\r\nhello\n0\r\n\r\n", "hello", 400},
    {"a bare CR behind data", "5\r\nhello\r0\r\n\r\n", "hello", 400},
    {"a bare LF at the end", "0\r\n\n", "", 400},
    {"a bare CR at the end", "0\r\n\rx", "", 400},
    {"a trailer without a colon", "0\r\nA\r\n\r\n", "", 400},
    {"a trailer without a name", "0\r\n: b\r\n\r\n", "", 400},
    {"a trailer with whitespace before its colon", "0\r\nA : b\r\n\r\n", "", 400},
    {"a folded trailer", "0\r\nA: b\r\n c\r\n\r\n", "", 400},
    {"a trailer with a bare LF", "0\r\nA: b\n\r\n", "", 400},
    {"a trailer with a control character", "0\r\nA: \x01\r\n\r\n", "", 400},

    {"a chunk beyond the bound", "100001\r\n", "", 413},
    {"chunks beyond the bound", "5\r\nhello\r\nFFFFC\r\n", "hello", 413},
    {"a size of 2^64", "10000000000000000\r\n", "", 413},
    {"a size of 2^64 + 5", "10000000000000005\r\nhello\r\n0\r\n\r\n", "", 413},
    {"a size of 200 digits", std::string(200, 'f') + "\r\n", "", 413},
    {"a size line that is too long", std::string(1100, '0') + "5\r\nhello\r\n0\r\n\r\n", "", 400},
    {"an extension that is too long", "5;" + std::string(1100, 'a') + "\r\nhello\r\n0\r\n\r\n", "",
     400},
    {"trailers that are too long", "0\r\nA: " + std::string(8192, 'a') + "\r\n\r\n", "", 431},
};

} // namespace vk::test
