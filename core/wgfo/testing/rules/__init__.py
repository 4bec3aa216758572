"""The rules of the provider contract as tests: one module and one class a rule.

A test has a sentence for a name and the fixture ``bench``. What a test needs of the world beyond the required it
says in its first line; what it needs of the provider it asks its capabilities.
"""

from __future__ import annotations

from typing import ClassVar


class Rule:
    """The tests of one rule; the class is named for what the rule says."""

    rule: ClassVar[int]
    """Its number in the contract; 0 is the shape that the types promise."""
