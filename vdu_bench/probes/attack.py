"""The base class of attacks: probes that try to bring back what was to be forgotten."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.specs import SamplerSpec
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.probe import Probe
from vdu_bench.tasks.task import Task

Number = TypeVar("Number", int, float)

UNATTACKED = "before"
"""What the images are called that the model makes before anything is done to it."""

DEFAULT_SAMPLES = {False: 300, True: 100}
"""Images a look, by whether the model takes prompts: fewer with them, as nearly all the original's show it then."""


def look_name(series: str, effort: int) -> str:
    """What the images of one look are called: what the attacker had, and how far it had come."""
    return f"{series}@{effort}"


def effort_of(look: str) -> int | None:
    """How far an attacker had come by a look; None where looks are in no order."""
    series, at, effort = look.rpartition("@")
    return int(effort) if at and series and effort.isdigit() else None


def rising(values: tuple[Number, ...]) -> tuple[Number, ...]:
    """The same values. Raises ValueError unless they rise: two looks would have one name, or stand in no order."""
    if list(values) != sorted(set(values)):
        raise ValueError("numbers have to rise")
    return values


class Attack(Probe):
    """Tries to make a model show the concept, by whatever means, and draws images of what comes of it.

    What `draw` gives are *looks*: images of the same rows, from the same noise for all models, by name. One that is
    called ``before`` is of the model as it is; where the effort grows, names are ``SERIES@EFFORT`` (`look_name`). The
    attacked rate is the share that shows the concept over all looks but ``before``.

    A subclass says ``attack = True`` as a literal of its own, so that listings find it without importing it.

    Raises:
        TypeError: when a subclass does not.
    """

    attack: ClassVar[bool] = True

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if cls.__dict__.get("attack") is not True:
            raise TypeError(f"{cls.__name__}: an attack says `attack = True` in its own class statement")

    def rows_per_unit(self) -> int:
        """How many rows that follow each other belong together and are not independent."""
        return 1


def ask_for_concept(model: DiffusionModel, context: ProbeContext, n: int, sampler: SamplerSpec | None = None) -> Tensor:
    """`n` images, uint8 ``[n, C, H, W]``, of the judged prompts that ask for the concept, if it takes prompts at all.

    From the noise that all attacks on a task's models share. Raises Diverged where they are not finite.
    """
    prompts = None if context.prompts is None else context.prompts.cycled("forget", n)
    return model.sample(n, prompts, context.noise(n, "attack"), sampler or context.sampler, context.on_batch)


def count_of(samples: int | None, context: ProbeContext) -> int:
    """Images a look: as set, or by the kind of model."""
    return samples or DEFAULT_SAMPLES[context.prompts is not None]


def check_enough(task: Task, attack: str, wanted: int, there: int, they: str, setting: str = "images") -> None:
    """Raise UserError where an attacker is to have more images, by a setting of it, than there are; `they` are what."""
    if wanted > there:
        raise UserError(
            f"{task.name}: {attack} is to have {wanted} images, and {there} training images {they}; give it fewer by "
            f"--set 'task.probe_settings.{attack}.{setting}={f'[{there}]' if setting == 'images' else there}'"
        )
