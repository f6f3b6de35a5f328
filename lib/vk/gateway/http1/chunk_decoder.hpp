#pragma once

// chunk_decoder: the chunked transfer coding (RFC 9112, 7.1), over any split of its bytes and without a buffer:
// it says which of the bytes at hand are framing and which are payload, and leaves them where they are.
//
//   chunked-body = *( size [ extensions ] CRLF data CRLF ) 1*"0" [ extensions ] CRLF *( trailer CRLF ) CRLF
//
// Extensions are ignored (7.1.1) and trailer fields are dropped (7.1.2), but their characters are checked and
// their bytes are bounded: a client must not make a server read much for little.

#include "vk/gateway/http1/bounds.hpp"
#include "vk/gateway/http1/refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vk::http {

class chunk_decoder {
public:
    struct step {
        enum outcome : std::uint8_t {
            more,   ///< there is payload: take it, then ask again
            need,   ///< all bytes were framing: drop them, then ask again when there are others
            done,   ///< the body has ended; what is behind `skip` is not its own
            refused ///< answer with `status` and close
        };

        std::size_t skip; ///< bytes of framing, to be dropped first
        std::size_t data; ///< bytes of payload behind them; > 0 with `more` alone
        outcome state;
        int status;
        const char* why;
    };

    /// What comes first in `bytes`, which begin behind the last call's `skip` and `data`. A caller who has no
    /// room for all of the payload passes fewer bytes.
    step next(std::string_view bytes, const bounds& limits) noexcept;

    bool done() const noexcept { return state_ == state::done; }

    /// The next body is another one.
    void reset() noexcept { *this = {}; }

private:
    enum class state : std::uint8_t {
        size_first,    // the first digit of a size
        size,          // another digit, or what follows the size
        extension_gap, // blanks before a ';'
        extension,     // up to the CR
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_first, // a trailer field, or the empty line
        trailer_name,
        trailer_value,
        trailer_lf,
        end_lf,
        done,
        refused,
    };

    const refusal* take(char c, const bounds& limits) noexcept;
    const refusal* take_digit(char c, const bounds& limits) noexcept;
    const refusal* take_behind_size(char c) noexcept;
    const refusal* take_line_end(const bounds& limits) noexcept;
    const refusal* take_trailer(char c) noexcept;
    const refusal* go_on(state next) noexcept;

    std::uint64_t left_ = 0;     ///< of the size or data of this chunk
    std::uint64_t total_ = 0;    ///< payload of all chunks, this one included
    std::uint32_t line_ = 0;     ///< bytes of this line of a size, or of all trailers
    std::uint32_t overhead_ = 0; ///< bytes of the lines of sizes, beyond what their chunks excuse
    const refusal* wrong_ = nullptr;
    state state_ = state::size_first;
};

} // namespace vk::http
