"""A refusal says which answer to mend and why, and repeats nothing that was typed."""

from __future__ import annotations

from gateway.casework import Refused


def test_a_refusal_names_the_answer_and_the_reason() -> None:
    refused = Refused("name", "At most %(most)s letters.", most=12)
    assert (refused.field, refused.why % refused.values) == ("name", "At most 12 letters.")


def test_the_text_of_a_refusal_holds_no_value() -> None:
    refused = Refused("number", "Not %(number)s.", number="+243990000001")
    assert "+243" not in str(refused)
    assert "+243" not in repr(refused)
