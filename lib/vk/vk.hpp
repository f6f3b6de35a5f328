#pragma once

// vk: everything a service needs. Each header also compiles alone, for who wants less.

#include "vk/base/error.hpp"
#include "vk/base/gate.hpp"
#include "vk/base/log.hpp"
#include "vk/base/refused_call.hpp"
#include "vk/coroutine/awaitable.hpp"
#include "vk/coroutine/task.hpp"
#include "vk/io/socket.hpp"
#include "vk/kernel/kernel.hpp"
#include "vk/memory/heap_resource.hpp"
#include "vk/proc/alone.hpp"
#include "vk/proc/run_local.hpp"
#include "vk/proc/spawn.hpp"
#include "vk/proc/yield.hpp"
#include "vk/service/outgoing.hpp"
#include "vk/service/run.hpp"
#include "vk/service/server.hpp"
#include "vk/service/service.hpp"
