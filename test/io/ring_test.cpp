#include "support/catch.hpp"
#include "support/random.hpp"

#include <vk/io/ring.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

using vk::ring;

namespace {

std::string full_of(const ring& from)
{
    iovec parts[2];
    int count = from.full_parts(parts);
    std::string all;
    for (int part = 0; part < count; ++part)
        all.append(static_cast<const char*>(parts[part].iov_base), parts[part].iov_len);
    return all;
}

std::size_t write(ring& to, std::string_view text)
{
    return to.write(text.data(), text.size());
}

std::string read(ring& from, std::size_t bytes)
{
    std::string text(bytes, '?');
    text.resize(from.read(text.data(), bytes));
    return text;
}

} // namespace

TEST_CASE("a ring without storage is empty and has no room")
{
    ring r;
    CHECK_FALSE(r.attached());
    CHECK(r.capacity() == 0);
    CHECK(r.size() == 0);
    CHECK(r.used() == 0);
    CHECK(r.room() == 0);
    CHECK(r.find_line() == 0);
    CHECK(read(r, 4).empty());
    CHECK(write(r, "") == 0);
    CHECK_FALSE(r.holds());
    iovec parts[2];
    CHECK(r.full_parts(parts) == 0);
    CHECK(r.empty_parts(parts) == 0);
}

TEST_CASE("bytes come out in the order in which they went in")
{
    char storage[16];
    ring r;
    r.attach(storage, 16);
    CHECK(write(r, "hello ") == 6);
    CHECK(write(r, "ring") == 4);
    CHECK(r.size() == 10);
    CHECK(r.room() == 6);
    CHECK(read(r, 5) == "hello");
    CHECK(read(r, 100) == " ring");
    CHECK(r.size() == 0);
}

TEST_CASE("a ring takes as much as it has room for")
{
    char storage[8];
    ring r;
    r.attach(storage, 8);
    CHECK(write(r, "0123456789") == 8);
    CHECK(r.room() == 0);
    CHECK(write(r, "x") == 0);
    CHECK(read(r, 3) == "012");
    CHECK(write(r, "abcdef") == 3);
    CHECK(full_of(r) == "34567abc");
}

TEST_CASE("what wraps is two parts, in order")
{
    char storage[8];
    ring r;
    r.attach(storage, 8);
    write(r, "012345");
    r.consume(4);
    write(r, "abcd");
    iovec parts[2];
    REQUIRE(r.full_parts(parts) == 2);
    CHECK(std::string_view(static_cast<char*>(parts[0].iov_base), parts[0].iov_len) == "45ab");
    CHECK(std::string_view(static_cast<char*>(parts[1].iov_base), parts[1].iov_len) == "cd");
    CHECK(r.front() == "45ab");
    REQUIRE(r.empty_parts(parts) == 1);
    CHECK(parts[0].iov_base == storage + 2);
    CHECK(parts[0].iov_len == 2);
    CHECK(r.back().size() == 2);
    CHECK(read(r, 6) == "45abcd");
}

TEST_CASE("the room that wraps is two parts")
{
    char storage[8];
    ring r;
    r.attach(storage, 8);
    write(r, "0123");
    r.consume(2);
    iovec parts[2];
    REQUIRE(r.empty_parts(parts) == 2);
    CHECK(parts[0].iov_base == storage + 4);
    CHECK(parts[0].iov_len == 4);
    CHECK(parts[1].iov_base == storage);
    CHECK(parts[1].iov_len == 2);
}

TEST_CASE("a ring that was emptied starts over, so that small traffic never wraps")
{
    char storage[16];
    ring r;
    r.attach(storage, 16);
    for (int i = 0; i < 100; ++i) {
        CHECK(r.back().data() == storage);
        CHECK(r.back().size() == 16);
        write(r, "0123456789");
        CHECK(r.front() == "0123456789");
        r.consume(10);
    }
    CHECK(r.detach() == 10);
}

// --- lines ---------------------------------------------------------------------------------------------

TEST_CASE("a line is found when its newline has come, not before")
{
    char storage[16];
    ring r;
    r.attach(storage, 16);
    write(r, "ab");
    CHECK(r.find_line() == 0);
    CHECK(r.find_line() == 0);
    write(r, "c");
    CHECK(r.find_line() == 0);
    write(r, "\nd\n");
    CHECK(r.find_line() == 4);
    CHECK(r.find_line() == 4); // it is still there
    r.consume(4);
    CHECK(r.find_line() == 2);
    r.consume(2);
    CHECK(r.find_line() == 0);
    write(r, "\n\n");
    CHECK(r.find_line() == 1);
}

