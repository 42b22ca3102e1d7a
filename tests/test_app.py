"""The web process put together: applications that do not mix, and imports that do nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sqlalchemy import func, select

from gateway.app import create_app
from gateway.casework.report import Report
from gateway.runtime import Runtime
from gateway.settings import ROOT
from tests import build

IMPORT_ALL = """
import json, logging, os, pathlib, pkgutil, signal, sys, threading

def state():
    links = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            links[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            pass
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "files": sorted(link for link in links.values() if not link.startswith("/proc/")),
        "handlers": [repr(logger.handlers) for logger in (logging.getLogger(), logging.getLogger("gateway"))],
        "levels": [logger.level for logger in (logging.getLogger(), logging.getLogger("gateway"))],
        "signals": [repr(signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "mask": os.umask(0o022),
    }

written = []
sys.addaudithook(lambda event, args: event == "open" and isinstance(args[1], str)
                 and set(args[1]) & set("wax+") and written.append(str(args[0])))
sys.addaudithook(lambda event, args: event in ("socket.connect", "subprocess.Popen", "os.fork")
                 and written.append(event))
before = state()
import gateway
names = [found.name for found in pkgutil.walk_packages(gateway.__path__, "gateway.")]
for name in names:
    if name not in ("gateway.__main__", "gateway.migrations.env") and ".versions." not in name:
        __import__(name)
print(json.dumps({"names": names, "before": before, "after": state(), "written": written}))
"""


def test_importing_anything_does_nothing(tmp_path: Path) -> None:
    """No thread, no open file or socket, nothing written, no logging handler, no signal handler."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert {"gateway.hop", "gateway.worker", "gateway.web.hooks", "gateway.demo"} <= set(told["names"])
    assert told["after"] == told["before"]
    assert told["written"] == []
    assert list(tmp_path.iterdir()) == []


def test_two_applications_in_one_process_do_not_mix(tmp_path: Path) -> None:
    runtimes: list[Runtime] = []
    for name, secret in (("one", "the-secret-of-the-first-house"), ("two", "the-secret-of-the-second-house")):
        (tmp_path / name).mkdir()
        runtimes.append(build.runtime(tmp_path / name, hook_secrets=(secret,)))
    apps = [create_app(rt) for rt in runtimes]
    build.staff(runtimes[0])
    build.sites(runtimes[0], "First site")
    build.sites(runtimes[1], "Second site")

    def press(at: int, secret: str, text: str) -> tuple[int, str]:
        form = {"sessionId": "s", "phoneNumber": "+243990000001", "serviceCode": build.CODE, "text": text}
        path = f"/hooks/{secret}/africastalking/ussd"
        answer = apps[at].test_client().post(path, data=form)
        return answer.status_code, answer.text

    secrets = [rt.settings.hook_secrets[0] for rt in runtimes]
    assert "First site" in press(0, secrets[0], "1*1*1")[1]
    assert "Second site" in press(1, secrets[1], "1*1*1")[1]
    assert press(0, secrets[1], "")[0] == press(1, secrets[0], "")[0] == 404
    codes = {press(at, secrets[at], "1*1*1*1*1")[1] for at in (0, 1)}
    assert len(codes) == 2
    press(1, secrets[1], "1*1*1*1*1*00*2*1*1*1")
    for rt, reports in zip(runtimes, (1, 2), strict=True):
        with rt.db.read() as db:
            assert db.scalar(select(func.count()).select_from(Report)) == reports
    assert [app.test_client().get("/readyz").status_code for app in apps] == [200, 503]
    for rt in runtimes:
        rt.close()
