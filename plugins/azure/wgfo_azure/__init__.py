"""Azure route tables as a route provider of wgfo; found through the entry point ``azure``."""
