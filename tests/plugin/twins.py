"""Two plugins for entry points of one name."""

from tests.config import fakes

first = fakes.linux()
second = fakes.aws()
