"""The system call filter of a session, as classic BPF for `bwrap --seccomp`.

A session needs child processes, loopback sockets and files. It does not need what widens the kernel's attack
surface or leaves the namespaces: other namespaces, mounts, tracing, BPF, keys, io_uring, vsock.
"""

import errno
import platform
import struct
from collections.abc import Iterable
from dataclasses import dataclass

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER_OFFSET, ARCH_OFFSET, ARGS_OFFSET = 0, 4, 16
X32_BIT = 0x40000000

CLONE_NEW_NAMESPACES = 0x7E020000
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
SIGUSR1 = 10
PR_SET_PDEATHSIG = 1

# name: (x86_64, aarch64); None where the architecture lacks it
DENIED: dict[str, tuple[int | None, int | None]] = {
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "chroot": (161, 51),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "userfaultfd": (323, 282),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "open_by_handle_at": (304, 265),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "personality": (135, 92),
    "kcmp": (312, 272),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "vhangup": (153, 58),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
}
# glibc and libuv fall back when these are said not to exist
ABSENT: dict[str, tuple[int, int]] = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """What differs between machines."""

    column: int
    audit: int
    clone: int
    socket: int
    socketpair: int
    kill: int
    prctl: int


ARCHITECTURES = {
    "x86_64": Architecture(0, 0xC000003E, clone=56, socket=41, socketpair=53, kill=62, prctl=157),
    "aarch64": Architecture(1, 0xC00000B7, clone=220, socket=198, socketpair=199, kill=129, prctl=167),
}


def supported(machine: str = platform.machine()) -> bool:
    """Tell whether there is a filter for this kind of machine."""
    return machine in ARCHITECTURES


def program(machine: str = platform.machine()) -> bytes:
    """Return the filter as an array of `struct sock_filter`.

    Raises:
        KeyError: an architecture that has no table here.
    """
    arch = ARCHITECTURES[machine]
    steps = [
        _load(ARCH_OFFSET),
        *_unless(EQUAL, arch.audit, _return(KILL)),
        _load(NUMBER_OFFSET),
    ]
    if machine == "x86_64":
        steps += _when(AT_LEAST, X32_BIT, [_return(ERRNO | errno.ENOSYS)])
    steps += _refusals(DENIED.values(), arch.column, errno.EPERM)
    steps += _refusals(ABSENT.values(), arch.column, errno.ENOSYS)
    steps += _on_call(arch.clone, _no_namespaces())
    steps += _on_call(arch.socket, _local_families())
    steps += _on_call(arch.socketpair, _local_families())
    steps += _on_call(arch.kill, _no_debugger())
    steps += _on_call(arch.prctl, _no_longer_life())
    return b"".join([*steps, _return(ALLOW)])


def _refusals(calls: Iterable[tuple[int | None, ...]], column: int, code: int) -> list[bytes]:
    numbers = [call[column] for call in calls]
    return [step for n in numbers if n is not None for step in _when(EQUAL, n, [_return(ERRNO | code)])]


def _no_namespaces() -> list[bytes]:
    denied = _when(ANY_BIT, CLONE_NEW_NAMESPACES, [_return(ERRNO | errno.EPERM)])
    return [_load_argument(0), *denied]


def _local_families() -> list[bytes]:
    plain = [_when(EQUAL, family, [_return(ALLOW)]) for family in (AF_UNIX, AF_INET, AF_INET6)]
    route = [_load_argument(2), *_when(EQUAL, 0, [_return(ALLOW)])]
    netlink = _when(EQUAL, AF_NETLINK, route)
    return [_load_argument(0), *(step for steps in plain for step in steps), *netlink, _unsupported()]


def _unsupported() -> bytes:
    return _return(ERRNO | errno.EAFNOSUPPORT)


def _no_debugger() -> list[bytes]:
    """Node opens its inspector on SIGUSR1: a program must not open the kernel's, which is pid 1."""
    refused = _when(EQUAL, SIGUSR1, [_return(ERRNO | errno.EPERM)])
    to_kernel = [_load_argument(1), *refused, _return(ALLOW)]
    return [_load_argument(0), *_when(EQUAL, 0, to_kernel), *_when(EQUAL, 1, to_kernel)]


def _no_longer_life() -> list[bytes]:
    """The kernel must not take back that it dies with the pool."""
    return [_load_argument(0), *_when(EQUAL, PR_SET_PDEATHSIG, [_return(ERRNO | errno.EPERM)])]


def _on_call(number: int, steps: list[bytes]) -> list[bytes]:
    """Run the steps for one system call; they may use the accumulator and fall through to allow."""
    return _when(EQUAL, number, [*steps, _return(ALLOW)])


def _when(test: int, value: int, steps: list[bytes]) -> list[bytes]:
    return [_instruction(test, value, 0, len(steps)), *steps]


def _unless(test: int, value: int, step: bytes) -> list[bytes]:
    return [_instruction(test, value, 1, 0), step]


def _load(offset: int) -> bytes:
    return _instruction(LOAD, offset)


def _load_argument(index: int) -> bytes:
    """Load the low half of an argument: the kernel reads these arguments as 32 bits as well."""
    return _load(ARGS_OFFSET + 8 * index)


def _return(action: int) -> bytes:
    return _instruction(RETURN, action)


def _instruction(code: int, value: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, value)
