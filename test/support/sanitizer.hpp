#pragma once

// sanitizer: whether AddressSanitizer watches, which compilers tell in two ways.

#if defined(__SANITIZE_ADDRESS__)
#define VK_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VK_ADDRESS_SANITIZER 1
#endif
#endif

#ifndef VK_ADDRESS_SANITIZER
#define VK_ADDRESS_SANITIZER 0
#endif
