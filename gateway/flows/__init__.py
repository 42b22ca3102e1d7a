"""The phone side, pure: flow files become a book, key presses become turns, turns become screens."""

from gateway.flows.compiler import load
from gateway.flows.definition import (
    Act,
    Answer,
    BadFlow,
    Book,
    Clock,
    Known,
    Letter,
    Problem,
    Question,
    Reply,
    Roles,
    Site,
    Topic,
    Turn,
)
from gateway.flows.extract import extract
from gateway.flows.fold import fold
from gateway.flows.screen import render, write_message

__all__ = [
    "Act",
    "Answer",
    "BadFlow",
    "Book",
    "Clock",
    "Known",
    "Letter",
    "Problem",
    "Question",
    "Reply",
    "Roles",
    "Site",
    "Topic",
    "Turn",
    "extract",
    "fold",
    "load",
    "render",
    "write_message",
]
