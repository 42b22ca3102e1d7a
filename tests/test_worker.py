"""What RQ may run: four names and nothing else, on a real queue; and what is left behind in Redis and the log."""

from __future__ import annotations

import http.server
import io
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Queue
from rq.callbacks import Callback
from rq.job import Job
from rq.serializers import JSONSerializer, PickleSerializer, Serializer
from rq.webhook import Webhook

from gateway import worker
from gateway.providers import SendFailed, Sent
from gateway.runtime import QUEUE, Nudger, Runtime
from tests import build
from tests.later import story

CALLER, SESSION = "+243990055443", "ATUid_planted_session"


@pytest.fixture
def rt(rt: Runtime, redis_url: str) -> Iterator[Runtime]:
    """A runtime with a real Redis, and people to tell."""
    story.staff(rt)
    made = replace(rt, settings=replace(rt.settings, redis_url=redis_url), nudger=Nudger(redis_url))
    yield made
    made.nudger.stop()


def work(rt: Runtime) -> None:
    """Run what is queued until nothing is, as the process does; RQ takes over signals, so give them back."""
    rt.nudger.stop()
    rt.nudger._thread = None  # and let it begin again
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    prepared = worker.prepare(rt)
    prepared.work(burst=True, logging_level="WARNING", with_scheduler=False)
    prepared.connection.close()
    for number, handler in before.items():
        signal.signal(number, handler)


def everything(url: str) -> bytes:
    """Every key and value of a Redis, and every value that was packed, unpacked."""
    found: list[bytes] = []
    with closing(redis.Redis.from_url(url)) as client:
        connection: Any = client  # its answers are of the kind that was asked for, which its types do not know
        for key in connection.scan_iter():
            found.append(key)
            match connection.type(key):
                case b"hash":
                    pairs = connection.hgetall(key)
                    found += [*pairs.keys(), *pairs.values()]
                case b"list":
                    found += connection.lrange(key, 0, -1)
                case b"set":
                    found += connection.smembers(key)
                case b"zset":
                    found += connection.zrange(key, 0, -1)
                case b"stream":
                    found += [
                        part for _, pairs in connection.xrange(key) for pair in pairs.items() for part in pair
                    ]
                case b"string":
                    found.append(connection.get(key) or b"")
                case other:
                    pytest.fail(f"a kind of value nobody looked at: {other!r}")
    return b"\n".join([*found, *map(unpacked, found)])


def unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return b""


def foreign(url: str, serializer: Serializer = JSONSerializer) -> Queue:
    """The queue as somebody sees it who can write to Redis."""
    return Queue(QUEUE, connection=redis.Redis.from_url(url), serializer=serializer)


def failures(url: str) -> list[str]:
    """What Redis keeps of the jobs that failed, a traceback each."""
    queue = foreign(url)
    kept = []
    for job_id in queue.failed_job_registry.get_job_ids():
        result = Job.fetch(job_id, queue.connection, JSONSerializer).latest_result()
        kept.append(result.exc_string or "" if result else "")
    return kept


# What it does


def test_a_filed_emergency_becomes_a_referral_and_an_sms_with_nothing_but_a_worker(rt: Runtime) -> None:
    made = story.tell(rt)
    work(rt)
    assert story.asked(rt, made) == [("Worker", "pending")]
    assert story.messages(rt) == [("alert", "sent", None)]
    assert len(build.operator(rt).sms) == 1


def test_a_failure_is_escalated_and_told_again_in_the_same_breath(rt: Runtime) -> None:
    build.operator(rt).failing.append(SendFailed("refused", "403"))
    made = story.tell(rt)
    work(rt)
    work(rt)
    assert [name for name, _ in story.asked(rt, made)] == ["Worker", "Supervisor"]
    assert len(build.operator(rt).sms) == 1


def test_every_job_run_twice_does_nothing_more(rt: Runtime) -> None:
    made = story.tell(rt)
    for _ in range(2):
        for job, row in (("dispatch", made), ("send", None), ("escalate", None)):
            rt.nudger.hand_over(job, row)
        rt.nudger.stop()
        rt = replace(rt, nudger=Nudger(rt.settings.redis_url))
    work(rt)
    assert story.asked(rt, made) == [("Worker", "pending")]
    assert len(build.operator(rt).sms) == 1
    assert failures(rt.settings.redis_url or "") == []


def test_a_worker_without_redis_has_nothing_to_wait_for(light: Runtime) -> None:
    with pytest.raises(ValueError, match="REDIS_URL"):
        worker.run(light)


# What it refuses


