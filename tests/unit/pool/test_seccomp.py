import ctypes
import errno
import os
import platform
import struct

import pytest

from worker.local.pool import seccomp

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2
PR_GET_DUMPABLE = 3
AF_VSOCK, AF_PACKET, AF_ALG, AF_BLUETOOTH = 40, 17, 38, 31
CLONE_NEWUSER, SIGCHLD, SIGTERM = 0x10000000, 17, 15
KEYS = seccomp.ARCHITECTURES.get(platform.machine())

pytestmark = pytest.mark.skipif(KEYS is None, reason="there is no filter for this kind of machine")


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def under_filter(number: int, *arguments: int) -> int:
    """Make a system call in a child that has the filter; return its error, 0 for success."""
    steps = seccomp.program()
    child = os.fork()
    if child == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        program = Program(len(steps) // 8, steps)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.byref(program)) != 0:
            os._exit(255)
        ctypes.set_errno(0)
        found = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
        os._exit(ctypes.get_errno() if found == -1 else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code != 255, "the kernel refused the filter"
    return code


def number_of(name: str) -> int:
    assert KEYS is not None
    table = {**seccomp.DENIED, **seccomp.ABSENT}
    number = table[name][KEYS.column]
    assert number is not None
    return number


def test_every_denied_call_is_not_permitted() -> None:
    assert KEYS is not None
    names = [name for name, numbers in seccomp.DENIED.items() if numbers[KEYS.column] is not None]
    found = {name: under_filter(number_of(name), 0, 0, 0, 0, 0, 0) for name in names}
    assert found == dict.fromkeys(names, errno.EPERM)


def test_calls_with_a_fallback_seem_not_to_exist() -> None:
    found = {name: under_filter(number_of(name), 0, 0, 0) for name in seccomp.ABSENT}
    assert found == dict.fromkeys(seccomp.ABSENT, errno.ENOSYS)


@pytest.mark.parametrize("family", [AF_VSOCK, AF_PACKET, AF_ALG, AF_BLUETOOTH, 0, 255, 1 << 20])
def test_other_socket_families_are_not_supported(family: int) -> None:
    assert KEYS is not None
    assert under_filter(KEYS.socket, family, 1, 0) == errno.EAFNOSUPPORT


@pytest.mark.parametrize("family", [seccomp.AF_UNIX, seccomp.AF_INET, seccomp.AF_NETLINK])
def test_local_sockets_and_route_queries_work(family: int) -> None:
    assert KEYS is not None
    assert under_filter(KEYS.socket, family, 2, 0) == 0


def test_other_netlink_protocols_are_not_supported() -> None:
    assert KEYS is not None
    for protocol in (9, 12, 15):
        assert under_filter(KEYS.socket, seccomp.AF_NETLINK, 2, protocol) == errno.EAFNOSUPPORT


def test_a_namespace_cannot_be_made_by_clone() -> None:
    assert KEYS is not None
    assert under_filter(KEYS.clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) == errno.EPERM


def test_the_kernels_debugger_cannot_be_opened_by_signal() -> None:
    assert KEYS is not None
    for target in (0, 1):
        assert under_filter(KEYS.kill, target, seccomp.SIGUSR1) == errno.EPERM
    assert under_filter(KEYS.kill, os.getpid(), 0) == 0


def test_a_process_cannot_take_back_that_it_dies_with_the_one_that_started_it() -> None:
    assert KEYS is not None
    assert under_filter(KEYS.prctl, seccomp.PR_SET_PDEATHSIG, 0) == errno.EPERM
    assert under_filter(KEYS.prctl, PR_GET_DUMPABLE) == 0


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 belongs to x86_64")
def test_the_x32_numbers_do_not_get_around_it() -> None:
    assert under_filter(seccomp.X32_BIT | 272, 0) == errno.ENOSYS


@pytest.mark.parametrize("machine", sorted(seccomp.ARCHITECTURES))
def test_every_jump_of_the_filter_lands_inside_it(machine: str) -> None:
    steps = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))
    for index, (_, when_true, when_false, _) in enumerate(steps):
        assert index + 1 + max(when_true, when_false) < len(steps) or steps[index][0] == seccomp.RETURN
    assert steps[-1] == (seccomp.RETURN, 0, 0, seccomp.ALLOW)
