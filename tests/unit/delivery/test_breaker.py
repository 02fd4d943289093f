"""When a provider is left alone, and for how long."""

from __future__ import annotations

from sojourn import breaker


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_what_was_under_way_neither_lengthens_a_rest_nor_takes_back_one_that_was_asked_for() -> None:
    time = Time()
    failing = breaker.Breaker(time)
    assert sum(failing.failed() for _ in range(50)) == 1
    assert failing.closed_until == time.seconds + breaker.REST_SECONDS
    asking = breaker.Breaker(time)
    assert [asking.asked(7) for _ in range(50)] == [True] + [False] * 49
    asking.succeeded()
    assert not asking.allows()
    time.seconds += 7
    assert asking.allows()
