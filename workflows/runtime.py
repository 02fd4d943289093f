"""Connects to Temporal, as a client and as a worker."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, cast

import structlog
from temporalio import activity, workflow
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import LogForwardingConfig, LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Interceptor as WorkerInterceptor
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from sojourn.clock import monotonic
from workflows import names, policies
from workflows.broadcast import BroadcastWorkflow
from workflows.journey import JourneyWorkflow

CONNECT_LIMIT = 60.0  # seconds to wait for a server that is starting
CONNECT_PAUSE = 0.25
CONNECT_SAID_EVERY = 40  # tries: ten seconds
GRACEFUL_STOP = timedelta(seconds=5)
CORE_LEVEL = TelemetryFilter(core_level="WARN", other_level="ERROR").formatted()  # other: what the core is built on
log = structlog.get_logger("sojourn")


class NoTemporal(Exception):
    """Temporal does not answer; the message says where and what to do."""


@cache
def logging_runtime(metrics_address: str = "", level: str = CORE_LEVEL) -> Runtime:
    """Return the SDK's core, one for each address, which hands its log lines to Python instead of printing them.

    Args:
        metrics_address: host:port at which its metrics are shown; empty for none.
        level: the least that it hands over, as its filter says it.
    """
    logger = logging.getLogger("temporalio.core")
    if _tell_by_fields not in logger.filters:
        logger.addFilter(_tell_by_fields)
    activity.logger.activity_info_on_message = False  # it is in fields of the line
    workflow.logger.workflow_info_on_message = False
    forwarding = LogForwardingConfig(logger, prepend_target_on_message=False, append_log_fields_to_message=False)
    metrics = PrometheusConfig(bind_address=metrics_address) if metrics_address else None
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(level, forwarding), metrics=metrics))


def _tell_by_fields(record: logging.LogRecord) -> bool:
    """Put what the core tells with a line into a field that can be written down."""
    told = record.__dict__.pop("temporal_log", None)
    if told is not None and told.fields:
        record.__dict__["fields"] = dict(told.fields)
    return True


async def connect(address: str, namespace: str, *, metrics_address: str = "", interceptors: Sequence[Interceptor] = ()) -> Client:
    """Return a client, once the server answers.

    Args:
        address: host:port.
        namespace: the Temporal namespace.
        metrics_address: host:port at which the SDK's metrics are shown; empty for none.
        interceptors: such as tracing.

    Raises:
        NoTemporal: it does not answer in time.
    """
    runtime = logging_runtime(metrics_address)
    deadline = monotonic() + CONNECT_LIMIT
    for tried in itertools.count():
        try:
            return await Client.connect(
                address, namespace=namespace, data_converter=pydantic_data_converter, runtime=runtime, interceptors=interceptors
            )
        except (RuntimeError, RPCError) as error:
            if monotonic() > deadline:
                raise NoTemporal(f"no Temporal server answers at {address}; start it, or set SOJOURN_TEMPORAL_ADDRESS") from error
            if tried % CONNECT_SAID_EVERY == 0:
                log.warning("waiting for Temporal, which does not answer", temporal=address, gives_up_after_s=round(deadline - monotonic()))
            await asyncio.sleep(CONNECT_PAUSE)
    raise AssertionError("unreachable")


async def ensure_search_attributes(client: Client) -> list[str]:
    """Create the search attributes that are missing, and return their names.

    An upsert of one that is not registered would retry a journey's task for ever.
    """
    service = client.operator_service
    asked = ListSearchAttributesRequest(namespace=client.namespace)
    known = (await service.list_search_attributes(asked, retry=True, timeout=policies.RPC_TIMEOUT)).custom_attributes
    missing = {key.name: key.indexed_value_type for key in names.SEARCH_ATTRIBUTES if key.name not in known}
    if missing:
        request = AddSearchAttributesRequest(namespace=client.namespace)
        for name, kind in missing.items():
            request.search_attributes[name] = cast("IndexedValueType.ValueType", int(kind))
        try:
            await service.add_search_attributes(request, retry=True, timeout=policies.RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
    return sorted(missing)


def make_worker(
    client: Client,
    activities: Sequence[Callable[..., Any]],
    *,
    interceptors: Sequence[WorkerInterceptor] = (),
    runner: WorkflowRunner | None = None,
    task_queue: str = names.TASK_QUEUE,
) -> Worker:
    """Return a worker for every journey and broadcast.

    Args:
        client: connected.
        activities: of journeys and broadcasts.
        interceptors: such as the observer of endings.
        runner: None is the unsandboxed one: the interpreter is ours and checked in, definitions are data.
        task_queue: where it takes its work from.
    """
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[JourneyWorkflow, BroadcastWorkflow],
        activities=activities,
        workflow_runner=runner or UnsandboxedWorkflowRunner(),
        interceptors=interceptors,
        workflow_failure_exception_types=policies.JOURNEY_BUGS,
        sticky_queue_schedule_to_start_timeout=policies.STICKY_SCHEDULE_TO_START,
        max_cached_workflows=policies.MAX_CACHED_WORKFLOWS,
        max_concurrent_workflow_tasks=policies.MAX_CONCURRENT_TASKS,
        max_concurrent_activities=policies.MAX_CONCURRENT_SENDS,
        max_concurrent_local_activities=policies.MAX_CONCURRENT_DECISIONS,
        graceful_shutdown_timeout=GRACEFUL_STOP,
    )
