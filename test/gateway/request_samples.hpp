#pragma once

// Requests that are taken, and requests that are refused: for the tests of the parser, its comparison with
// another one, and the fuzz targets.

#include "support/random.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vk::test {

using namespace std::literals;

struct taken_request {
    std::string about;
    std::string bytes;
    std::string method = "GET";
    std::string target = "/";
    std::string path = "/";
    std::string query = {};
    std::string host = "h";
    unsigned minor = 1;
    bool keep_alive = true;
};

struct refused_request {
    std::string about;
    std::string bytes;
    int status = 400;
};

inline std::string operator*(std::size_t times, const std::string& text)
{
    std::string all;
    while (times-- > 0)
        all += text;
    return all;
}

/// A GET request with these field lines behind its Host.
inline std::string with(const std::string& lines)
{
    return "GET / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n";
}

/// A request of HTTP/1.0 with these field lines.
inline std::string old_with(const std::string& lines)
{
    return "GET / HTTP/1.0\r\n" + lines + "\r\n";
}

/// What Chromium sends for a page when it is told to reload it.
inline const std::string chromium_request =
    "GET /index.html?from=start&lang=en HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36\r\n"
    "Accept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: none\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Referer: https://www.example.com/\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en;q=0.9\r\n"
    "\r\n";

/// What Firefox sends for a page, with cookies.
inline const std::string firefox_request =
    "GET /articles/2024/06/index.html HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0\r\n"
    "Accept: "
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Referer: http://www.example.com/articles/\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=3f2a9c0d7be14f6e8a51; theme=dark; consent=analytics%3Dno%26marketing%3Dno; "
    "visits=17\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Priority: u=0, i\r\n"
    "\r\n";

inline const std::string tiny_request = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

