"""Every method again, straight from its paper or contract: loops, plain Python, no code shared with the package."""

from tests.naive.methods import *  # noqa: F403
