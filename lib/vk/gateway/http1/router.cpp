#include "vk/gateway/http1/router.hpp"

#include "vk/gateway/http1/response.hpp"

#include <stdexcept>

namespace vk::http {
namespace {

constexpr std::string_view rest_mark = "...}";

[[noreturn]] void refuse(std::string_view pattern, const char* why)
{
    throw std::invalid_argument("route '" + std::string(pattern) + "': " + why);
}

// A parameter fills a segment: "/{name}" or, at the end, "/{name...}".
void check(std::string_view pattern, std::size_t parameters_max)
{
    if (!pattern.starts_with('/'))
        refuse(pattern, "it must begin with '/'");
    std::size_t parameters = 0;
    for (std::size_t at = 0; at < pattern.size();) {
        std::size_t end = std::min(pattern.find('/', at + 1), pattern.size());
        std::string_view segment = pattern.substr(at + 1, end - at - 1);
        if (segment.find_first_of("{}") != segment.npos) {
            if (!segment.starts_with('{') || segment.find('}') != segment.size() - 1 ||
                segment.size() < 3 || segment == "{...}")
                refuse(pattern, "a parameter must fill its segment, as {name}");
            if (segment.ends_with(rest_mark) && end != pattern.size())
                refuse(pattern, "only the last parameter may take the rest");
            ++parameters;
        }
        at = end;
    }
    if (parameters > parameters_max)
        refuse(pattern, "too many parameters");
}

task<> not_found(request&, response& res)
{
    co_await res.status(404).send("Not Found", "text/plain");
}

task<> unknown_method(request&, response& res)
{
    co_await res.status(501).send("Not Implemented", "text/plain");
}

task<> other_method(request& req, response& res, std::string allowed)
{
    bool asked = req.method() == method::options; // RFC 9110, 9.3.7
    res.header("Allow", allowed).status(asked ? 204 : 405);
    co_await res.send(asked ? "" : "Method Not Allowed",
                      asked ? media_type() : media_type("text/plain"));
}

} // namespace

router& router::add(http::method method, std::string_view pattern, handler answer)
{
    check(pattern, request::parameters_max);
    std::size_t literal = std::min(pattern.find('{'), pattern.size());
    routes_.push_back({method, std::string(pattern), literal, answer});
    return *this;
}

// Leaves the parameters in `req` when it matches.
inline bool router::matches(const route& one, std::string_view path, request& req) noexcept
{
    std::string_view pattern = one.pattern;
    if (one.literal == pattern.size()) [[likely]]
        return path == pattern;
    return matches_parameters(pattern, one.literal, path, req);
}

// As the parameters of a route that does not match are nobody's, they go.
bool router::matches_parameters(std::string_view pattern, std::size_t literal,
                                std::string_view path, request& req) noexcept
{
    bool found = takes_parameters(pattern, literal, path, req);
    if (!found)
        req.parameters_ = 0;
    return found;
}

bool router::takes_parameters(std::string_view pattern, std::size_t literal, std::string_view path,
                              request& req) noexcept
{
    if (!path.starts_with(pattern.substr(0, literal)))
        return false;
    pattern.remove_prefix(literal);
    path.remove_prefix(literal);
    req.parameters_ = 0;
    while (!pattern.empty()) {
        if (!pattern.starts_with('{')) { // a literal run up to the next parameter
            std::string_view run = pattern.substr(0, pattern.find('{'));
            if (!path.starts_with(run))
                return false;
            pattern.remove_prefix(run.size());
            path.remove_prefix(run.size());
            continue;
        }
        std::size_t end = pattern.find('}');
        std::string_view name = pattern.substr(1, end - 1);
        pattern.remove_prefix(end + 1);
        bool takes_rest = name.ends_with("...");
        if (takes_rest)
            name.remove_suffix(3);
        std::string_view value = takes_rest ? path : path.substr(0, path.find('/'));
        if (value.empty() && !takes_rest)
            return false;
        path.remove_prefix(value.size());
        req.parameter_[req.parameters_++] = {name, value};
    }
    return path.empty();
}

const router::route* router::find(http::method asked, request& req) const noexcept
{
    std::string_view path = req.path();
    for (const route& one : routes_)
        if (one.method == asked && matches(one, path, req))
            return &one;
    // RFC 9110, 9.3.2: HEAD is GET without the content.
    return asked == method::head ? find(method::get, req) : nullptr;
}

std::string router::allowed(request& req) const
{
    std::string methods;
    auto add = [&methods](std::string_view name) {
        if (!methods.empty())
            methods += ", ";
        methods += name;
    };
    bool head = false;
    bool of_all = req.path() == "*"; // RFC 9110, 9.3.7
    for (const route& one : routes_) {
        std::string_view name = to_text(one.method);
        if ((of_all || matches(one, req.path(), req)) && methods.find(name) == methods.npos) {
            add(name);
            head |= one.method == method::get;
        }
    }
    if (head && methods.find("HEAD") == methods.npos)
        add("HEAD");
    return methods;
}

task<> router::route_request(request& req, response& res, const router& routes)
{
    if (const route* found = routes.find(req.method(), req)) [[likely]]
        return found->answer(req, res);
    if (req.method() == method::other) // RFC 9110, 9.1
        return unknown_method(req, res);
    std::string allowed = routes.allowed(req);
    return allowed.empty() ? not_found(req, res) : other_method(req, res, std::move(allowed));
}

} // namespace vk::http
