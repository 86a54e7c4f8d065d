"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import IMAGE, SCRIPT, no_samples
from page_reader import Page, sorted_by

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Any, page_file: Path) -> Iterator[Page]:
    """Opened; afterwards nothing was said on the console, and nobody's script has run."""
    from selenium.common.exceptions import NoAlertPresentException

    browser.get_log("browser")
    made = Page(browser, page_file)
    made.open()
    yield made
    with pytest.raises(NoAlertPresentException):
        _ = browser.switch_to.alert.text
    assert browser.get_log("browser") == []
    assert made.run("return document.querySelectorAll('img[src=x]').length") == 0


def numbers(texts: list[str]) -> list[float]:
    return [float(text.replace(",", "")) for text in texts if text[0] in "-0123456789"]


def test_a_column_sorts_either_way_with_what_is_missing_last(page: Page) -> None:
    page.header("junk rate").click()
    page.settle(sorted_by("junk rate", "ascending"))
    rising = page.column("junk rate")
    page.header("junk rate").click()
    page.settle(sorted_by("junk rate", "descending"))
    falling = page.column("junk rate")
    assert numbers(rising) == sorted(numbers(rising))
    assert numbers(falling) == sorted(numbers(falling), reverse=True)
    assert len(numbers(rising)) > 5
    assert rising[-1] == falling[-1] == "diverged"
    assert page.header("junk rate").get_attribute("aria-sort") == "descending"