class Planted:
    """A pickle that runs a program when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def test_a_job_that_names_anything_else_is_refused_and_runs_nothing(
    rt: Runtime, redis_url: str, tmp_path: Path
) -> None:
    queue, mark = foreign(redis_url), tmp_path / "mark"
    names = [
        "os.system",
        "subprocess.getoutput",
        "gateway.worker._do",
        "gateway.worker.run",
        "gateway.later.send.send",
    ]
    names += ["gateway.worker.dispatch ", "gateway.worker.os.system", "builtins.eval", "Gateway.worker.send"]
    for name in names:
        queue.enqueue_call(name, args=(f"touch {mark}",))
    work(rt)
    assert not mark.exists()
    kept = failures(redis_url)
    assert len(kept) == len(names)
    assert all("JobRefused" in one for one in kept)
    assert build.operator(rt).sms == []


def test_a_pickled_job_is_not_even_read(rt: Runtime, redis_url: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    queue = foreign(redis_url, PickleSerializer)
    queue.enqueue_call("gateway.worker.send", args=(Planted(mark),))
    queue.enqueue_call("os.system", args=(f"touch {mark}",), meta={"planted": Planted(mark)})
    connection = redis.Redis.from_url(redis_url)
    raw = foreign(redis_url).enqueue_call("gateway.worker.send")
    connection.hset(raw.key, "data", pickle.dumps(Planted(mark)))
    connection.hset(raw.key, "meta", pickle.dumps(Planted(mark)))
    connection.close()
    work(rt)
    assert not mark.exists()


def test_an_allowed_name_on_an_object_of_somebody_elses_runs_nothing(
    rt: Runtime, redis_url: str, tmp_path: Path
) -> None:
    queue = foreign(redis_url)
    job = queue.enqueue_call("gateway.worker.send")
    data = json.dumps(["gateway.worker.send", {"planted": 1}, [f"touch {tmp_path / 'mark'}"], {}]).encode()
    queue.connection.hset(job.key, "data", zlib.compress(data))
    work(rt)
    assert not (tmp_path / "mark").exists()
    assert len(failures(redis_url)) == 1


def test_callbacks_beside_an_allowed_job_do_not_run(
    rt: Runtime, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """`logging.critical` takes whatever a callback is given, and would be seen."""
    planted = Callback("logging.critical")
    queue = foreign(redis_url)
    queue.enqueue_call("gateway.worker.send", on_success=planted, on_failure=planted, on_stopped=planted)
    queue.enqueue_call("os.system", args=("true",), on_success=planted, on_failure=planted, on_stopped=planted)
    work(rt)
    assert not [record for record in caplog.records if record.levelno == logging.CRITICAL]


def test_webhooks_beside_a_job_call_nobody(rt: Runtime, redis_url: str) -> None:
    called: list[str] = []

    class Listening(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            called.append(self.path)
            self.send_response(200)
            self.end_headers()

    with http.server.HTTPServer(("127.0.0.1", 0), Listening) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/planted"
        webhooks = [Webhook(url, "finished", timeout=1), Webhook(url, "failed", timeout=1)]
        for name in ("gateway.worker.send", "os.system"):
            foreign(redis_url).enqueue_call(name, webhooks=webhooks)
        work(rt)
        server.shutdown()
        thread.join()
    assert called == []


def test_after_any_rubbish_the_worker_goes_on(rt: Runtime, redis_url: str) -> None:
    queue = foreign(redis_url)
    queue.enqueue_call("os.system", args=("true",))
    queue.enqueue_call("gateway.worker.dispatch", args=("x" * 100_000,))
    queue.enqueue_call("gateway.worker.dispatch")
    queue.enqueue_call("gateway.worker.send", kwargs={"planted": 1})
    broken = queue.enqueue_call("gateway.worker.send")
    queue.connection.hset(broken.key, "data", b"\x00rubbish")
    gone = queue.enqueue_call("gateway.worker.send")
    queue.connection.delete(gone.key)
    made = story.tell(rt)
    work(rt)
    assert story.asked(rt, made) == [("Worker", "pending")]
    assert len(build.operator(rt).sms) == 1


# What it leaves behind


def test_no_number_no_word_and_no_session_is_ever_in_redis_or_the_log(
    rt: Runtime, redis_url: str, lines: io.StringIO
) -> None:
    said = "mon frere est dessous"
    keys = (*story.COLLAPSE, "1", "1", "7", "1", said)
    for at in range(len(keys) + 1):
        story.press(rt, keys[:at], SESSION, CALLER)
    story.press(rt, story.DANGER, "another", CALLER)
    rt.nudger.stop()
    waiting = everything(redis_url)
    assert waiting.count(b"gateway.worker.dispatch") >= 2, "jobs are there and are read"
    work(rt)
    left = everything(redis_url)
    numbers = [number for number, _ in build.operator(rt).sms]
    words = [words[:20] for _, words in build.operator(rt).sms]
    assert numbers
    references = [story.coarse(rt, one).reference for one in story.reports(rt)]
    for planted in (CALLER, CALLER[1:], SESSION, "dessous", *numbers, *words):
        assert planted.encode() not in waiting
        assert planted.encode() not in left
        assert planted not in lines.getvalue()
    for reference in references:
        assert f'"{reference}"'.encode() not in waiting
        assert f'"{reference}"' not in lines.getvalue()
    assert b"rq:job:" not in left, "a job that is done leaves nothing"


def test_a_job_carries_its_name_and_one_row_id(rt: Runtime, redis_url: str) -> None:
    made = story.tell(rt)
    rt.nudger.stop()
    (job,) = foreign(redis_url).jobs
    assert json.loads(job.data) == ["gateway.worker.dispatch", None, [made], {}]
    assert (job.description, job.meta) == ("dispatch", {})


def test_a_job_that_failed_keeps_no_text(rt: Runtime, redis_url: str, lines: io.StringIO) -> None:
    class Broken(build.Operator):
        def send_sms(self, number: str, text: str) -> Sent:
            raise RuntimeError(f"{number}: {text}")

    broken = Broken()
    rt = replace(rt, providers={broken.name: broken})
    story.tell(rt)
    work(rt)
    (kept, *_) = failures(redis_url)
    assert "JobFailed: dispatch" in kept
    assert "RuntimeError" not in kept
    left = everything(redis_url)
    for planted in ("+243", "+2430001", "Info Mine"):
        assert planted.encode() not in left
        assert planted not in lines.getvalue()
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [line["error"][0] for line in written if line.get("event") == "job.failed"] == ["RuntimeError"]


def test_a_job_keeps_no_text_however_an_exception_carries_it(
    rt: Runtime, redis_url: str, lines: io.StringIO
) -> None:
    class Broken(build.Operator):
        def send_sms(self, number: str, text: str) -> Sent:
            named = type(f"To{number}", (Exception,), {"__repr__": lambda _: number})
            error = ExceptionGroup(text, [named(number), ValueError(text)])
            error.add_note(number)
            raise error from LookupError(text)

    broken = Broken()
    rt = replace(rt, providers={broken.name: broken})
    story.tell(rt)
    work(rt)
    assert failures(redis_url)
    for planted in ("243000", "Info Mine", "To+"):
        assert planted.encode() not in everything(redis_url)
        assert planted not in lines.getvalue()


def test_a_call_that_cannot_be_made_is_not_quoted(rt: Runtime, redis_url: str, lines: io.StringIO) -> None:
    queue = foreign(redis_url)
    queue.enqueue_call("gateway.worker.send", kwargs={"said by my brother": 1}, description="")
    queue.enqueue_call("gateway.worker.dispatch", args=(["said by my brother"],), description="")
    work(rt)
    assert len(kept := failures(redis_url)) == 2
    assert not any("brother" in text for text in (*kept, lines.getvalue()))


def test_a_refused_job_says_nothing_of_itself_in_the_log(rt: Runtime, redis_url: str, lines: io.StringIO) -> None:
    foreign(redis_url).enqueue_call("os.system", args=(f"echo {CALLER}",), description=CALLER)
    work(rt)
    assert lines.getvalue()
    assert CALLER[1:] not in lines.getvalue()
    assert "os.system" not in lines.getvalue()


# The process


PROCESS = """
import sys
from dataclasses import replace
from pathlib import Path
from gateway import log, worker
from gateway.runtime import Runtime
from tests import build

log.configure("worker")
settings = build.settings(Path(sys.argv[1]), sys.argv[2], redis_url=sys.argv[3])
operator = build.Operator()
worker.run(replace(Runtime.build(settings), providers={operator.name: operator}))
"""


def test_the_process_works_as_soon_as_it_is_nudged_and_stops_when_it_is_told(
    rt: Runtime, redis_url: str, tmp_path: Path
) -> None:
    made = story.tell(rt)
    command = [sys.executable, "-c", PROCESS, str(tmp_path), rt.settings.database_url, redis_url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while story.messages(rt) != [("alert", "sent", None)]:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        story.press(rt, story.DANGER, "another", CALLER)
        while [state for _, state, _ in story.messages(rt)] != ["sent", "sent"]:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
    finally:
        process.terminate()
        out, err = process.communicate()
    assert process.returncode == 0
    assert story.asked(rt, made) == [("Worker", "pending")]
    assert out == ""
    events = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in events if "event" in line] == ["worker.began", "sms.sent", "sms.sent"]
    for planted in (CALLER[1:], SESSION, "+243", "Info Mine", "one"):
        assert planted not in err.replace("clone", "")