TEST_CASE("a line that wraps is found, wherever its newline lies")
{
    for (std::size_t start = 0; start < 8; ++start) {
        for (std::size_t length = 1; length <= 8; ++length) {
            char storage[8];
            ring r;
            r.attach(storage, 8);
            // Move the head to `start` without emptying the ring.
            std::size_t kept = start > 0;
            write(r, std::string(start + kept, '.'));
            r.consume(start);
            std::string line(length - 1, 'x');
            line += '\n';
            if (kept + length > 8)
                continue;
            write(r, line);
            if (kept) {
                CHECK(r.find_line() == length + 1);
                r.consume(1);
            }
            CHECK(r.find_line() == length);
            CHECK(r.hold(length) == line);
            r.release();
        }
    }
}

TEST_CASE("bytes that were scanned are not scanned again, nor skipped when others go")
{
    char storage[32];
    ring r;
    r.attach(storage, 32);
    write(r, "0123456789");
    CHECK(r.find_line() == 0);
    r.consume(4);
    CHECK(r.find_line() == 0);
    write(r, "\n");
    CHECK(r.find_line() == 7);
    // Proof that the first ones are not looked at: a newline put there behind the ring's back.
    char other[32];
    ring s;
    s.attach(other, 32);
    write(s, "abcdef");
    CHECK(s.find_line() == 0);
    other[2] = '\n';
    CHECK(s.find_line() == 0);
    write(s, "gh\n");
    CHECK(s.find_line() == 9);
}

// --- holding -------------------------------------------------------------------------------------------

TEST_CASE("what is held stays in place while more is written, until it is released")
{
    char storage[16];
    ring r;
    r.attach(storage, 16);
    write(r, "line\nrest");
    std::string_view line = r.hold(5);
    CHECK(line == "line\n");
    CHECK(line.data() == storage);
    CHECK(r.holds());
    CHECK(r.size() == 4);
    CHECK(r.used() == 9);
    CHECK(r.room() == 7);
    CHECK(write(r, "0123456789") == 7); // not over what is held
    CHECK(line == "line\n");
    CHECK(full_of(r) == "rest0123456");
    r.release();
    CHECK_FALSE(r.holds());
    CHECK(r.room() == 5);
    CHECK(full_of(r) == "rest0123456");
}

TEST_CASE("a line that wraps is made contiguous to be held, and the rest stays in order")
{
    char storage[8];
    ring r;
    r.attach(storage, 8);
    write(r, "......ab");
    r.consume(6);
    write(r, "c\nxyz");
    CHECK(r.front() == "ab");
    std::string_view line = r.hold(4);
    CHECK(line == "abc\n");
    CHECK(full_of(r) == "xyz");
    r.release();
    CHECK(read(r, 3) == "xyz");
    CHECK(r.used() == 0);
}

TEST_CASE("holding all and releasing it empties the ring")
{
    char storage[8];
    ring r;
    r.attach(storage, 8);
    write(r, "12345678");
    r.hold(8);
    CHECK(r.size() == 0);
    CHECK(r.room() == 0);
    r.release();
    CHECK(r.used() == 0);
    CHECK(r.back().data() == storage);
    CHECK(r.back().size() == 8);
}

TEST_CASE("the line after a held one is found, and releasing the first does not hide it")
{
    char storage[16];
    ring r;
    r.attach(storage, 16);
    write(r, "a\nbb\nccc");
    CHECK(r.find_line() == 2);
    r.hold(2);
    CHECK(r.find_line() == 3);
    r.release();
    CHECK(r.find_line() == 3);
    r.hold(3);
    CHECK(r.find_line() == 0);
    r.release();
    write(r, "\n");
    CHECK(r.find_line() == 4);
}

// --- storage -------------------------------------------------------------------------------------------

TEST_CASE("a ring that moves to larger storage takes its bytes along, in order")
{
    char small[8];
    char large[16];
    ring r;
    r.attach(small, 8);
    write(r, "......ab");
    r.consume(6);
    write(r, "cd\nefg");
    CHECK(r.find_line() == 5);
    r.attach(large, 16);
    CHECK(r.data() == large);
    CHECK(r.capacity() == 16);
    CHECK(r.room() == 8);
    CHECK(r.front() == "abcd\nefg"); // in one piece
    CHECK(r.find_line() == 5);
    r.consume(8);
    CHECK(r.detach() == 8);
    CHECK_FALSE(r.attached());
}

