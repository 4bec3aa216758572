"""The only asyncio of wgfo: probing, stepping, writing routes, storing, answering."""
