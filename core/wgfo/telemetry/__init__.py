"""Log, metrics, textfile and the list of switches: they hear events and decisions, the engine knows none."""
