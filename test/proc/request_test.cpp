#include "support/catch.hpp"

#include <vk/proc/request.hpp>

#include <memory>

using vk::mailbox;
using vk::ready;
using vk::request;

TEST_CASE("readiness is a set of bits")
{
    CHECK_FALSE(any(ready::none));
    CHECK(any(ready::in));
    CHECK((ready::in | ready::out) != ready::in);
    CHECK(any((ready::in | ready::out) & ready::out));
    CHECK_FALSE(any((ready::in | ready::out) & ready::hang_up));
    ready bits = ready::none;
    bits |= ready::failed;
    CHECK(bits == ready::failed);
}

TEST_CASE("requests are read in the order in which they were left, with their sender")
{
    auto box = std::make_unique<mailbox>();
    CHECK(box->begin() == box->end());
    box->set_sender(7);
    CHECK(box->leave({request::verb::watch, ready::in, 3}));
    box->set_sender(8);
    CHECK(box->leave({request::verb::close, ready::none, 4}));

    const request* at = box->begin();
    REQUIRE(box->end() - at == 2);
    CHECK(at[0].what_to_do == request::verb::watch);
    CHECK(at[0].fd == 3);
    CHECK(at[0].interest == ready::in);
    CHECK(at[0].process == 7);
    CHECK(at[1].what_to_do == request::verb::close);
    CHECK(at[1].process == 8);
}

TEST_CASE("a mailbox that is full refuses, keeps what it has, and takes more when it was emptied")
{
    auto box = std::make_unique<mailbox>();
    for (std::size_t i = 0; i < vk::limits::batch_requests_max; ++i) {
        REQUIRE_FALSE(box->full());
        REQUIRE(box->leave({request::verb::watch, ready::in, static_cast<int>(i)}));
    }
    CHECK(box->full());
    CHECK_FALSE(box->leave({request::verb::close, ready::none, -2}));
    CHECK(static_cast<std::size_t>(box->end() - box->begin()) == vk::limits::batch_requests_max);
    CHECK((box->end() - 1)->what_to_do == request::verb::watch);

    box->clear();
    CHECK_FALSE(box->full());
    CHECK(box->leave({request::verb::close, ready::none, 5}));
    CHECK(box->begin()->fd == 5);
}

TEST_CASE("closing has room in a mailbox that is full, for each fd that there may be")
{
    auto box = std::make_unique<mailbox>(3);
    CHECK(box->leave({request::verb::close, ready::none, 1}));
    while (!box->full())
        REQUIRE(box->leave({request::verb::watch, ready::in, 9}));
    CHECK(static_cast<std::size_t>(box->end() - box->begin()) ==
          vk::limits::batch_requests_max + 1);
    CHECK(box->leave({request::verb::close, ready::none, 2}));
    CHECK(box->leave({request::verb::close, ready::none, 3}));
    CHECK_FALSE(box->leave({request::verb::adopt, ready::none, 4}));
    CHECK((box->end() - 1)->fd == 3);

    box->clear();
    CHECK(box->leave({request::verb::adopt, ready::none, 4}));
}
