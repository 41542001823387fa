"""Runs a command where every packet that leaves the machine is caught: in a network of its own, with one way out.

Started by `unshare --user --map-root-user --net --mount`. Prints as JSON the command's exit code, where its packets
were bound to, and where those of a connection that this program tries itself, which must be seen.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Thread

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
OWN, ELSEWHERE, NAMESERVER = "10.9.9.1", "192.0.2.1", "192.0.2.53"


def way_out() -> int:
    """A device that all packets to other machines go to, and that nothing comes back from."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", b"out", IFF_TUN | IFF_NO_PI))
    Path("/proc/sys/net/ipv6/conf/out/disable_ipv6").write_text("1")  # the kernel itself would send
    for words in (
        "link set lo up",
        f"addr add {OWN}/24 dev out",
        "link set out up",
        "route add default dev out",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(f"nameserver {NAMESERVER}\n")
    subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
    return device


def listen(device: int, bound_to: list[str]) -> None:
    while packet := os.read(device, 65536):
        bound_to.append(destination(packet))


def destination(packet: bytes) -> str:
    """Of an IPv4 packet: the address and port, or the name that it asks for."""
    address, header = socket.inet_ntoa(packet[16:20]), 4 * (packet[0] & 0x0F)
    port = int.from_bytes(packet[header + 2 : header + 4])
    if (packet[9], port) != (socket.IPPROTO_UDP, 53):
        return f"{address}:{port}"
    name, place = [], header + 8 + 12
    while length := packet[place]:
        name.append(packet[place + 1 : place + 1 + length].decode())
        place += 1 + length
    return ".".join(name)


def main() -> None:
    bound_to: list[str] = []
    Thread(target=listen, args=(way_out(), bound_to), daemon=True).start()
    with contextlib.suppress(TimeoutError):
        socket.create_connection((ELSEWHERE, 80), timeout=0.5)
    tried = list(bound_to)
    done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False)
    print(json.dumps({"code": done.returncode, "tried": tried, "seen": bound_to[len(tried) :]}))


if __name__ == "__main__":
    main()
