"""What a process that stays asks of Python."""

from __future__ import annotations

import gc
import sys

# In seconds. A thread that has asked the store something waits at most so long for one that renders; Python's own 5 ms are
# longer than most questions take, and whoever writes holds the store for all of them.
SWITCH = 0.0005
SELDOM = 5_000  # objects that came and stayed, between two collections; Python's own 700 are few for pages of messages


def settle_down() -> None:
    """Have Python pass over what is loaded whenever it collects, since it stays, and let waiting threads go on sooner.

    To be called once, when all that stays is loaded.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(SELDOM, 20, 20)
    sys.setswitchinterval(SWITCH)
