"""How large everything is: on a card, and in the miniature that a test runs on a CPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Settings = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Sizes:
    """What the phases run.

    Attributes:
        smoke, smoke_settings: methods of the smoke test, and changes as `vdu_bench.run` takes them.
        networks: what rates are measured of: task, batch in training, images of a sample batch, its steps.
        precisions: of the arithmetic.
        compiled: whether rates are also measured under ``torch.compile``.
        repeats: timed steps of a training, and pairs of a method's steps.
        latent_task: whose settings and prompts the memory phase takes.
        full_pipeline: whether its network is Stable Diffusion 1.x at full size, else what ships with the task.
        memory: methods of the memory phase; empty for all that take prompts.
        mnist, mnist_task: the tasks, and changes to them.
        mnist_compute: how their networks are computed in training, as a task's ``compute`` has it.
        models: what is trained, a process each.
        at_once: processes at a time, of trainings and of cells.
        cells, cells_settings: methods, and changes to their settings.
        rounds: name, samples and seed of each round of cells.
    """

    smoke: str | list[str] = "all"
    smoke_settings: Settings = field(default_factory=dict)
    networks: tuple[tuple[str, int, int, int], ...] = (
        ("mnist_1", 128, 500, 50),
        ("cifar10_ship_trained", 128, 128, 20),
        ("celeba_hats", 4, 4, 10),
    )
    precisions: tuple[str, ...] = ("bfloat16", "tf32", "float32")
    compiled: tuple[bool, ...] = (False, True)
    repeats: int = 20
    latent_task: str = "celeba_hats"
    full_pipeline: bool = True
    memory: tuple[str, ...] = ()
    mnist: tuple[str, ...] = ("mnist_1", "mnist_8")
    mnist_task: dict[str, Any] = field(default_factory=dict)
    mnist_compute: dict[str, Any] = field(default_factory=dict)
    models: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "base": ("mnist_1:base",),
            "retrain_1": ("mnist_1:retrain",),
            "retrain_8": ("mnist_8:retrain",),
            "judge": ("mnist_1:judge",),
            "second_judge": ("mnist_1:second_judge",),
        }
    )
    at_once: int = 3
    cells: str | list[str] = "all"
    cells_settings: Settings = field(default_factory=dict)
    rounds: tuple[tuple[str, int, int], ...] = (
        ("first look", 2000, 0),
        ("seed 0", 10000, 0),
        ("seed 1", 10000, 1),
        ("seed 2", 10000, 2),
    )


FULL = Sizes()

_JUDGE = {"width": 4, "features": 8, "training": {"steps": 4, "batch_size": 16, "warmup_steps": 0}}
_SECOND = {"architecture": "test_convnext", "training": {"steps": 4, "batch_size": 16, "warmup_steps": 0}}
_FEW = {"steps": 1, "batch_size": 4}

MINIATURE = Sizes(
    smoke=["vdu"],
    smoke_settings={"vdu": _FEW, "task": {"samples": 20, "sampler": {"steps": 2, "batch_size": 20}}},
    networks=(("mnist_1", 4, 4, 2), ("faces_hats", 2, 2, 2)),
    precisions=("float32", "bfloat16"),
    compiled=(False,),
    repeats=2,
    latent_task="faces_hats",
    full_pipeline=False,
    memory=("vdu", "selective_amnesia", "uce"),
    mnist=("mnist_1",),
    mnist_task={
        "model": {
            "denoiser": {
                "block_out_channels": [8, 8, 8, 8],
                "norm_num_groups": 4,
                "attention_head_dim": 8,
                "layers_per_block": 1,
            },
            "training": {"steps": 4, "batch_size": 4, "warmup_steps": 0},
        },
        "judge": _JUDGE,
        "second_judge": _SECOND,
        "sampler": {"steps": 2, "batch_size": 6},
        "inception": None,
    },
    models={
        "base": ("mnist_1:base", "mnist_1:retrain"),
        "judges": ("mnist_1:judge", "mnist_1:second_judge"),
    },
    at_once=1,
    cells=["vdu"],
    cells_settings={"vdu": _FEW},
    rounds=(("first look", 12, 0),),
)
