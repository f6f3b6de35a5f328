"""layers.py sees each kind of violation when one is planted, and nothing in sources that are right."""

import tempfile
import unittest
from pathlib import Path

import layers


def violations(**files):
    """What layers.py says of a tree with these files: `io_ring_hpp=TEXT` is lib/vk/io/ring.hpp."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for key, text in files.items():
            *path, stem, suffix = key.split("_")
            file = root.joinpath("lib/vk", *path, f"{stem}.{suffix}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return layers.check_tree(root)[1]


class Layers(unittest.TestCase):
    def says(self, lines, *parts):
        self.assertEqual(len(lines), 1, lines)
        for part in parts:
            self.assertIn(part, lines[0])

    def test_own_layer_and_those_to_the_left_are_fine(self):
        self.assertEqual(violations(io_ring_hpp='#include "vk/io/pipe.hpp"\n#include "vk/base/log.hpp"\n'), [])

    def test_a_layer_to_the_right_is_not(self):
        lines = violations(proc_thread_hpp='#pragma once\n\n#include "vk/io/ring.hpp"\n')
        self.says(lines, "lib/vk/proc/thread.hpp:3", "io lies to the right of proc")

    def test_a_driver_in_a_folder_of_its_layer_belongs_to_that_layer(self):
        self.assertEqual(violations(kernel_poller_epoll_cpp='#include "vk/kernel/fd.hpp"\n'), [])
        self.says(violations(kernel_poller_epoll_cpp='#include "vk/service/server.hpp"\n'), "service", "kernel")

    def test_the_umbrella_takes_all_and_is_taken_by_none(self):
        self.assertEqual(violations(vk_hpp='#include "vk/service/server.hpp"\n'), [])
        self.says(violations(io_ring_cpp='#include "vk/vk.hpp"\n'), "include what is used")

    def test_an_unknown_layer_is_named(self):
        self.says(violations(extra_thing_hpp="\n"), "lib/vk/extra is no known layer")
        self.says(violations(io_ring_hpp='#include "vk/extra/thing.hpp"\n'), "no known layer")

    def test_includes_carry_the_path(self):
        self.says(violations(io_ring_cpp='#include "ring.hpp"\n'), "does not carry its path")
        self.says(violations(io_ring_cpp="#include <vk/io/ring.hpp>\n"), "the user's way")

    def test_spdlog_is_for_base_alone(self):
        self.assertEqual(violations(base_log_cpp="#include <spdlog/spdlog.h>\n"), [])
        self.says(violations(kernel_kernel_cpp="#include <spdlog/spdlog.h>\n"), "spdlog is for vk/base alone")

    def test_system_call_headers_are_for_os_alone(self):
        self.assertEqual(violations(base_os_cpp="#include <sys/mman.h>\n#include <unistd.h>\n"), [])
        self.says(violations(memory_mapping_cpp="#include <sys/mman.h>\n"), "<sys/mman.h>", "vk::os")
        self.says(violations(base_log_cpp="#include <unistd.h>\n"), "<unistd.h>")

    def test_headers_needed_for_types_are_fine(self):
        self.assertEqual(violations(kernel_poller_epoll_cpp="#include <sys/epoll.h>\n#include <poll.h>\n"), [])

    def test_global_calls_are_for_os_alone(self):
        self.assertEqual(violations(base_os_cpp="int f()\n{\n    gate::pass through;\n    return ::close(3);\n}\n"), [])
        lines = violations(io_pipe_cpp="void f()\n{\n    ::close(3);\n}\n")
        self.says(lines, "lib/vk/io/pipe.cpp:3", "::close()")

    def test_a_call_that_the_gate_would_trap_is_seen(self):
        held = "int f()\n{\n    gate::pass through;\n    return ::close(3);\n}\n"
        forgotten = "int g()\n{\n    return ::dup(3);\n}\n"
        self.says(violations(base_uring_cpp=held + "\n" + forgotten), "lib/vk/base/uring.cpp:8", "::dup()", "gate::pass")
        ends = "void h()\n{\n    gate::open();\n    ::_exit(3);\n}\n"
        self.assertEqual(violations(base_os_cpp=held + ends, base_gate_cpp=forgotten), [])

    def test_qualified_calls_and_comments_are_fine(self):
        text = 'void f() { os::close(3); vk::os::read(1); } // ::close(3)\n/* ::read(1) */ auto s = "::open(2)";\n'
        self.assertEqual(violations(io_pipe_cpp=text + "void* g() { return ::new (p) int; }\n"), [])


if __name__ == "__main__":
    unittest.main()
