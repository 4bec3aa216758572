"""What this machine must have for a lab, told all at once and before anything is made."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wgfo.lab.errors import MissingRequirements

CAP_SYS_ADMIN: Final = 21
TUN: Final = Path("/dev/net/tun")

PACKAGES: Final = {
    "ip": "iproute2",
    "nft": "nftables",
    "wg": "wireguard-tools",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setsid": "util-linux",
    "ping": "iputils-ping",
}
"""Tool to the Debian package that has it."""


@dataclass(frozen=True, slots=True)
class Means:
    """How this machine makes a lab."""

    user_namespace: bool
    """Without root: everything happens inside a user namespace."""
    kernel_wireguard: bool
    """False: wireguard-go."""

    @property
    def unshare(self) -> list[str]:
        """The command that starts a process in namespaces of its own."""
        user = ["--user", "--map-root-user"] if self.user_namespace else []
        return ["unshare", *user, "--mount", "--net", "--pid", "--fork", "--kill-child"]


def survey() -> Means:
    """Find out how a lab can be made here.

    Raises:
        MissingRequirements: tools, rights or kernel features lack; each is listed with its remedy.
    """
    absent = [tool for tool in PACKAGES if shutil.which(tool) is None]
    problems = [f"{tool}: not found; apt-get install {PACKAGES[tool]}" for tool in absent]
    means = Means(not _may_administer(), kernel_wireguard=False)
    if not {"unshare", "ip"} & set(absent):
        refusal = _namespace_problem(means)
        problems += [refusal] if refusal else []
        means = Means(means.user_namespace, not refusal and _has_kernel_wireguard(means))
    problems += [] if means.kernel_wireguard else _userspace_problems()
    if problems:
        listed = "\n".join(f"  - {line}" for line in problems)
        raise MissingRequirements(f"This machine cannot hold a lab yet:\n{listed}")
    return means


def _may_administer() -> bool:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAP_SYS_ADMIN & 1)
    return os.geteuid() == 0


def _namespace_problem(means: Means) -> str | None:
    """Try the very namespaces that a lab needs, with the mounts that its first process makes."""
    script = "mount -t tmpfs none /run && mount -t proc proc /proc && ip netns add probe"
    done = _run([*means.unshare, "sh", "-c", script])
    if done.returncode == 0:
        return None
    said = done.stderr.strip() or f"exit status {done.returncode}"
    if means.user_namespace:
        return (
            f"rights: not root, and this user may not make namespaces ({said}); use sudo, or allow it: "
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 kernel.unprivileged_userns_clone=1 "
            "(whichever exists) and user.max_user_namespaces above 0"
        )
    return f"rights: namespaces are refused even to root ({said}); in a container, start it with --privileged"


def _has_kernel_wireguard(means: Means) -> bool:
    link = ["ip", "link", "add", "wgfo-probe", "type", "wireguard"]
    return _run([*means.unshare, *link]).returncode == 0


def _userspace_problems() -> list[str]:
    problems = []
    if shutil.which("wireguard-go") is None:
        problems.append(
            "wireguard-go: not found, and this kernel has no WireGuard; apt-get install wireguard-go "
            "(or load the kernel's: modprobe wireguard)"
        )
    if not os.access(TUN, os.R_OK | os.W_OK):
        problems.append(
            f"{TUN}: missing or not accessible, and wireguard-go needs it; modprobe tun "
            "(in a container: --device /dev/net/tun)"
        )
    return problems


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - a fixed command, no shell
        command, capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL
    )
