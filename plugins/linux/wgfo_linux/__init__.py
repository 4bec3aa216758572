"""The Linux kernel for wgfo: routes, and the interface and handshake probes."""
