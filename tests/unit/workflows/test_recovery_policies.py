"""P10: the time-outs by which a killed worker's journeys are taken up again within six seconds."""

from datetime import timedelta

from activities.heartbeat import HEARTBEAT_EVERY
from sojourn.delivery.sending import GRACE, POST_DEADLINE_SECONDS
from workflows import policies

WITHIN = timedelta(seconds=6)


def test_what_a_killed_worker_held_is_given_to_another_within_six_seconds() -> None:
    assert timedelta(seconds=1) >= policies.STICKY_SCHEDULE_TO_START
    assert policies.STICKY_SCHEDULE_TO_START + policies.TASK_TIMEOUT <= WITHIN
    first_retry = policies.SEND_RETRY.initial_interval
    assert policies.SEND_HEARTBEAT + first_retry <= WITHIN


def test_a_living_worker_is_never_taken_for_a_killed_one() -> None:
    # The SDK may send a heartbeat as late as 0.8 of its time-out after the last; two of ours fit before that.
    assert timedelta(seconds=2 * HEARTBEAT_EVERY) < policies.SEND_HEARTBEAT * 0.8


def test_a_post_gives_up_before_its_attempt_and_its_attempt_before_the_grace() -> None:
    assert timedelta(seconds=POST_DEADLINE_SECONDS) < policies.SEND_ATTEMPT < GRACE
