"""Instructions that vk-http needs for a request, counted by valgrind's callgrind: in all, and by what needs them.

Usage: request_cost.py VK_HTTP. Sends the smallest request that is one, alone and 16 in flight, and prints a line for
each; status 1 when one needs more than its bound, 77 when there is no valgrind. System calls are not counted, only
what leads to them.
"""

import re
import signal
import socket
import subprocess
import sys

import callgrind

REQUEST = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n"
ANSWER_END = b"Hello, World!"

# Of each request, by how many are in flight: what gcc 12 makes at -O2, and a tenth more.
BOUNDS = {1: 3360, 16: 1210}

# The functions whose instructions count, with all that they call.
PARTS = {
    "all": "vk::kernel::run()",
    "parser": "vk::http::request_parser::parse_now*",
    "handler and response": "(anonymous namespace)::plaintext*",
    "response": "vk::http::response::send(*",
}


def ask(address, depth, batches):
    """Send batches of `depth` requests, each when the one before was answered."""
    with socket.create_connection(address, timeout=60) as client:
        for _ in range(batches):
            client.sendall(REQUEST * depth)
            got = b""
            while got.count(ANSWER_END) < depth:
                more = client.recv(1 << 16)
                if not more:
                    raise RuntimeError("the server closed the connection")
                got += more


def count(program, function, depth, batches):
    """The instructions within `function` while vk-http answers, for each request."""
    server = subprocess.Popen(
        callgrind.counting(function, program, "--listen", "127.0.0.1:0"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        host, port = re.search(r"listening on (.*):(\d+)", server.stdout.readline()).groups()
        ask((host, int(port)), depth, batches)
    finally:
        server.send_signal(signal.SIGTERM)
        said = server.communicate(timeout=60)[1]
    return callgrind.counted(said) / (depth * batches)


def main():
    if callgrind.is_missing():
        return callgrind.SKIPPED
    status = 0
    for depth, bound in BOUNDS.items():
        part = {name: count(sys.argv[1], function, depth, 4000 // depth)
                for name, function in PARTS.items()}
        handler = part["handler and response"] - part["response"]
        rest = part["all"] - part["parser"] - part["handler and response"]
        print(f"{depth} in flight: {part['all']:.0f} instructions a request (bound {bound}): "
              f"parser {part['parser']:.0f}, response {part['response']:.0f}, handler {handler:.0f}, "
              f"routes, connection, socket and kernel {rest:.0f}")
        if not 0 < part["all"] <= bound:
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
