"""Two ends of a WireGuard tunnel in two namespaces, by wireguard-go; always removed.

wireguard-go's control socket is a file that network namespaces do not keep apart, so every interface gets a
random name of its own.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.netns import Namespace, eventually, namespaces, sh, veth

SOCKETS = Path("/var/run/wireguard")
KEEP_RUNNING_S = 5.0


def interface_name() -> str:
    """Return a name that no other interface of this machine has."""
    return f"wg{secrets.token_hex(4)}"


@dataclass(frozen=True)
class Keys:
    """A key pair, made by ``wg``."""

    private: str
    public: str

    @classmethod
    def make(cls) -> Keys:
        private = sh("wg", "genkey").strip()
        public = subprocess.run(
            ["wg", "pubkey"], input=private, capture_output=True, text=True, timeout=30, check=True
        )
        return cls(private, public.stdout.strip())


class Interface:
    """One running wireguard-go with its interface inside a namespace."""

    def __init__(self, namespace: Namespace, *, name: str | None = None) -> None:
        self.namespace = namespace
        self.name = name or interface_name()
        self.keys = Keys.make()
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", namespace.name, "wireguard-go", "--foreground", self.name],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LOG_LEVEL": "silent"},
        )
        try:
            eventually(self._answers, what=f"wireguard-go with {self.name}")
            self.set("private-key", "/dev/stdin", stdin=self.keys.private)
        except BaseException:
            self.close()
            raise

    @property
    def socket(self) -> Path:
        """The control socket."""
        return SOCKETS / f"{self.name}.sock"

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def _answers(self) -> bool:
        if not self.running:
            raise AssertionError(f"wireguard-go ended with {self._process.returncode}")
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def set(self, *words: str, stdin: str = "") -> None:
        """Run ``wg set`` on this interface."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.namespace.name, "wg", "set", self.name, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, f"wg set {self.name} {words}: {done.stderr}"

    def up(self, *addresses: str) -> None:
        """Give it addresses (with their prefix length) and bring it up."""
        for address in addresses:
            self.namespace.run("ip", "address", "add", address, "dev", self.name)
        self.namespace.run("ip", "link", "set", self.name, "up")

    def show(self, what: str) -> str:
        """Return what ``wg show NAME WHAT`` prints."""
        return self.namespace.run("wg", "show", self.name, what)

    def close(self) -> None:
        """End wireguard-go, which takes the interface with it, and remove what it may have left."""
        if self.running:
            self._process.terminate()
        try:
            self._process.wait(timeout=KEEP_RUNNING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(timeout=KEEP_RUNNING_S)
        self.namespace.run("ip", "link", "del", self.name, check=False)
        self.socket.unlink(missing_ok=True)


@dataclass(frozen=True)
class Tunnel:
    """Both ends, configured towards each other and up; nothing has been sent yet."""

    left: Interface
    right: Interface
    left_address: str
    right_address: str
    left_underlay: str
    right_underlay: str


@contextlib.contextmanager
def wireguard_interface(namespace: Namespace, *addresses: str) -> Iterator[Interface]:
    """Run one wireguard-go without peers, up with these addresses."""
    made = Interface(namespace)
    try:
        made.up(*addresses)
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def tunnel(
    left: Namespace,
    right: Namespace,
    *,
    number: int = 0,
    left_allowed: Sequence[str] = (),
    right_allowed: Sequence[str] = (),
) -> Iterator[Tunnel]:
    """Connect two namespaces by a veth pair and a WireGuard tunnel over it.

    The tunnel is 10.(100+number).0.0/24, left .2 and right .1, over 172.31.number.0/24. ``left_allowed`` are
    the allowed-ips that the left end accepts from the right one, beside its address; and the other way round.
    """
    link = secrets.token_hex(4)
    veth(left, f"ul{link}", right, f"ur{link}")
    under_left, under_right = f"172.31.{number}.2", f"172.31.{number}.1"
    over_left, over_right = f"10.{100 + number}.0.2", f"10.{100 + number}.0.1"
    left.run("ip", "address", "add", f"{under_left}/24", "dev", f"ul{link}")
    right.run("ip", "address", "add", f"{under_right}/24", "dev", f"ur{link}")
    port = str(51820 + number)
    with contextlib.ExitStack() as stack:
        ends = []
        for namespace in (left, right):
            ends.append(Interface(namespace))
            stack.callback(ends[-1].close)
        one, other = ends
        for end, far, endpoint, allowed in (
            (one, other, under_right, [f"{over_right}/32", *left_allowed]),
            (other, one, under_left, [f"{over_left}/32", *right_allowed]),
        ):
            end.set("listen-port", port, "peer", far.keys.public,
                    "allowed-ips", ",".join(allowed), "endpoint", f"{endpoint}:{port}")  # fmt: skip
        one.up(f"{over_left}/24")
        other.up(f"{over_right}/24")
        yield Tunnel(one, other, over_left, over_right, under_left, under_right)


@contextlib.contextmanager
def tunnelled_namespaces() -> Iterator[tuple[Namespace, Namespace, Tunnel]]:
    """Make two namespaces with one tunnel between them."""
    with namespaces("left", "right") as (left, right), tunnel(left, right) as made:
        yield left, right, made
