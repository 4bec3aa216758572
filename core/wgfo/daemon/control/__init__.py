"""The control API: a Unix socket for people and commands, a read-only listener for monitoring."""
