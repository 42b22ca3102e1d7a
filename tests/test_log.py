"""What reaches the log of a process: events and fields of ours, and nobody's words."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import textwrap
from enum import StrEnum
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


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    "value", [7, -1, 0.5, True, 2**62, "sent", "P0", "admin.reports.show", Colour.RED, "a-b_c:d"]
)
def test_a_value_is_a_number_or_one_short_word(value: Any) -> None:
    log.event("an.event", reason=value)


UNSAFE = [
    NUMBER,
    NUMBER[1:],
    "0990000",
    "x1234567",
    WORDS,
    "two words",
    "caf\u00e9",
    "line\nbreak",
    "sent\n",
    "",
    "x" * 41,
    "{}",
    "a/b",
    "\u0662\u0664\u0663",
]


@pytest.mark.parametrize("value", [*UNSAFE, None, [NUMBER], {"to": NUMBER}, b"sent", ValueError(NUMBER)])
def test_any_other_value_is_refused_and_not_even_named_in_the_refusal(value: Any) -> None:
    with pytest.raises(ValueError, match="not for the log: reason") as refused:
        log.event("an.event", reason=value, row=1)
    assert str(refused.value) == "not for the log: reason"


@pytest.mark.parametrize("name", ["two words", NUMBER, "a\nb", "", "100%s of it"])
def test_the_name_of_an_event_is_one_word_too(name: str) -> None:
    with pytest.raises(ValueError, match="the name of an event"):
        log.event(name)


def test_a_process_at_work_goes_on_and_leaves_unsaid_what_may_not_be_written() -> None:
    lines = run(
        f"""
        for value in {UNSAFE!r}:
            log.event('an.event', reason=value, row=1)
        log.event('an.event', number=NUMBER, row=2)
        log.event(WORDS, row=3)
        log.event('an.event', reason=ValueError(NUMBER))
        """
    )
    assert {line["reason"] for line in lines if line.get("row") == 1} == {log.UNSAID}
    assert len(lines) == len(UNSAFE) + 3
    without, nameless, odd = lines[-3:]
    assert (without["row"], "number" in without) == (2, False)
    assert (nameless["event"], nameless["row"], odd["reason"]) == (log.UNSAID, 3, log.UNSAID)


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
    assert line["error"] == ["ExceptionGroup", "ValueError"]


def test_a_group_names_the_types_of_its_members() -> None:
    group = ExceptionGroup(WORDS, [ValueError(NUMBER), KeyError(WORDS)])
    assert log.scrub(group) == ["ExceptionGroup", "ValueError", "KeyError"]


def test_a_type_or_a_place_that_was_named_at_run_time_is_unsaid() -> None:
    lines = run(
        """
        named = type(WORDS, (Exception,), {'__repr__': lambda self: NUMBER, '__str__': lambda self: 1 / 0})
        program = compile('def fail(kind): raise kind(1)', f'/{NUMBER}/{WORDS}.py', 'exec')
        exec(program)
        fail.__code__ = fail.__code__.replace(co_name=NUMBER)
        try:
            fail(named)
        except Exception as error:
            log.event('x', error=error)
            logging.getLogger(f'library of {WORDS}').error(NUMBER)
            logging.addLevelName(35, WORDS)
            logging.getLogger('library').log(35, NUMBER, exc_info=True)
        """
    )
    assert lines[0]["error"] == ["?", "<module> <string>:11", "? ?:1"]
    assert lines[1]["logger"] == "?"
    assert lines[2]["level"] == "?"


def test_a_record_that_cannot_be_written_is_not_printed_either() -> None:
    lines = run(
        """
        class Odd:
            def __str__(self): raise ValueError(NUMBER)
        logging.getLogger('gateway').error('%d of %s', WORDS, NUMBER)
        logging.getLogger('gateway').error(Odd(), extra={'fields': {'row': NUMBER}})
        logging.getLogger('library').error(Odd(), Odd())
        """
    )
    assert [line["logger"] for line in lines] == ["gateway", "gateway", "library"]


def test_what_a_process_prints_that_serves_goes_nowhere() -> None:
    lines = run(
        """
        log.hush()
        log.hush()
        print(NUMBER)
        print(WORDS, file=sys.stderr)
        sys.stderr.writelines([WORDS])
        import traceback
        try:
            raise ValueError(NUMBER)
        except ValueError:
            traceback.print_exc()
        log.configure('worker')
        log.event('still.here')
        """
    )
    assert [line["event"] for line in lines] == ["still.here"]


def test_what_fails_where_nobody_can_catch_it_keeps_no_text() -> None:
    lines = run(
        """
        class Closing:
            def __del__(self): raise ValueError(NUMBER)
        Closing()
        import asyncio
        async def fail(): raise RuntimeError(WORDS)
        async def main():
            asyncio.ensure_future(fail())
            await asyncio.sleep(0)
        asyncio.run(main())
        """
    )
    assert [line["error"][0] for line in lines] == ["ValueError", "RuntimeError"]


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
