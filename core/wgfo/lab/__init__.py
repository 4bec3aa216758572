"""A laboratory on this machine: two real WireGuard tunnels, faults to break them, a meter for the traffic.

A lab is *one process tree in namespaces of its own*. Its first process (:mod:`wgfo.lab.holder`) is PID 1 of a
private PID namespace and holds a private mount namespace whose ``/run`` is a tmpfs: the network namespaces,
the WireGuard sockets and the PID files of a lab exist in there alone. When that one process ends, however it
ends, the kernel ends every process of the lab and with them every namespace, tunnel, socket and nft table.
Nothing that a lab makes has a name outside of it, so several labs stand side by side, each with its ``wg0``
and ``wg1``.

While a lab is being built its first process listens on a pipe to the builder and ends with it; only a
finished ``lab up`` tells it to stay.

| module | subject |
| --- | --- |
| ``topology`` | who is connected to whom, as data |
| ``requirements`` | tools, rights and kernel features, told all at once |
| ``holder``, ``enclosure`` | the first process, and how to run commands behind it |
| ``tunnels``, ``build`` | bringing it up |
| ``state``, ``lab`` | a lab that outlives the command that made it |
| ``faults`` | what can be broken |
| ``meter``, ``ledger`` | traffic through the lab, and what became of it |
| ``config`` | the ``wgfo.toml`` that fits |
| ``demo``, ``timeline``, ``render``, ``picture`` | one failure from beginning to end |
"""