TEST_CASE("moving does not make a ring forget what it scanned")
{
    char small[8];
    char large[16];
    ring r;
    r.attach(small, 8);
    write(r, "..abcdef");
    r.consume(2);
    CHECK(r.find_line() == 0);
    r.attach(large, 16);
    CHECK(r.find_line() == 0);
    write(r, "g\n");
    CHECK(r.find_line() == 8);
}

TEST_CASE("detaching says how many of the first bytes were ever written")
{
    char storage[16];
    ring r;
    r.attach(storage, 16);
    CHECK(r.detach() == 0);

    r.attach(storage, 16);
    write(r, "0123456789");
    r.consume(10);
    write(r, "01");
    r.consume(2);
    CHECK(r.detach() == 10);

    r.attach(storage, 16);
    write(r, "0123456789");
    r.consume(5);
    write(r, "0123456789"); // wraps
    r.consume(15);
    CHECK(r.detach() == 16);

    r.attach(storage, 16);
    write(r, "0123456789ab");
    r.consume(10);
    write(r, "cd\nxyz");
    r.hold(5); // wrapped, so it is rotated: the whole storage was written
    r.release();
    r.consume(r.size());
    CHECK(r.detach() == 16);
}

TEST_CASE("two rings exchange all they have")
{
    char one[8];
    char two[16];
    ring a;
    ring b;
    a.attach(one, 8);
    b.attach(two, 16);
    write(a, "abc");
    write(b, "line\nmore");
    b.hold(5);
    a.swap(b);
    CHECK(a.capacity() == 16);
    CHECK(a.holds());
    CHECK(full_of(a) == "more");
    CHECK(b.capacity() == 8);
    CHECK(full_of(b) == "abc");
    a.release();
    CHECK(full_of(a) == "more");
    a.consume(4);
    b.consume(3);
    CHECK(a.detach() == 9);
    CHECK(b.detach() == 3);

    ring c;
    ring d;
    c.attach(one, 8);
    c.swap(d);
    CHECK_FALSE(c.attached());
    CHECK(d.attached());
}

TEST_CASE("a ring goes on when its positions have run through four gigabytes")
{
    // Never empty, so that it never starts over.
    constexpr std::size_t capacity = 64 * 1024;
    auto storage = std::make_unique<char[]>(capacity);
    ring r;
    r.attach(storage.get(), capacity);
    write(r, "seven..");
    constexpr std::size_t step = 60 * 1024;
    std::uint64_t through = 7;
    while (through < (std::uint64_t{1} << 32) - 2 * step) {
        r.commit(step);
        r.consume(step);
        through += step;
    }
    // From here on, across the end of 32 bits, with real bytes.
    std::deque<char> model;
    r.consume(r.size() - 1);
    model.push_back(r.front()[0]);
    vk::test::dice dice(vk::test::seed());
    for (int i = 0; i < 400; ++i) {
        std::string text(dice.below(2000), static_cast<char>('a' + i % 26));
        if (!text.empty() && i % 3 == 0)
            text.back() = '\n';
        REQUIRE(write(r, text) == text.size());
        model.insert(model.end(), text.begin(), text.end());
        std::size_t line = 0;
        auto newline = std::find(model.begin(), model.end(), '\n');
        if (newline != model.end())
            line = static_cast<std::size_t>(newline - model.begin()) + 1;
        REQUIRE(r.find_line() == line);
        REQUIRE(r.size() == model.size());
        REQUIRE(full_of(r) == std::string(model.begin(), model.end()));
        if (line > 0 && line < model.size() && i % 2 == 0) {
            REQUIRE(r.hold(line) ==
                    std::string(model.begin(), model.begin() + static_cast<long>(line)));
            r.release();
            model.erase(model.begin(), model.begin() + static_cast<long>(line));
        }
        while (model.size() > 40'000) {
            r.consume(1000);
            model.erase(model.begin(), model.begin() + 1000);
        }
        REQUIRE_FALSE(model.empty());
    }
    r.consume(r.size());
    CHECK(r.detach() == capacity);
}

// --- against a model -----------------------------------------------------------------------------------

namespace {

// What a ring is to be, with as little cleverness as possible.
struct model {
    std::deque<char> readable;
    std::string held;            // what the reader was given,
    std::string_view held_bytes; // and where it is
    std::vector<char> storage;   // of the present attachment; empty when there is none
    std::size_t capacity() const { return storage.size(); }
};

struct ring_and_model {
    ring real;
    model wanted;

