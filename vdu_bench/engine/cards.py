"""Several cards of one machine, shared out to its worker processes. Needs no torch."""

from __future__ import annotations

from vdu_bench.errors import UserError


def devices_in(text: str) -> list[str]:
    """The devices of --device, with commas between. Raises UserError for an empty or a doubled one."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UserError(f"--device {text!r}: a name is empty; give names with commas between, such as cuda:0,cuda:1")
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"--device names {doubled[0]!r} twice; several processes share a card by --jobs alone")
    return names


def check_jobs(text: str, jobs: int) -> None:
    """Raise UserError where there are fewer processes than devices: one works on one."""
    devices = devices_in(text)
    if jobs < len(devices):
        raise UserError(
            f"--device {text!r} names {len(devices)} devices, and --jobs {jobs} is fewer: a process works on one, "
            f"so give --jobs {len(devices)} or more"
        )


def device_of(text: str, worker: int) -> str:
    """The device of a worker, from 0: they take turns, so that a card has as many workers as another, or one more."""
    devices = devices_in(text)
    return devices[worker % len(devices)]


def kind_in(text: str) -> str:
    """``auto``, ``cpu`` or ``cuda``: what a finished record is found by, whichever of a machine's cards made it."""
    kinds = dict.fromkeys(name.partition(":")[0] for name in devices_in(text))
    return ",".join(kinds)
