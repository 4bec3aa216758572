"""Many runs of one experiment side by side: bit ``i`` of an integer is run ``i``.

A *mask* is an integer with one bit a run. Numbers are kept as masks of their binary digits, least significant
first, so that one addition adds in all runs at once (bit slicing; E. Biham, "A fast new DES implementation in
software", FSE 1997). It makes a replay of thousands of runs affordable without any library.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

_DIGITS: Final = 12
"""Binary digits of a probability: exact to 1/8192."""


class Chance:
    """Draws masks in which each run has a bit with a probability.

    Args:
        random: where the bits come from.
        runs: how many.
        probability: of a set bit.
    """

    def __init__(self, random: Random, runs: int, probability: float) -> None:
        self._random = random
        self._runs = runs
        whole = round(probability * (1 << _DIGITS))
        self._sure = whole >= 1 << _DIGITS
        digits = [whole >> place & 1 for place in range(_DIGITS)]
        self._digits = digits[digits.index(1) :] if 1 in digits else []

    def draw(self) -> int:
        """Return a fresh mask: compares a uniform number of each run with the probability, digit by digit."""
        if self._sure:
            return (1 << self._runs) - 1
        found = 0
        for digit in self._digits:
            fresh = self._random.getrandbits(self._runs)
            found = fresh | found if digit else fresh & found
        return found


def summed(masks: Sequence[int]) -> list[int]:
    """Return, for each run, how many of the masks have its bit."""
    total = Counter()
    for mask in masks:
        total.add([mask])
    return total.digits


class Counter:
    """A number for each run, from 0."""

    def __init__(self) -> None:
        self.digits: list[int] = []

    def add(self, number: Sequence[int]) -> None:
        """Add a number for each run."""
        carry = 0
        for place in range(max(len(self.digits), len(number))):
            mine = self.digits[place] if place < len(self.digits) else 0
            other = number[place] if place < len(number) else 0
            both = mine ^ other
            total, carry = both ^ carry, (mine & other) | (carry & both)
            if place < len(self.digits):
                self.digits[place] = total
            else:
                self.digits.append(total)
            if not carry and place >= len(number) - 1:
                return
        if carry:
            self.digits.append(carry)

    def subtract(self, number: Sequence[int]) -> None:
        """Subtract a number that is in no run larger."""
        borrow = 0
        for place in range(len(self.digits)):
            if not borrow and place >= len(number):
                return
            mine = self.digits[place]
            other = number[place] if place < len(number) else 0
            self.digits[place] = mine ^ other ^ borrow
            borrow = (~mine & (other | borrow)) | (other & borrow)

    def keep(self, mask: int) -> None:
        """Set the number to 0 in the runs that are not in the mask."""
        self.digits = [digit & mask for digit in self.digits]

    def at_least(self, limit: int, everyone: int) -> int:
        """Return the runs, of ``everyone``, whose number is at least ``limit``."""
        if limit >> len(self.digits):
            return 0
        above, equal = 0, everyone
        for place in reversed(range(len(self.digits))):
            digit = self.digits[place]
            if limit >> place & 1:
                equal &= digit
            else:
                above |= equal & digit
                equal &= ~digit
        return above | equal

    def copy(self) -> Counter:
        """Return a counter with the same numbers."""
        made = Counter()
        made.digits = list(self.digits)
        return made