    // The storage is all zero at first and only other bytes are written, so that what was touched shows.
    void attach(std::size_t bytes)
    {
        std::vector<char> fresh(bytes, '\0');
        real.attach(fresh.data(), bytes);
        wanted.storage.swap(fresh); // the old storage lives until here
    }

    void detach()
    {
        std::size_t touched = real.detach();
        REQUIRE(touched <= wanted.capacity());
        REQUIRE(std::all_of(wanted.storage.begin() + static_cast<long>(touched),
                            wanted.storage.end(), [](char c) { return c == '\0'; }));
        wanted.storage.clear();
    }

    void check() const
    {
        std::size_t size = wanted.readable.size();
        std::size_t used = size + wanted.held.size();
        REQUIRE(real.attached() == (wanted.capacity() != 0));
        REQUIRE(real.capacity() == wanted.capacity());
        REQUIRE(real.size() == size);
        REQUIRE(real.used() == used);
        REQUIRE(real.room() == wanted.capacity() - used);
        REQUIRE(real.holds() == !wanted.held.empty());
        REQUIRE(wanted.held_bytes == wanted.held);
        check_parts();
    }

    // The parts are what they say, and full, empty and held bytes make up the storage.
    void check_parts() const
    {
        iovec full[2];
        iovec empty[2];
        int fulls = real.full_parts(full);
        int empties = real.empty_parts(empty);
        std::vector<char> seen(wanted.capacity(), 0);
        std::size_t outside = 0;
        std::size_t vain = 0; // parts without bytes
        auto mark = [&](const void* at, std::size_t bytes) {
            auto* first = static_cast<const char*>(at);
            for (std::size_t i = 0; i < bytes; ++i) {
                auto offset = static_cast<std::size_t>(first + i - wanted.storage.data());
                if (offset < seen.size())
                    ++seen[offset];
                else
                    ++outside;
            }
        };
        std::string content;
        for (int part = 0; part < fulls; ++part) {
            vain += full[part].iov_len == 0;
            mark(full[part].iov_base, full[part].iov_len);
            content.append(static_cast<const char*>(full[part].iov_base), full[part].iov_len);
        }
        for (int part = 0; part < empties; ++part) {
            vain += empty[part].iov_len == 0;
            mark(empty[part].iov_base, empty[part].iov_len);
        }
        mark(wanted.held_bytes.data(), wanted.held_bytes.size());
        REQUIRE(vain == 0);
        REQUIRE(outside == 0);
        REQUIRE(std::all_of(seen.begin(), seen.end(), [](char times) { return times == 1; }));
        REQUIRE(std::equal(content.begin(), content.end(), wanted.readable.begin(),
                           wanted.readable.end()));

        REQUIRE(real.front().size() == (fulls ? full[0].iov_len : 0));
        REQUIRE(real.back().size() == (empties ? empty[0].iov_len : 0));
        if (real.used() == 0 && real.attached()) // it starts over
            REQUIRE(real.back().data() == wanted.storage.data());
    }
};

class walk {
public:
    explicit walk(std::uint64_t seed) : dice_(seed) {}

    void step()
    {
        ring_and_model& on = pair_[dice_.below(2)];
        model& m = on.wanted;
        switch (dice_.below(12)) {
        case 0:
        case 1:
            write(on);
            break;
        case 2:
            write_parts(on);
            break;
        case 3:
            write_back(on);
            break;
        case 4:
        case 5:
            if (!on.real.holds())
                read(on);
            break;
        case 6:
            if (!on.real.holds()) {
                std::size_t bytes = dice_.below(m.readable.size() + 1);
                on.real.consume(bytes);
                m.readable.erase(m.readable.begin(), m.readable.begin() + static_cast<long>(bytes));
            }
            break;
        case 7:
        case 8:
            find(on);
            break;
        case 9:
            hold_or_release(on);
            break;
        case 10:
            change_storage(on);
            break;
        default:
            if (dice_.chance(0.1)) {
                pair_[0].real.swap(pair_[1].real);
                std::swap(pair_[0].wanted, pair_[1].wanted);
                ++swaps;
            }
        }
        pair_[0].check();
        pair_[1].check();
    }

    std::size_t wrapped_lines = 0;
    std::size_t grown = 0;
    std::size_t swaps = 0;
    std::size_t detached = 0;
    std::size_t refused = 0;
    std::size_t put_back = 0;

private:
    std::string some_text(std::size_t most)
    {
        std::string text(dice_.below(most + 1), '\0');
        for (char& c : text)
            c = dice_.chance(0.04) ? '\n' : static_cast<char>('a' + dice_.below(26));
        return text;
    }

