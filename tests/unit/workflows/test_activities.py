"""What an activity tells Temporal of an error: to try again, or that no attempt will ever help."""

from __future__ import annotations

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.journey import JourneyActivities
from sojourn.errors import Terminal
from sojourn.testing import Shop
from sojourn.travel.state import Advance

ASK = Advance(entry_id="00000000-0000-4000-8000-0000000000e1", cursor="1")


@pytest.mark.parametrize("name", ["decide", "send"])
def test_an_entry_that_is_not_there_is_asked_for_again_for_its_worker_may_stand_on_other_data(name: str) -> None:
    with Shop(journeys=["journey: hello\ndescription: d\nenter: {on: Began}\nsteps: [{wait: 1d}]\n"]) as shop:
        activities = JourneyActivities(shop._engine.journeys)
        with pytest.raises(ApplicationError) as told:
            shop._run(ActivityEnvironment().run(getattr(activities, name), ASK))
    assert (told.value.type, told.value.non_retryable) == ("NotFound", False)
    assert told.value.next_retry_delay is not None, "and less and less often, where no worker has it"


class _Hopeless:
    async def advance(self, ask: Advance) -> None:
        raise Terminal("it will never do")


def test_what_no_attempt_helps_is_not_tried_again() -> None:
    with Shop(journeys=["journey: hello\ndescription: d\nenter: {on: Began}\nsteps: [{wait: 1d}]\n"]) as shop:
        activities = JourneyActivities(_Hopeless())  # type: ignore[arg-type]
        with pytest.raises(ApplicationError) as told:
            shop._run(ActivityEnvironment().run(activities.send, ASK))
    assert told.value.non_retryable
