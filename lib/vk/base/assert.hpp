#pragma once

// Assertions tell the caller's bug from the library's own.
//
// VK_REQUIRE: the caller broke a documented rule. VK_ASSERT: the library broke its own invariant. Both stay
// on in every build type: they guard places where going on would corrupt memory. VK_DEBUG_ASSERT is for
// checks too dear for a hot path and is compiled out with NDEBUG.

namespace vk {

enum class blame { caller, library };

/// Print who is to blame, what was expected and where, then abort().
[[noreturn, gnu::cold]] void assertion_failed(blame who, const char* expression, const char* file,
                                              int line) noexcept;

} // namespace vk

#define VK_CHECK_(who, condition)                                                                  \
    (static_cast<bool>(condition)                                                                  \
         ? static_cast<void>(0)                                                                    \
         : ::vk::assertion_failed(::vk::blame::who, #condition, __FILE__, __LINE__))

#define VK_REQUIRE(condition) VK_CHECK_(caller, condition)
#define VK_ASSERT(condition) VK_CHECK_(library, condition)

#ifdef NDEBUG
#define VK_DEBUG_ASSERT(condition) static_cast<void>(0)
#else
#define VK_DEBUG_ASSERT(condition) VK_CHECK_(library, condition)
#endif
