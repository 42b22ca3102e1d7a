"""What RQ runs: the allow-list, and nothing else.

A job names a function by its dotted path, and so do its callbacks; whoever can write to Redis could name any
function on this machine. `AllowedJob` refuses all but JOBS. The one global of the product is the runtime of
this process, because RQ calls a function by name; it is set once, before the first job.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import redis
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from gateway import log
from gateway.later.dispatch import dispatch as _dispatch
from gateway.later.escalate import escalate as _escalate
from gateway.later.send import send as _send
from gateway.runtime import QUEUE, Runtime, connect

WAIT = 1.0
"""Seconds between two looks for a Redis that is away; the clock does the work meanwhile."""

_runtime: list[Runtime] = []


class JobRefused(Exception):
    """A job that is not on the list; the message names nothing of it."""


class JobFailed(Exception):
    """A job failed; RQ keeps this text in Redis for a week, so it says only which."""


def dispatch(report_id: int) -> None:
    """Bring a report to its first person, and send the SMS in the same breath."""

    def work(rt: Runtime) -> None:
        _dispatch(rt, report_id)
        _send(rt)

    _do("dispatch", work)


def send() -> None:
    """Send every SMS that is due."""
    _do("send", _send)


def escalate() -> None:
    """Ask the next person wherever a clock has run out."""

    def work(rt: Runtime) -> None:
        _escalate(rt)
        _send(rt)

    _do("escalate", work)


JOBS = frozenset(f"gateway.worker.{job.__name__}" for job in (dispatch, send, escalate))


def _do(job: str, work: Callable[[Runtime], object]) -> None:
    try:
        work(_runtime[0])
    except Exception as error:
        log.warn("job.failed", error=error, job=job)
        raise JobFailed(job) from None


class AllowedJob(Job):
    """A job that may only name what is on the list, and nothing that runs or calls out beside it."""

    def restore(self, raw_data: Any) -> None:
        super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = None
        self.webhooks = []

    def perform(self) -> Any:
        if self.func_name not in JOBS:
            raise JobRefused("a job that is not on the list")
        try:
            return super().perform()
        except JobFailed:
            raise
        except Exception as error:  # what is wrong with the call itself, or how long it took
            log.warn("job.failed", error=error)
            raise JobFailed("a call that cannot be made") from None


def prepare(rt: Runtime) -> SimpleWorker:
    """The worker of this process. Raises ValueError without REDIS_URL: there is nothing to wait for."""
    if rt.settings.redis_url is None:
        raise ValueError("a worker needs REDIS_URL; without Redis the clock does its work")
    _runtime[:] = [rt]
    connection = connect(rt.settings.redis_url, patient=True)
    queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer, job_class=AllowedJob)
    return SimpleWorker(
        [queue],
        connection=connection,
        serializer=JSONSerializer,
        job_class=AllowedJob,
        log_job_description=False,
        worker_ttl=60,
        maintenance_interval=30,
    )


def run(rt: Runtime) -> None:
    """Work until told to stop, and wait while there is no Redis. Raises ValueError as `prepare` does."""
    log.hush()
    while True:
        try:
            worker = prepare(rt)
            log.event("worker.began", queue=QUEUE)
            worker.work(logging_level="WARNING", with_scheduler=False)
        except redis.ConnectionError as error:
            # RQ's own handlers would wait for a job to end; there is none.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: sys.exit(0))
            log.warn("worker.without_redis", error=error)
            time.sleep(WAIT)
        else:
            return
