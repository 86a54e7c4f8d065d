"""What a reader of the page does, in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

METHODS = "return [...document.querySelectorAll('table.board tbody tr')].map(row => row.dataset.method)"
QUIET = """
return document.querySelector('main').getAttribute('aria-busy') === 'false'
  && [...document.querySelectorAll('.canvas')].every(one => one.dataset.ready)"""


class Page:
    """What a reader does."""

    def __init__(self, driver: Any, file: Path) -> None:
        self.driver, self.file = driver, file

    def open(self, address: str = "") -> None:
        self.driver.get("about:blank")
        self.driver.get(f"{self.file.as_uri()}{address}")
        self.settle()

    def settle(self, until: str = QUIET) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 30).until(lambda driver: driver.execute_script(until))

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, css: str) -> Any:
        element = self.driver.find_element("css selector", css)
        self.run("arguments[0].scrollIntoView({block: 'center', inline: 'center'})", element)
        return element

    def methods(self) -> list[str]:
        return self.run(METHODS)

    def column(self, title: str) -> list[str]:
        return self.run(
            """
            const heads = [...document.querySelectorAll('table.board thead th')];
            const place = heads.findIndex(head => head.textContent.includes(arguments[0]));
            return [...document.querySelectorAll('table.board tbody tr')]
              .map(row => row.children[place].querySelector('.value').firstChild.textContent)""",
            title,
        )

    def header(self, title: str) -> Any:
        heads = self.driver.find_elements("css selector", "table.board thead th")
        return next(head for head in heads if title in head.text)


def sorted_by(title: str, order: str) -> str:
    """What to wait for after a click or a key on a heading: on a busy machine the driver may answer before the page."""
    return f"return document.querySelector('table.board th[aria-sort={order}]')?.textContent.includes('{title}')"
