"""The pure engine: no clock, no I/O, no logging, no randomness, no floats. See :mod:`wgfo.engine.engine`."""