def test_a_column_sorts_by_the_keyboard(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    head = page.header("junk rate").find_element("css selector", "[tabindex='0']")
    head.send_keys(Keys.ENTER)
    page.settle(sorted_by("junk rate", "ascending"))
    found = numbers(page.column("junk rate"))
    assert found == sorted(found)


def test_rows_are_searched_and_filtered_and_all_come_back(page: Page) -> None:
    everything = page.methods()
    page.find("#search").send_keys("esd")
    assert page.methods() == ["esd"]
    page.find("button.plain").click()
    assert page.methods() == everything
    page.find("[data-facet=state] option[value=diverged]").click()
    assert page.methods() == ["salun"]
    page.find("[data-facet=state] option[value='']").click()
    page.find("[data-facet=role] option[value=reference]").click()
    assert sorted(page.methods()) == ["original", "retrain"]


def test_a_name_is_searched_as_it_is_written(page: Page) -> None:
    page.find("#search").send_keys("<script>")
    assert page.methods() == [SCRIPT]


def test_columns_are_chosen_by_what_they_are_about(page: Page) -> None:
    buttons = page.driver.find_elements("css selector", ".choice button")
    next(button for button in buttons if button.text == "Robustness").click()
    heads = [head.text for head in page.driver.find_elements("css selector", "table.board thead th")]
    assert [head.split()[0] for head in heads] == ["method", "comes", "comes", "comes", "relearned"]


def test_a_point_leads_to_its_row(page: Page) -> None:
    page.find("#search").send_keys("vdu")  # the row that is asked for is not among those shown
    page.find(".figure svg [aria-label^='gradient_ascent']").click()
    page.settle("return document.activeElement.dataset.method === 'gradient_ascent'")
    assert page.run("return location.hash") == "#digits_1/gradient_ascent"
    assert page.find("tr.chosen").get_attribute("data-method") == "gradient_ascent"


def test_a_legend_leads_to_its_row_by_the_keyboard(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.find(".legend a[href$='/esd']").send_keys(Keys.ENTER)
    page.settle("return document.activeElement.dataset.method === 'esd'")


def test_a_point_says_what_it_is_under_the_pointer(page: Page) -> None:
    from selenium.webdriver import ActionChains

    point = page.find(".figure svg [aria-label^='gradient_ascent']")
    ActionChains(page.driver).move_to_element(point).perform()
    page.settle("return document.getElementById('tip').textContent.startsWith('gradient_ascent')")
    assert "PUL (%): " in page.run("return document.getElementById('tip').textContent")


def test_an_address_opens_a_task_and_a_row(page: Page) -> None:
    page.open("#digits_8/vdu")
    assert page.find("h2").text.startswith("digits_8")
    assert page.run("return document.activeElement.dataset.method") == "vdu"
    page.find("#task-links li:first-child a").click()
    page.settle("return document.querySelector('h2').textContent.startsWith('digits_1')")


def test_the_axes_are_chosen(page: Page) -> None:
    select = page.find("[data-axis=x]")
    before = page.run("return document.querySelector('.figure svg').textContent")
    wanted = next(option for option in select.find_elements("css selector", "option") if "junk rate" in option.text)
    wanted.click()
    page.settle()
    after = page.run("return document.querySelector('.figure svg').textContent")
    assert "junk rate" in after
    assert "junk rate" not in before


@pytest.mark.parametrize("method", ["vdu", SCRIPT, f"other[{IMAGE}]"])
def test_behind_a_row_are_settings_costs_and_environment(page: Page, method: str) -> None:
    from selenium.webdriver.common.keys import Keys

    name = next(one for one in page.driver.find_elements("css selector", ".board .name") if one.text == method)
    page.run("arguments[0].scrollIntoView({block: 'center'})", name)
    name.send_keys(Keys.ENTER)
    page.settle("return document.querySelector('dialog').open")
    heads = [head.text for head in page.driver.find_elements("css selector", "dialog h3")]
    assert heads[:5] == ["Samples", "Numbers", "Settings", "Costs", "Environment"]
    assert "does not have these samples" in page.find("dialog").text
    assert page.find("#details-title").text == method
    page.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    page.settle("return !document.querySelector('dialog').open")
    assert page.run("return document.activeElement.textContent") == method


def test_all_figures_and_the_table_of_data_are_there(page: Page) -> None:
    titles = [head.text for head in page.driver.find_elements("css selector", "main h3")]
    assert titles == ["Leaderboard", "Trade-off", "Frontiers", "comes_back_N", "relearned", "By how much data"]
    cells = page.driver.find_elements("css selector", "table.amounts td a")
    assert next(cell for cell in cells if "digits_1-forget5" in cell.get_attribute("href"))


def test_every_control_and_region_has_a_name(page: Page) -> None:
    nameless = page.run(
        """
        return [...document.querySelectorAll('button, select, input, a, [role=region], nav, dialog[open], svg.marks')]
          .filter(one => one.checkVisibility() && !one.closest('details:not([open])'))
          .filter(one => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))
          .map(one => one.outerHTML.slice(0, 120))"""
    )
    assert nameless == []
    assert page.run("return [...document.querySelectorAll('table')].every(one => one.caption)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_system_and_the_switch(page: Page, scheme: str) -> None:
    emulated = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", emulated)
    page.open()
    light = "getComputedStyle(document.documentElement).backgroundColor === 'rgb(246, 247, 249)'"
    assert page.run(f"return {light}") == (scheme == "light")
    other = "dark" if scheme == "light" else "light"
    page.find(f"#theme option[value={other}]").click()
    page.settle(f"return ({light}) === {str(other == 'light').lower()}")
    page.find("#theme option[value='light dark']").click()
    page.settle()


def test_a_phone_never_scrolls_the_page_sideways(page: Page) -> None:
    size = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for address in ("#digits_1", "#digits_8"):
            page.open(address)
            assert page.run("return [innerWidth, document.documentElement.scrollWidth]") == [360, 360]
        page.find(".board .name").click()
        page.settle("return document.querySelector('dialog').open")
        widths = page.run("const one = document.querySelector('dialog'); return [one.scrollWidth, one.clientWidth]")
        assert widths[0] == widths[1]
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_nothing_is_asked_of_a_network(page: Page) -> None:
    fetched = page.run("return performance.getEntriesByType('resource').map(one => one.name)")
    assert [name for name in fetched if not name.startswith(("blob:", "data:"))] == []


@pytest.mark.usefixtures("libraries")
def test_many_tasks_are_a_choice(browser: Any, tmp_path: Path, make_records: Callable[..., list[Any]]) -> None:
    from vdu_bench.reports.page.page import page_text

    records = make_records([f"digits_{index}" for index in range(15)], seeds=(0,))
    (tmp_path / "index.html").write_text(page_text(records, no_samples, "Many"))
    page = Page(browser, tmp_path / "index.html")
    page.open()
    page.find("#task-choice option:last-child").click()
    page.settle("return document.querySelector('h2').textContent.startsWith('digits_9')")
    page.settle()
