"""Files for others, made from a configuration: pure functions from a setup to text."""
