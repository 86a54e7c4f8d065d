"""The course of a run: what is done is kept and read back, what would take too long is left, and both are said."""

from __future__ import annotations

import json
import math
import os
import signal
import statistics
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

RESULT = "gpu.json"
ENOUGH = 30.0
"""Seconds that a part which can be cut off, and goes on another time, is worth beginning for."""


class OutOfTime(KeyboardInterrupt):
    """The time is over. The suite takes it as it takes Ctrl-C: nothing is lost, the same command goes on from there."""


class Course:
    """The parts of a run, by phase.

    Args:
        out: where everything is kept: a part's result in ``parts/PHASE/PART.json``, all of them in ``gpu.json``.
        seconds: how long the run may take from now.
        facts: what is known of the machine, and how the run was asked for.
        say: takes a line for who watches.
    """

    def __init__(self, out: Path, seconds: float, facts: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self.out, self.facts, self.say = out, dict(facts), say
        self._end = self._phase_end = time.monotonic() + seconds
        self._phase = ""
        self.not_run: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.archives: dict[str, list[dict[str, Any]]] = {}
        """By folder, its pieces; those of an earlier sitting are read back."""
        if (out / RESULT).exists():
            self.archives |= json.loads((out / RESULT).read_text(encoding="utf-8")).get("archives") or {}

    @property
    def left(self) -> float:
        """Seconds that are left to the phase."""
        return min(self._end, self._phase_end) - time.monotonic()

    @contextmanager
    def phase(self, name: str, seconds: float) -> Iterator[None]:
        """A phase, which may take so many of the seconds that are left; an error outside of its parts is noted."""
        self._phase, self._phase_end = name, time.monotonic() + seconds
        try:
            yield
        except Exception as error:
            self._fail(name, error)
        finally:
            self._phase, self._phase_end = "", self._end
            self.write()

    def part(
        self, name: str, expected: float, work: Callable[[], dict[str, Any]], goes_on: bool = False
    ) -> dict[str, Any] | None:
        """What a part gave: read back where it was done, else made now where time is left; None where it is not there.

        Args:
            name: of the part, in its phase.
            expected: seconds, before anything of the phase was measured; after that, times how far those were off.
            work: gives what the part shows, as plain JSON.
            goes_on: whether it may be cut off and goes on another time.
        """
        key = f"{self._phase}/{name}"
        file = self.out / "parts" / self._phase / f"{_file_name(name)}.json"
        if file.exists():
            self.say(f"{key}: done before")
            result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["result"]
            return result
        estimate = min(ENOUGH, expected) if goes_on else expected * self._pace()
        if self.left < estimate:
            self._leave(key, f"{max(0, self.left):.0f} s were left, and about {estimate:.0f} are needed")
            return None
        started = time.monotonic()
        try:
            with time_limit(self.left):
                result = work()
        except OutOfTime:
            taken = time.monotonic() - started
            self._leave(key, f"stopped after {taken:.0f} s, when the time was over" + "; it goes on there" * goes_on)
            return None
        except Exception as error:
            self._fail(key, error)
            return None
        taken = time.monotonic() - started
        _write(file, {"seconds": round(taken, 3), "expected": expected, "result": result})
        self.say(f"{key}: {taken:.1f} s")
        self.write()
        return result

    def leave(self, why: str) -> None:
        """Note that the phase cannot be run."""
        self._leave(self._phase, why)

    def results(self) -> dict[str, dict[str, Any]]:
        """By phase and part, what was found, in this sitting or before."""
        found: dict[str, dict[str, Any]] = {}
        for file in sorted((self.out / "parts").glob("*/*.json")):
            found.setdefault(file.parent.name, {})[file.stem] = json.loads(file.read_text(encoding="utf-8"))
        return found

    def write(self) -> None:
        """Write all that is known into one file."""
        whole = {
            **self.facts,
            "phases": self.results(),
            "not_run": self.not_run,
            "failed": self.failed,
            "archives": self.archives,
        }
        _write(self.out / RESULT, whole)

    def _pace(self) -> float:
        """How many times as long as expected the phase's parts took, as the median; 1 before there are any."""
        done = self.results().get(self._phase, {}).values()
        return statistics.median([one["seconds"] / one["expected"] for one in done] or [1.0])

    def _leave(self, key: str, why: str) -> None:
        self.say(f"{key}: not run: {why}")
        self.not_run[key] = why

    def _fail(self, key: str, error: Exception) -> None:
        self.say(f"{key}: failed: {type(error).__name__}: {error}")
        self.failed[key] = f"{type(error).__name__}: {error}"
        place = self.out / "errors" / f"{_file_name(key)}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("".join(traceback.format_exception(error)), encoding="utf-8")


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises OutOfTime in the block, wherever Python is then, once the seconds are over. Of the main thread alone."""

    def over(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, over)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    started = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer:
            # An outer limit goes on with what it has left.
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - started), 0.001))


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in name)


def _plain(value: Any) -> Any:
    """The same with null for what is no finite number, as records have it: JSON knows none."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps(_plain(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(new, file)
