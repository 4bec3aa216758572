"""The rules of the provider contract as tests: one module and one class a rule.

A test has a sentence for a name and the fixture ``bench``. What a test needs of the world beyond the required it
says in its first line; what it needs of the provider it asks its capabilities.
"""
