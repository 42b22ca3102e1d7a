"""Every page in a real browser: accessible, never wider than the screen, without a word of complaint from it."""

# axe-playwright-python ships no types.
# mypy: disable-error-code=import-untyped

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage
from playwright.sync_api import Page as Tab
from werkzeug.serving import WSGIRequestHandler, make_server

from gateway import desk
from gateway.app import create_app
from gateway.casework.report import Outcome
from gateway.providers.simulator import Simulator
from gateway.runtime import Runtime
from tests import build
from tests.web.visitor import file, first

REFRESHES = "meta-refresh"
"""The list of SMS in the demonstration loads itself anew: it holds no form, and nobody has to work with it."""
UNTOUCHED = "[type=hidden], [type=checkbox], [type=radio]"
TARGETS = f"button, select, textarea, input:not({UNTOUCHED}), nav a, tbody a, .check, summary"
CLEARED = "Clear-Site-Data header on"
ERROR_STATUS = "Failed to load resource: the server responded with a status of 4"


class Silent(WSGIRequestHandler):
    """Writes no line for a request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@pytest.fixture
def rt(tmp_path: Path) -> Iterator[Runtime]:
    """A demonstration with something on every page."""
    with Simulator() as simulator:
        made = build.runtime(tmp_path, demo=True, at_url=simulator.url)
        simulator.take({"username": ["sandbox"], "to": ["+243000000001"], "message": ["Info Mine"]})
        people = build.staff(made)
        build.sites(made, "Kasulo", "Mashamba")
        file(made, "1 1 1 1 1", "3 2 2 2 1", *["4 2 4 1 1"] * 27)
        taken = first(made, people["worker"]).id
        desk.accept(made, build.reader(people["worker"]), taken)
        desk.note(made, build.reader(people["worker"]), taken, "Appelé le centre de santé.")
        closed = first(made, people["worker"]).id
        desk.accept(made, build.reader(people["worker"]), closed)
        desk.close(made, build.reader(people["worker"]), closed, Outcome.HELPED)
        yield made
        made.close()


@pytest.fixture
def address(rt: Runtime) -> Iterator[str]:
    """A server that a browser can reach."""
    server = make_server("127.0.0.1", 0, create_app(rt), threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Reader:
    """Somebody at a screen of a size, in the light or in the dark; looks hard at every page."""

    def __init__(self, tab: Tab, address: str, *, thorough: bool = True) -> None:
        self.tab, self.address, self.thorough = tab, address, thorough
        self.said: list[str] = []
        tab.on("console", self._hear)
        tab.on("pageerror", lambda error: self.said.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        # A refused form is told with a status too; that a sign-out cleared the cache is told as an error.
        if not message.text.startswith((ERROR_STATUS, CLEARED)):
            self.said.append(message.text)

    def open(self, path: str) -> None:
        self.tab.goto(self.address + path)
        self.look()

    def press(self, selector: str) -> None:
        with self.tab.expect_navigation():
            self.tab.click(selector)
        self.look()

    def press_half_filled(self, selector: str) -> None:
        """Send a form that the browser itself would not: the page must say what is missing."""
        self.tab.locator("main input").evaluate_all("all => all.forEach(one => one.required = false)")
        self.press(selector)

    def look(self) -> None:
        """Nothing to scroll sideways, nothing that axe finds in the light or in the dark, one heading, nothing
        that the browser complains of."""
        where = self.tab.url
        wider = self.tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{where} is {wider} px too wide"
        if self.thorough:
            self._check(Axe().run(self.tab).response)
            self.tab.emulate_media(color_scheme="dark")
            self._check(self.tab.evaluate("axe.run(document, {runOnly: ['color-contrast']})"))
            self.tab.emulate_media(color_scheme="light")
        assert self.tab.locator("h1").count() == 1, where
        assert self.said == [], where

    def _check(self, result: dict[str, Any]) -> None:
        where = self.tab.url
        for found in result["violations"]:
            if not (found["id"] == REFRESHES and where.endswith("/phone/sms")):
                pytest.fail(f"{where}: {found['id']}: {found['nodes'][0]['html']}")

    def sign_in(self, login: str) -> None:
        self.tab.goto(self.address + "/sign-in")
        self.tab.fill("#login", login)
        self.tab.fill("#passphrase", build.PASSPHRASE)
        self.press("button.primary")


@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_is_fit_to_be_read(browser: Browser, address: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 740}, color_scheme="light")
    # What a wide window changes is where things stand; what axe asks is the same page in a narrow one.
    reader = Reader(context.new_page(), address, thorough=width == 360)
    tab = reader.tab

    reader.open("/sign-in")
    tab.fill("#login", "worker")
    tab.fill("#passphrase", "wrong")
    reader.press("button.primary")
    reader.open("/nowhere")

    reader.sign_in("worker")
    for shelf in ("mine", "in_work", "closed"):
        reader.open(f"/reports?shelf={shelf}")
    reader.press("tbody a")
    reader.open("/reports?shelf=closed&topic=idea")
    reader.open("/reports?shelf=mine")
    reader.press("tbody a")
    reader.press("button[value=note]")
    tab.click("details:nth-of-type(1) summary")
    tab.click("details:nth-of-type(2) summary")
    reader.look()
    reader.press("button[value=note]")
    reader.open("/reports")
    reader.press("a[rel=next]")
    reader.press("tbody a")
    reader.press("button[value=accept]")
    reader.press("text=English")
    reader.press("text=Français")
    reader.press("text=Se déconnecter")

    reader.sign_in("supervisor")
    reader.open("/people")
    reader.open("/people/new")
    reader.press("form.card button.primary")
    reader.open("/people/1")
    reader.press("button[value=invite]")
    invitation = tab.locator("code.secret").inner_text()
    reader.open("/people/2")
    reader.open("/sites")
    reader.open("/sites/1")
    tab.fill("#name", "Much too long a name")
    reader.press("button.primary")
    reader.open("/sites/new")
    reader.press("button.primary")

    reader.open("/account")
    reader.press_half_filled("button[value=passphrase]")
    reader.press("button[value=recovery]")
    reader.open("/account/second-factor")
    reader.press_half_filled("main button.primary")
    reader.press("text=Se déconnecter")

    reader.open("/recover")
    for field, typed in (("#login", "worker"), ("#recovery", "abc")):
        tab.fill(field, typed)
    reader.press_half_filled("button.primary")
    reader.open("/join")
    tab.fill("#login", "worker")
    tab.fill("#invitation", "abc-def")
    reader.press("button.primary")
    tab.fill("#login", "worker")
    tab.fill("#invitation", invitation)
    reader.press("button.primary")
    reader.press_half_filled("button.primary")
    for field in ("#passphrase", "#again"):
        tab.fill(field, "quelques mots sans aucun lien")
    reader.press("button.primary")
    reader.open("/account")
    reader.open("/reports?shelf=mine")
    reader.press("text=Se déconnecter")

    reader.sign_in("integrity")
    reader.open("/people/1")
    reader.press("button[value=confirm]")
    reader.press("text=Se déconnecter")
    tab.goto(f"{address}/sign-in")
    tab.fill("#login", "worker")
    tab.fill("#passphrase", "quelques mots sans aucun lien")
    reader.press("button.primary")
    reader.open("/reports?shelf=mine")
    reader.press("tbody a")  # sealed to the key before this one
    reader.press("text=Se déconnecter")

    reader.sign_in("supervisor")
    reader.open("/reports?shelf=in_work")
    reader.press("tbody a")
    reader.press("text=Se déconnecter")
    reader.sign_in("administrator")
    reader.open("/machine")

    reader.open("/phone")
    reader.press("button.dial")
    for _ in range(5):
        with tab.expect_navigation():
            tab.click(".keypad button:first-child")
    reader.look()
    reader.open("/phone/sms")
    context.close()


def test_every_target_on_a_phone_is_large_enough_for_a_thumb(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    reader = Reader(context.new_page(), address)
    reader.sign_in("supervisor")
    for path in ("/reports", "/people/new", "/sites", "/phone"):
        reader.tab.goto(address + path)
        small = reader.tab.evaluate(
            """targets => [...document.querySelectorAll(targets)]
            .filter(one => one.getBoundingClientRect().height < 44).map(one => one.outerHTML)""",
            TARGETS,
        )
        assert small == [], path
    context.close()


def test_keys_alone_reach_the_content_and_show_where_they_are(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 740})
    reader = Reader(context.new_page(), address)
    reader.sign_in("worker")
    reader.tab.goto(address + "/reports")
    reader.tab.keyboard.press("Tab")
    assert reader.tab.evaluate("document.activeElement.className") == "skip"
    box = reader.tab.locator(".skip").bounding_box()
    assert box is not None and box["height"] > 20
    reader.tab.keyboard.press("Enter")
    assert reader.tab.evaluate("location.hash") == "#main"
    reader.tab.keyboard.press("Tab")
    assert reader.tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    context.close()


def test_a_printed_report_is_one_page_without_forms(browser: Browser, address: str) -> None:
    context = browser.new_context()
    reader = Reader(context.new_page(), address)
    reader.sign_in("worker")
    reader.open("/reports?shelf=mine")
    reader.press("tbody a")
    reader.tab.emulate_media(media="print")
    assert reader.tab.locator("form:visible, nav:visible, button:visible, details:visible").count() == 0
    assert reader.tab.locator(".printed").is_visible()
    assert reader.tab.locator(".answers").is_visible()
    assert reader.tab.pdf(format="A4").count(b"/Type /Page\n") <= 1
    context.close()
