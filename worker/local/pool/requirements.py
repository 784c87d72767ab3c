"""Whether sessions can be confined on this machine, and how to get there."""

import os
import shutil
import subprocess
from pathlib import Path

from worker.local.pool import seccomp
from worker.local.pool.errors import StartError

PACKAGES = {
    "bash": "bash",
    "bwrap": "bubblewrap",
    "ldd": "libc-bin",
    "prlimit": "util-linux",
    "setpriv": "util-linux",
}
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
PROBE = [
    "bwrap",
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    "--ro-bind",
    "/",
    "/",
    "--proc",
    "/proc",
]
PROBE_SECONDS = 10.0
HINT = (
    "unprivileged user namespaces are needed: in a container allow them (for Docker: "
    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt "
    "systempaths=unconfined), on Ubuntu 24.04 and later set "
    "'sysctl kernel.apparmor_restrict_unprivileged_userns=0' or give bwrap an AppArmor profile, elsewhere "
    "check 'sysctl user.max_user_namespaces kernel.unprivileged_userns_clone'; or, for programs you trust, "
    "start with --unsafe-no-sandbox"
)


def check(node: Path) -> None:
    """Find out whether sessions can be confined here.

    Raises:
        StartError: what is missing, and how to get it.
    """
    if not node.is_file():
        raise StartError(f"there is no Node at {node}: pip install 'jsworker[local]'")
    missing = [tool for tool in PACKAGES if shutil.which(tool) is None]
    if missing:
        packages = sorted({PACKAGES[tool] for tool in missing})
        raise StartError(f"{', '.join(missing)} not found: apt-get install {' '.join(packages)}")
    if not seccomp.supported():
        raise StartError(
            "there is no system call filter for this kind of machine (x86_64 and aarch64 have one)"
        )
    _check_namespaces()


def _check_namespaces() -> None:
    command = [*(NOBODY if os.geteuid() == 0 else []), *PROBE, "true"]
    try:
        probe = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)  # noqa: S603 - fixed
    except subprocess.TimeoutExpired as error:
        raise StartError(f"bubblewrap did not start in {PROBE_SECONDS:.0f} s") from error
    if probe.returncode != 0:
        raise StartError(f"bubblewrap cannot make a sandbox here ({probe.stderr.strip()}); {HINT}")
