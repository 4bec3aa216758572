"""A virtual-time world that drives the real engine and the real daemon code."""
