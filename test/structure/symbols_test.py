"""symbols.py sees a planted system call and a planted export, and lets pass what is right."""

import unittest

import symbols

ARCHIVE = """
libmnvkd.a[socket.cpp.o]:
_ZN2vk6socket4readEv T 0 10
_ZNK2vk4ring4sizeEv W 0 10
_ZNSt6vectorIiSaIiEE9push_backEOi W 0 10
_ZTIN2vk5errorE V 0 10
_ZGVZN2vk4nameEvE4text B 0 8
_ZN2vk2os5closeEi U
memcpy U
"""


class Symbols(unittest.TestCase):
    def test_what_is_right_passes(self):
        self.assertEqual(symbols.system_calls(ARCHIVE), [])
        self.assertEqual(symbols.foreign_exports(ARCHIVE, shared=False), [])

    def test_a_system_call_is_seen(self):
        self.assertEqual(symbols.system_calls(ARCHIVE + "__read_chk U\nclose U\nmmap64 U\n"),
                         ["__read_chk", "close", "mmap64"])

    def test_the_log_may_write_and_what_follows_it_may_not(self):
        log = "libvk-core.a[vk_base_log.cpp.o]:\nfopen U\n"
        self.assertEqual(symbols.system_calls(ARCHIVE + log), [])
        self.assertEqual(symbols.system_calls(log + ARCHIVE + "close U\n"), ["close"])

    def test_a_versioned_system_call_is_seen(self):
        self.assertEqual(symbols.system_calls("writev@GLIBC_2.2.5 U\n"), ["writev"])

    def test_a_function_of_no_namespace_is_seen(self):
        self.assertEqual(symbols.foreign_exports(ARCHIVE + "helper T 0 4\n", shared=False), ["helper"])

    def test_a_name_that_only_begins_like_ours_is_seen(self):
        self.assertEqual(symbols.foreign_exports("_ZN3vkx1fEv T 0 4\n", shared=False), ["_ZN3vkx1fEv"])

    def test_a_shared_library_shows_no_template_of_others(self):
        self.assertEqual(symbols.foreign_exports(ARCHIVE, shared=True), ["_ZNSt6vectorIiSaIiEE9push_backEOi"])


if __name__ == "__main__":
    unittest.main()
