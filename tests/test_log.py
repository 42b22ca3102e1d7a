"""What reaches the log of a process: events and fields of ours, and nobody's words."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from gateway import log

NUMBER = "+243990000001"
WORDS = "the pit of my brother"


def run(program: str) -> list[dict[str, Any]]:
    """The lines that a process of its own writes, which configured its log first."""
    whole = "import logging, threading, warnings, sys\nfrom gateway import log\nlog.configure('test')\n"
    whole += f"NUMBER, WORDS = {NUMBER!r}, {WORDS!r}\n" + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    for planted in (NUMBER, NUMBER[1:], WORDS, "brother"):
        assert planted not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_an_event_is_one_line_with_its_fields() -> None:
    (line,) = run("log.event('sms.sent', row=7, attempt=1)")
    assert line.pop("at")
    assert line == {"level": "info", "process": "test", "event": "sms.sent", "row": 7, "attempt": 1}


def test_a_line_break_in_a_value_breaks_no_line() -> None:
    (line,) = run("log.event('a\\nb', reason='c\\nd\\u2028e')")
    assert (line["event"], line["reason"]) == ("a\nb", "c\nd\u2028e")


def test_a_percent_sign_is_only_a_sign() -> None:
    assert [line["event"] for line in run("log.event('100 %s %d')")] == ["100 %s %d"]


@pytest.mark.parametrize("field", ["number", "caller", "text", "msg", "args", "code", "session", "url"])
def test_a_field_that_is_not_on_the_list_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        log.event("an.event", level=logging.INFO, error=None, **{field: "x"})


def test_no_field_of_the_list_is_named_after_what_must_not_be_there() -> None:
    assert not log.FIELDS & {
        "number",
        "caller",
        "text",
        "words",
        "code",
        "session",
        "url",
        "path",
        "message",
        "args",
    }


def test_a_warning_is_an_event_that_a_technician_looks_for() -> None:
    (line,) = run("log.warn('redis.gone', job='send')")
    assert (line["level"], line["event"], line["job"]) == ("warning", "redis.gone", "send")


def test_a_library_keeps_its_name_and_place_and_loses_its_words() -> None:
    lines = run(
        """
        logger = logging.getLogger('some.library')
        logger.error(f'sent to {NUMBER}: {WORDS}')
        logger.error('sent to %s: %s', NUMBER, WORDS)
        logger.error('sent', extra={'to': NUMBER, 'fields': {'row': NUMBER}, 'event': WORDS})
        logger.error({'to': NUMBER})
        logger.error('broken %d', WORDS)
        """
    )
    assert [sorted(line) for line in lines] == [["at", "level", "logger", "place", "process"]] * 5
    assert {line["logger"] for line in lines} == {"some.library"}


def test_even_a_part_of_ours_that_is_not_the_log_itself_keeps_no_words() -> None:
    (line,) = run("logging.getLogger('gateway.somewhere').warning(WORDS)")
    assert line["logger"] == "gateway.somewhere"
    assert "event" not in line


def test_loggers_that_were_there_first_are_quiet_and_have_no_road_of_their_own() -> None:
    lines = run(
        """
        early = logging.getLogger('early.library')
        early.addHandler(logging.StreamHandler(sys.stdout))
        early.propagate = False
        early.setLevel(logging.DEBUG)
        log.configure('test')
        early.info(NUMBER)
        early.warning(NUMBER)
        """
    )
    assert [line["logger"] for line in lines] == ["early.library"]


def test_an_exception_keeps_types_and_lines_and_loses_its_text() -> None:
    lines = run(
        """
        class Broken(Exception): pass
        def inner():
            raise LookupError(NUMBER)
        def outer():
            try:
                inner()
            except LookupError as error:
                raise Broken(f'{WORDS} {NUMBER}') from error
        try:
            outer()
        except Broken as error:
            error.add_note(NUMBER)
            log.warn('hop.not_done', error=error)
            logging.getLogger('some.library').exception('failed for %s', NUMBER)
        """
    )
    for line in lines:
        assert line["error"][:2] == ["Broken", "LookupError"]
        assert line["error"][2:] == ["<module> <string>:17", "outer <string>:12"] or line["error"][2].startswith(
            "<module>"
        )


def test_an_exception_from_nobody_hides_its_text_too() -> None:
    (line,) = run(
        """
        try:
            try:
                raise KeyError(NUMBER)
            except KeyError:
                raise ValueError(WORDS) from None
        except ValueError as error:
            log.event('x', error=error)
        """
    )
    assert line["error"][0] == "ValueError"


def test_a_group_of_exceptions_keeps_no_text() -> None:
    (line,) = run("log.event('x', error=ExceptionGroup(WORDS, [ValueError(NUMBER)]))")
    assert line["error"] == ["ExceptionGroup"]


def test_a_chain_of_exceptions_that_bites_its_tail_ends() -> None:
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first
    assert log.scrub(first) == ["ValueError", "KeyError", "ValueError", "KeyError", "ValueError"]


def test_a_deep_failure_is_cut_to_its_last_lines() -> None:
    def fall(depth: int) -> None:
        if depth == 0:
            raise ValueError
        fall(depth - 1)

    with pytest.raises(ValueError) as fallen:
        fall(50)
    assert len(log.scrub(fallen.value)) == 1 + 8


def test_an_exception_that_nobody_caught_loses_its_text_in_a_thread_and_in_the_process() -> None:
    lines = run(
        """
        def fail():
            raise RuntimeError(NUMBER)
        thread = threading.Thread(target=fail, name=WORDS)
        thread.start()
        thread.join()
        raise ValueError(f'{WORDS} {NUMBER}')
        """
    )
    assert [(line["event"], line["level"], line["error"][0]) for line in lines] == [
        ("died", "critical", "RuntimeError"),
        ("died", "critical", "ValueError"),
    ]


def test_a_warning_of_python_keeps_no_words() -> None:
    (line,) = run("warnings.warn(f'{WORDS} {NUMBER}')")
    assert line["logger"] == "py.warnings"


def test_importing_the_log_changes_nothing() -> None:
    program = "import logging, sys\nbefore = sys.excepthook\nimport gateway.log\n"
    program += "assert logging.getLogger().handlers == [] and sys.excepthook is before"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_without_configuration_an_event_breaks_nothing() -> None:
    log.event("an.event", row=1)
    assert logging.getLogger("gateway").name == "gateway"