inline const std::vector<taken_request> taken_requests{
    {"the least of HTTP/1.1", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"the least of HTTP/1.0", old_with(""), "GET", "/", "/", "", "", 0, false},
    {"a Host in HTTP/1.0", old_with("Host: h\r\n"), "GET", "/", "/", "", "h", 0, false},
    {"a benchmark's", tiny_request, "GET", "/plaintext", "/plaintext", "", "127.0.0.1:8080"},
    {"Firefox's", firefox_request, "GET", "/articles/2024/06/index.html",
     "/articles/2024/06/index.html", "", "www.example.com"},
    {"Chromium's", chromium_request, "GET", "/index.html?from=start&lang=en", "/index.html",
     "from=start&lang=en", "www.example.com"},
    {"an empty line before it", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a later minor version", "GET / HTTP/1.9\r\nHost: h\r\n\r\n"},
    {"something behind it", "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\n\r\n\n"},
    {"a method of one letter", "A / HTTP/1.1\r\nHost: h\r\n\r\n", "A"},
    {"an unknown method", "M-SEARCH / HTTP/1.1\r\nHost: h\r\n\r\n", "M-SEARCH"},
    {"a method in lowercase", "get / HTTP/1.1\r\nHost: h\r\n\r\n", "get"},
    {"POST", "POST / HTTP/1.1\r\nHost: h\r\n\r\n", "POST"},
    {"an empty query", "GET /? HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/?", "/"},
    {"a query with a question mark", "GET /a?b?c=/d HTTP/1.1\r\nHost: h\r\n\r\n", "GET",
     "/a?b?c=/d", "/a", "b?c=/d"},
    {"what browsers do not encode", "GET /a?b[]={\"|`^\\} HTTP/1.1\r\nHost: h\r\n\r\n", "GET",
     "/a?b[]={\"|`^\\}", "/a", "b[]={\"|`^\\}"},
    {"two slashes", "GET //a//b HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "//a//b", "//a//b"},
    {"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS", "*", "*"},
    {"OPTIONS in origin-form", "OPTIONS /a HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS", "/a", "/a"},
    {"authority-form", "CONNECT a.example:443 HTTP/1.1\r\nHost: h\r\n\r\n", "CONNECT",
     "a.example:443", "a.example:443", "", "a.example:443"},
    {"absolute-form, whose host wins", "GET http://a:80/b/c?d HTTP/1.1\r\nHost: h\r\n\r\n", "GET",
     "http://a:80/b/c?d", "/b/c", "d", "a:80"},
    {"absolute-form without a path", "GET HTTPS://a HTTP/1.1\r\nHost: h\r\n\r\n", "GET",
     "HTTPS://a", "/", "", "a"},
    {"absolute-form with a query alone", "GET http://a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET",
     "http://a?b", "/", "b", "a"},
    {"absolute-form of an IPv6 address", "GET http://[::1]:80/ HTTP/1.1\r\nHost: h\r\n\r\n", "GET",
     "http://[::1]:80/", "/", "", "[::1]:80"},
    {"absolute-form and an empty Host", "GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", "GET",
     "http://a/", "/", "", "a"},
    {"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET", "/", "/", "", ""},
    {"a Host in capitals without a space", "GET / HTTP/1.1\r\nHOST:h\r\n\r\n"},
    {"a Host in whitespace", "GET / HTTP/1.1\r\nhost: \t h\t \r\n\r\n"},
    {"a Host that is an IPv6 address", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", "GET",
     "/", "/", "", "[2001:db8::1]:8080"},
    {"a Host of rare characters", "GET / HTTP/1.1\r\nHost: a_b~%2e!c:\r\n\r\n", "GET", "/", "/", "",
     "a_b~%2e!c:"},
    {"an empty value", with("X:\r\n")},
    {"a value of whitespace", with("X: \t \r\n")},
    {"a value with tabs and other bytes", with("X: a\tb \x80\xff c\r\n")},
    {"a value of UTF-8", with("X: \xc3\xa4\r\n")},
    {"a name of rare characters", with("!#$%&'*+-.^_`|~0aZ: x\r\n")},
    {"a long name", with("A-Name-That-Has-More-Than-Sixteen_Characters: x\r\n")},
    {"as many fields as may be", with(99 * std::string("a: b\r\n"))},
    {"Connection: close", with("Connection: close\r\n"), "GET", "/", "/", "", "h", 1, false},
    {"close in a list", with("Connection: , x ,CLOSE\t, y\r\n"), "GET", "/", "/", "", "h", 1,
     false},
    {"close in the second of two lists", with("Connection: x\r\nConnection: close\r\n"), "GET", "/",
     "/", "", "h", 1, false},
    {"close and keep-alive", with("Connection: keep-alive, close\r\n"), "GET", "/", "/", "", "h", 1,
     false},
    {"a Connection that is not close", with("Connection: closed, Upgrade\r\n")},
    {"keep-alive in HTTP/1.0", old_with("Connection: Keep-Alive\r\n"), "GET", "/", "/", "", "", 0,
     true},
    {"an expectation without a body", with("Expect: 100-continue\r\n")},
    {"a Content-Length of 0", with("Content-Length: 0\r\n")},
};

inline const std::vector<refused_request> refused_requests{
    // The request line.
    {"a bare LF behind the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n"},
    {"a bare CR behind the request line", "GET / HTTP/1.1\rHost: h\r\n\r\n"},
    {"two empty lines before it", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a bare LF before it", "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a bare CR before it", "\rGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a space before it", " GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"no method", "/ HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a method that is no token", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a method with NUL", "G\0T / HTTP/1.1\r\nHost: h\r\n\r\n"s},
    {"a tab behind the method", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"two spaces behind the method", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"two spaces behind the target", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a space behind the version", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"},
    {"a space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"HTTP/0.9", "GET /\r\n\r\n"},
    {"an unfinished version", "GET / HTTP/1\r\nHost: h\r\n\r\n"},
    {"no version", "GET / \r\nHost: h\r\n\r\n"},
    {"a version in lowercase", "GET / http/1.1\r\nHost: h\r\n\r\n"},
    {"a version of two digits", "GET / HTTP/1.10\r\nHost: h\r\n\r\n"},
    {"a version that is no number", "GET / HTTP/1.x\r\nHost: h\r\n\r\n"},
    {"another protocol", "GET / HTCP/1.1\r\nHost: h\r\n\r\n"},
    {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
    {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
    {"HTTP/0.9 by name", "GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505},
    // The target.
    {"a control character in the target", "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a tab in the target", "GET /\t HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"DEL in the target", "GET /abcdefghijklmnopqrstuvwxyz\x7f HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"NUL in the target", "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"s},
    {"a byte that is not ASCII in the target", "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a fragment", "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a fragment behind a query", "GET /?b#a HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"a relative path", "GET index.html HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"asterisk-form of GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"asterisk-form and more", "OPTIONS *a HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"authority-form of GET", "GET a:80 HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"authority-form without a port", "CONNECT a HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"authority-form with an empty port", "CONNECT a: HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"authority-form with port 0", "CONNECT a:0 HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"authority-form with port 65536", "CONNECT a:65536 HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"CONNECT in origin-form", "CONNECT /a HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"CONNECT in absolute-form", "CONNECT http://a:80/ HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"an absolute-form of another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"an absolute-form without an authority", "GET http:/a HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"an absolute-form with an empty host", "GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"an absolute-form with userinfo", "GET http://u:p@a/ HTTP/1.1\r\nHost: h\r\n\r\n"},
    // Field lines.
    {"a bare LF behind a field", "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"},
    {"a bare LF as the empty line", "GET / HTTP/1.1\r\nHost: h\r\n\n"},
    {"bare LFs alone", "GET / HTTP/1.1\nHost: h\n\n"},
    {"a bare CR in a value", with("X: a\rb\r\n")},
    {"a bare CR as the empty line", "GET / HTTP/1.1\r\nHost: h\r\n\rX: y\r\n\r\n"},
    {"two CRs", "GET / HTTP/1.1\r\nHost: h\r\r\n\r\n"},
    {"a folded line", with("X: a\r\n b\r\n")},
    {"a line folded by a tab", with("X: a\r\n\tb\r\n")},
    {"a folded first line", "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
    {"a line of whitespace", with(" \r\n")},
    {"whitespace before the colon", with("X : a\r\n")},
    {"a tab before the colon", with("X\t: a\r\n")},
    {"whitespace in a name", with("X Y: a\r\n")},
    {"an empty name", with(": a\r\n")},
    {"no colon", with("X\r\n")},
    {"a name with a slash", with("a-name-of-more-than-16/characters: a\r\n")},
    {"a name with a byte that is not ASCII", with("X\xff: a\r\n")},
    {"a name with NUL", with("X\0: a\r\n"s)},
    {"a value with NUL", with("X: a\0b\r\n"s)},
    {"a value with DEL", with("X: a\x7f"
                              "b\r\n")},
    {"a value with ESC", with("X: a value of more than 16 bytes \x1b\r\n")},
    // Host.
    {"no Host", "GET / HTTP/1.1\r\nX: y\r\n\r\n"},
    {"no field", "GET / HTTP/1.1\r\n\r\n"},
    {"an absolute-form does not stand for Host", "GET http://a/ HTTP/1.1\r\n\r\n"},
    {"two Hosts", with("Host: g\r\n")},
    {"twice the same Host", with("Host: h\r\n")},
    {"two Hosts in HTTP/1.0", old_with("Host: a\r\nHost: b\r\n")},
    {"two Hosts in one", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
    {"a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {"a Host with userinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
    {"a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {"a Host that is a port", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"},
    {"a Host whose port is no number", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"},
    {"a Host with two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"},
    {"a Host with an IPv6 address without brackets", "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"},
    {"a Host with half a bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
    {"a Host with a bad IPv6 address", "GET / HTTP/1.1\r\nHost: [1::2::3]\r\n\r\n"},
    {"a Host with a bad escape", "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n"},
    {"a Host with a byte that is not ASCII", "GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n"},
    // The body's length.
    {"an empty Content-Length", with("Content-Length:\r\n")},
    {"a negative Content-Length", with("Content-Length: -1\r\n")},
    {"a Content-Length with a sign", with("Content-Length: +1\r\n")},
    {"a hexadecimal Content-Length", with("Content-Length: 0x10\r\n")},
    {"a Content-Length with a space", with("Content-Length: 1 2\r\n")},
    {"a list of different Content-Lengths", with("Content-Length: 1, 2\r\n")},
    {"a list of equal Content-Lengths", with("Content-Length: 1, 1\r\n")},
    {"two different Content-Lengths", with("Content-Length: 1\r\nContent-Length: 2\r\n")},
    {"two equal Content-Lengths", with("Content-Length: 1\r\nContent-Length: 1\r\n")},
    {"a Content-Length beyond the bound", with("Content-Length: 1048577\r\n"), 413},
    {"a Content-Length of 2^64", with("Content-Length: 18446744073709551616\r\n"), 413},
    {"a Content-Length of 2^64 + 1", with("Content-Length: 18446744073709551617\r\n"), 413},
    {"a Content-Length of 200 digits", with("Content-Length: " + std::string(200, '1') + "\r\n"),
     413},
    {"Content-Length and Transfer-Encoding",
     with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")},
    {"Transfer-Encoding and Content-Length",
     with("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n")},
    {"an unknown coding and Content-Length",
     with("Transfer-Encoding: gzip, chunked\r\nContent-Length: 0\r\n")},
    {"Transfer-Encoding in HTTP/1.0", old_with("Transfer-Encoding: chunked\r\n")},
    {"an empty Transfer-Encoding", with("Transfer-Encoding:\r\n")},
    {"a coding before chunked", with("Transfer-Encoding: gzip, chunked\r\n"), 501},
    {"a coding before chunked in another field",
     with("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 501},
    {"a coding behind chunked", with("Transfer-Encoding: chunked, gzip\r\n")},
    {"a coding that is not chunked", with("Transfer-Encoding: gzip\r\n")},
    {"identity", with("Transfer-Encoding: identity\r\n")},
    {"almost chunked", with("Transfer-Encoding: xchunked\r\n")},
    {"chunked behind a vertical tab", with("Transfer-Encoding: \vchunked\r\n")},
    {"chunked in quotes", with("Transfer-Encoding: \"chunked\"\r\n")},
    {"chunked with a parameter", with("Transfer-Encoding: chunked;q=1\r\n")},
    {"chunked and an empty Transfer-Encoding",
     with("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n")},
    {"an empty Transfer-Encoding and chunked",
     with("Transfer-Encoding: ,\r\nTransfer-Encoding: chunked\r\n")},
    {"chunked twice", with("Transfer-Encoding: chunked, chunked\r\n")},
    {"chunked in two fields", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
    {"another expectation", with("Expect: 200-ok\r\n"), 417},
    {"two expectations", with("Expect: 100-continue, x\r\n"), 417},
    // Bounds.
    {"a method that is too long", std::string(8192, 'M') + " / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
    {"a target that is too long", "GET /" + std::string(8192, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n",
     414},
    {"a query that is too long", "GET /?" + std::string(8192, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n",
     414},
    {"a target that is too long and bad", "GET /" + std::string(8192, 'a') + "\x01", 414},
    {"a value that is too long", with("X: " + std::string(8192, 'a') + "\r\n"), 431},
    {"a name that is too long", with(std::string(8192, 'X') + ": a\r\n"), 431},
    {"whitespace that is too long", with("X:" + std::string(8192, ' ') + "a\r\n"), 431},
    {"a head that is too long", with(5 * ("X: " + std::string(8000, 'a') + "\r\n")), 431},
    {"too many fields", with(100 * std::string("a: b\r\n")), 431},
};

/// A sample with a few bytes changed, removed, doubled, or taken from another sample.
inline std::string damaged(dice& random)
{
    auto pick = [&]() -> const std::string& {
        return random.chance(0.7) ? taken_requests[random.below(taken_requests.size())].bytes
                                  : refused_requests[random.below(refused_requests.size())].bytes;
    };
    constexpr std::string_view telling = "\r\n\t :,;/?#*[]%@.-0159aAzZ\x00\x01\x7f\x80\xff";
    std::string text = pick();
    for (auto changes = 1 + random.below(3); changes > 0 && !text.empty(); --changes) {
        std::size_t at = random.below(text.size());
        switch (random.below(6)) {
        case 0:
            text[at] = telling[random.below(telling.size())];
            break;
        case 1:
            text.insert(at, 1, telling[random.below(telling.size())]);
            break;
        case 2:
            text.erase(at, 1 + random.below(4));
            break;
        case 3:
            text.insert(at, text.substr(at, 1 + random.below(40)));
            break;
        case 4:
            text[at] = static_cast<char>(random.below(256));
            break;
        default: {
            const std::string& other = pick();
            std::size_t from = random.below(other.size());
            text.insert(at, other.substr(from, 1 + random.below(60)));
            break;
        }
        }
    }
    return text;
}

} // namespace vk::test
