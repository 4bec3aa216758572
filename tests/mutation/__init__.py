"""Mutation testing of the engine: break it in every small way, and see a test fail each time."""
