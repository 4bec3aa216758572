"""What the configured numbers are worth: how fast faults are found, and how rarely nothing is taken for one.

Everything here is computed from a group's policy alone, by the rules of :mod:`wgfo.engine`: nothing is measured,
nothing is decided. Fractions and randomness exist here, the latter from fixed seeds: the same policy gives the
same figures. It begins at :func:`wgfo.telemetry.figures.figures.figures_of`.
"""
