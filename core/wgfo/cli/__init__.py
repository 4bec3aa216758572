"""The command line: one module per command; parse, call, render, nothing else."""
