"""Keeps Python processes of a test run from what the run did not start: the demo, services of the machine, other hosts.

Python loads this file at its start in each process whose PYTHONPATH names the folder. Whoever else is asked for seems not to be
there: a connection is refused, a name is unknown. Own are ports and folders that `SITHS_TEST_OWN` lists, ports that the kernel
hands out (no setting names one by default), and the folders for temporary files.
"""

import os
import sys

OWN = "SITHS_TEST_OWN"
"""Ranges of ports and folders of unix sockets, as `22160-22319,/run/x`."""
KERNELS = range(32768, 65536)  # /proc/sys/net/ipv4/ip_local_port_range


def _own() -> list[str]:
    return [each for each in os.environ.get(OWN, "").split(",") if each]


def is_own_port(port: int) -> bool:
    """Whether this run may have started whoever listens on the port."""
    ranges = (each.split("-") for each in _own() if not each.startswith("/"))
    return port in KERNELS or any(int(first) <= port <= int(last) for first, last in ranges)


def _is_own_path(path: str) -> bool:
    # Abstract names are of this run's processes, and what is not there answers nobody.
    if path.startswith("\0") or not os.access(path, os.F_OK):
        return True
    folders = [each for each in _own() if each.startswith("/")] + [os.environ.get("TMPDIR", "/tmp"), "/dev/shm"]
    return any(os.path.realpath(path).startswith(f"{os.path.realpath(folder)}/") for folder in folders)


def _is_loopback(host: str) -> bool:
    return host in ("", "localhost", "::1", "::ffff:127.0.0.1") or host.startswith("127.")


def _may_connect(family: int, address: object) -> bool:
    import socket

    if family == socket.AF_UNIX:
        return _is_own_path(os.fsdecode(address))  # type: ignore[arg-type]
    if family in (socket.AF_INET, socket.AF_INET6):
        host, port = address[:2]  # type: ignore[index]
        return _is_loopback(host) and is_own_port(port)
    return True  # within this process and its kernel


def _is_name_of_another(host: str | bytes | None) -> bool:
    name = host.decode(errors="replace") if isinstance(host, bytes) else host or ""
    is_number = ":" in name or name.replace(".", "").isdigit()
    return not (is_number or _is_loopback(name) or name.endswith(".localhost") or name == os.uname().nodename)


def _watch(event: str, arguments: tuple) -> None:
    if event in ("socket.connect", "socket.sendto"):
        if not _may_connect(arguments[0].family, arguments[1]):
            raise ConnectionRefusedError(111, f"tests reach only what they started, not {arguments[1]!r}")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and _is_name_of_another(arguments[0]):
        import socket

        raise socket.gaierror(socket.EAI_NONAME, f"tests reach only what they started, not {arguments[0]!r}")


sys.addaudithook(_watch)