    void write(ring_and_model& on)
    {
        std::string text = some_text(on.wanted.capacity());
        std::size_t taken = on.real.write(text.data(), text.size());
        std::size_t room = on.wanted.capacity() - on.wanted.readable.size() - on.wanted.held.size();
        refused += taken < text.size();
        REQUIRE(taken == std::min(text.size(), room));
        append(on, std::string_view(text).substr(0, taken));
    }

    void write_parts(ring_and_model& on)
    {
        iovec parts[2];
        int count = on.real.empty_parts(parts);
        std::string text = some_text(on.real.room());
        std::size_t done = 0;
        for (int part = 0; part < count && done < text.size(); ++part) {
            std::size_t now = std::min(parts[part].iov_len, text.size() - done);
            std::memcpy(parts[part].iov_base, text.data() + done, now);
            done += now;
        }
        on.real.commit(done);
        append(on, text);
    }

    void write_back(ring_and_model& on)
    {
        std::span<char> back = on.real.back();
        std::string text = some_text(back.size());
        std::copy(text.begin(), text.end(), back.begin());
        on.real.commit(text.size());
        append(on, text);
    }

    static void append(ring_and_model& on, std::string_view text)
    {
        on.wanted.readable.insert(on.wanted.readable.end(), text.begin(), text.end());
    }

    void read(ring_and_model& on)
    {
        std::deque<char>& readable = on.wanted.readable;
        std::string text(dice_.below(on.wanted.capacity() + 2), '?');
        std::size_t got = on.real.read(text.data(), text.size());
        REQUIRE(got == std::min(text.size(), readable.size()));
        REQUIRE(std::equal(text.begin(), text.begin() + static_cast<long>(got), readable.begin()));
        readable.erase(readable.begin(), readable.begin() + static_cast<long>(got));
        if (dice_.chance(0.2)) {
            std::size_t kept = dice_.below(got + 1);
            on.real.put_back(std::string_view(text).substr(kept, got - kept));
            readable.insert(readable.begin(), text.begin() + static_cast<long>(kept),
                            text.begin() + static_cast<long>(got));
            put_back += kept < got;
        }
    }

    void find(ring_and_model& on)
    {
        std::deque<char>& readable = on.wanted.readable;
        auto newline = std::find(readable.begin(), readable.end(), '\n');
        std::size_t line = newline == readable.end()
                               ? 0
                               : static_cast<std::size_t>(newline - readable.begin()) + 1;
        REQUIRE(on.real.find_line() == line);
        if (line > 0 && !on.real.holds())
            hold(on, line);
    }

    void hold_or_release(ring_and_model& on)
    {
        if (on.real.holds()) {
            on.real.release();
            on.wanted.held.clear();
            on.wanted.held_bytes = {};
        } else if (!on.wanted.readable.empty()) {
            hold(on, 1 + dice_.below(on.wanted.readable.size()));
        }
    }

    void hold(ring_and_model& on, std::size_t bytes)
    {
        wrapped_lines += on.real.front().size() < bytes;
        on.wanted.held_bytes = on.real.hold(bytes);
        auto end = on.wanted.readable.begin() + static_cast<long>(bytes);
        on.wanted.held.assign(on.wanted.readable.begin(), end);
        on.wanted.readable.erase(on.wanted.readable.begin(), end);
    }

    void change_storage(ring_and_model& on)
    {
        if (on.real.holds())
            return;
        if (!on.real.attached()) {
            on.attach(std::size_t{8} << dice_.below(5));
        } else if (on.real.used() == 0) {
            on.detach();
            ++detached;
        } else if (on.real.capacity() < 512 && dice_.chance(0.2)) {
            on.attach(2 * on.real.capacity());
            ++grown;
        }
    }

    vk::test::dice dice_;
    ring_and_model pair_[2];
};

} // namespace

TEST_CASE("random operations on two rings match a model", "[property]")
{
    const std::uint64_t seed = vk::test::seed();
    INFO("VK_SEED=" << seed);
    walk walking(seed);
    for (int step = 0; step < 100'000; ++step) {
        walking.step();
    }
    // The walk went where it matters.
    CHECK(walking.wrapped_lines > 100);
    CHECK(walking.grown > 50);
    CHECK(walking.swaps > 100);
    CHECK(walking.detached > 100);
    CHECK(walking.refused > 1000);
    CHECK(walking.put_back > 400);
}
