"""Tables of the engine's rules, one module a file: exact, and quick enough to be asked thousands of times."""
