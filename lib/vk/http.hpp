#pragma once

// http: everything an HTTP server needs.

#include "vk/gateway/http1/client.hpp"
#include "vk/gateway/http1/error.hpp"
#include "vk/gateway/http1/files.hpp"
#include "vk/gateway/http1/proxy.hpp"
#include "vk/gateway/http1/request.hpp"
#include "vk/gateway/http1/response.hpp"
#include "vk/gateway/http1/router.hpp"
#include "vk/gateway/http1/server.hpp"
#include "vk/gateway/http1/settings.hpp"
#include "vk/gateway/http1/uri.hpp"
#include "vk/vk.hpp"
