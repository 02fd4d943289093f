"""Every time-out and retry, by name.

HTTP time-out < post deadline < SEND_ATTEMPT < grace: a provider call has given up, and said so in the
ledger, before Temporal gives the attempt up.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio.common import RetryPolicy

from sojourn.errors import SojournError

DECIDE_ATTEMPT = timedelta(seconds=10)
DECIDE_RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=200), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=30))

SEND_ATTEMPT = timedelta(seconds=60)
SEND_HEARTBEAT = timedelta(seconds=5)  # a killed worker's send is taken up again after this
SEND_RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=500), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5))

# A call is given up by its own `up_to`, which the activity looks at; until then it is tried less and less often.
CALL_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5))

BROADCAST_ATTEMPT = timedelta(minutes=2)  # an activity sends for a while, then says how far it is; the last page may take long
BROADCAST_HEARTBEAT = timedelta(seconds=5)
BROADCAST_RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=500), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=1))

TASK_TIMEOUT = timedelta(seconds=5)  # of a workflow task: a killed worker's task is given to another after this
STICKY_SCHEDULE_TO_START = timedelta(seconds=1)  # a killed worker's sticky queue is left after this
RPC_TIMEOUT = timedelta(seconds=10)

MAX_CACHED_WORKFLOWS = 1000
MAX_CONCURRENT_SENDS = 50
MAX_CONCURRENT_DECISIONS = 50
MAX_CONCURRENT_TASKS = 100

TIMER_SLACK = timedelta(milliseconds=1)  # a timer may not fire before the shop's moment, whatever the rounding

MAX_HISTORY_EVENTS = 4000  # a longer history continues as new, if the server has not suggested it before

# A bug fails its journey, visibly, instead of retrying its task for ever. What is not named here, above all a code
# change that no longer fits a running history, stops the task and waits for a mended deployment.
JOURNEY_BUGS = (
    SojournError, ArithmeticError, AssertionError, AttributeError, LookupError, NameError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
