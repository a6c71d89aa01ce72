"""The widget in a page that has a style and ids of its own, as CloudWatch's page has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import WIDTHS
from tests.unit.pages.tales import KEPT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.chromium import Browser, Window

pytestmark = pytest.mark.browser
ANSWERS = sorted((KEPT / "widget").glob("*.html"))
each_answer = pytest.mark.parametrize("file", ANSWERS, ids=lambda file: file.stem)
# What a console may have: elements and classes with the names that the widget's style speaks of.
AROUND = """<!DOCTYPE html><html lang="en">
<head><meta charset="utf-8"><title>Dashboard</title><style>{style}</style></head>
<body><main><h1 id="attempts">Dashboard</h1><p class="lead">Lead</p><a href="#attempts">a link</a>
<table class="runs"><caption>Theirs</caption><tbody><tr><th scope="row">a</th><td class="n">b</td></tr></tbody></table>
<button class="button" type="button">Theirs</button>{widgets}</main></body></html>"""
STYLE = "body{margin:0;background:BACK;color:INK} a,p.lead{color:INK}"
DARK = STYLE.replace("BACK", "#0f1b2a").replace("INK", "#ffffff")
LIGHT = STYLE.replace("BACK", "#ffffff").replace("INK", "#000000")
LOOKS = """[...document.querySelectorAll("main > :not(div), main > table *")]
    .map(element => JSON.stringify([...getComputedStyle(element)].map(key => getComputedStyle(element)[key])))"""


def open_dashboard(browser: Browser, folder: Path, *answers: str, width: int = 900, dark: bool = False) -> Window:
    """Open a page with the widgets in it."""
    page = folder / "dashboard.html"
    page.write_text(AROUND.format(style=DARK if dark else LIGHT, widgets="".join(answers)), "utf-8")
    return browser.open(page.as_uri(), width, "dark" if dark else "light")


@each_answer
def test_axe_finds_nothing_wrong_with_a_widget_and_it_loads_and_reports_nothing(
    browser: Browser, tmp_path: Path, file: Path
) -> None:
    for width in WIDTHS:
        window = open_dashboard(browser, tmp_path, file.read_text("utf-8"), width=width, dark="dark" in file.stem)
        window.shoot(f"widget-{file.stem}-{width}")
        assert window.find_violations() == [], width
        assert window.messages == []
        assert len(window.requests) == 1
        assert not window.overflows(), width


@each_answer
def test_the_style_of_a_widget_changes_nothing_outside_of_it(browser: Browser, tmp_path: Path, file: Path) -> None:
    looks = open_dashboard(browser, tmp_path).page.evaluate(LOOKS)
    answer = file.read_text("utf-8")
    # The page gets longer, and nothing else of it changes: the widget is out of its flow here.
    outside = f'<div style="position:absolute;left:0;top:2000px;width:800px">{answer}</div>'
    assert open_dashboard(browser, tmp_path, outside).page.evaluate(LOOKS) == looks
    assert len(looks) > 8


def test_two_widgets_in_a_dashboard_keep_their_own_themes_and_patterns(browser: Browser, tmp_path: Path) -> None:
    light = (KEPT / "widget" / "run.html").read_text("utf-8")
    dark = (KEPT / "widget" / "runs_dark_and_narrow.html").read_text("utf-8").replace("widget-2", "widget-3")
    page = open_dashboard(browser, tmp_path, light, dark).page
    colour = "name => getComputedStyle(document.querySelector(`.spot-relay-${name}`)).backgroundColor"
    assert page.evaluate(colour, "widget-2") == "rgb(255, 255, 255)"
    assert page.evaluate(colour, "widget-3") == "rgb(24, 32, 41)"
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))
    stroke = page.evaluate("getComputedStyle(document.querySelector('.spot-relay-widget-2 .od .t')).stroke")
    assert "#spot-relay-widget-2-od" in stroke


def test_whatever_can_be_pressed_is_reached_with_the_keyboard(browser: Browser, tmp_path: Path) -> None:
    page = open_dashboard(browser, tmp_path, (KEPT / "widget" / "run.html").read_text("utf-8")).page
    actions = page.locator("cwdb-action")
    assert actions.count() > 4
    page.evaluate(
        """document.querySelectorAll("cwdb-action").forEach(action =>
            action.previousElementSibling.addEventListener("click", () => action.setAttribute("data-pressed", "")))"""
    )
    for index in range(actions.count()):
        actions.nth(index).evaluate("action => action.previousElementSibling.focus()")
        page.keyboard.press("Enter")
        assert actions.nth(index).get_attribute("data-pressed") == ""
