"""CSV that a spreadsheet shows as it is, and does not compute: the text in it may be somebody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

COMPUTED = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a text begins that spreadsheets take for a formula."""


def guarded(value: Any) -> Any:
    """A cell's value: a text that would be a formula gets an apostrophe in front; a number stays one."""
    if not isinstance(value, str) or not value.startswith(COMPUTED) or _is_number(value):
        return value
    return f"'{value}"


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV, `guarded`, without its index; missing values are empty."""
    texts = {name: frame[name].map(guarded) for name in frame.columns if frame[name].dtype.kind not in "biuf"}
    return frame.assign(**texts).rename(columns=guarded).to_csv(index=False, lineterminator="\n")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        # A dash alone stands for nothing.
        return text == "-"
    return True
