"""Portable data-plane probes: icmp, tcp and http. They are offered through the same hooks as anyone's."""
