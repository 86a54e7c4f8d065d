"""The parts of a diffusers pipeline from their files: nothing is unpickled but tensors, and nothing may be missing."""

from __future__ import annotations

import inspect
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import diffusers
import torch
from diffusers import ConfigMixin, DDPMScheduler

from vdu_bench.errors import UserError, in_short
from vdu_bench.files import what_it_is
from vdu_bench.models.pipelines.as_read import only_these
from vdu_bench.models.pipelines.pipeline_files import CONFIG, component_file, variant_of, weights_files
from vdu_bench.models.pipelines.schedule import scheduler_config
from vdu_bench.models.specs import NOISE


def read_component(cls: Any, folder: Path, component: str, source: str | Path) -> Any:
    """A network of diffusers or transformers, as float32 on the CPU.

    Where there are both formats, safetensors are read, and a variant (``.fp16``) where there is neither. A pickled
    ``.bin`` is read by torch's ``weights_only=True``, which runs no code. Only what `weights_files` names is read,
    whatever lies beside it.

    Args:
        cls: the network's class.
        folder: the pipeline's.
        component: the network's own folder inside that; empty where it is that folder itself.
        source: how the user called the pipeline, for messages.

    Raises:
        UserError: there are no weights, one of them is missing, of the wrong shape or left over, a ``.bin`` holds more
            than tensors, or the configuration names something else to read (`only_these`).
    """
    name = component or "U-Net"
    files = weights_files(folder, component)
    if not files:
        raise UserError(f"{source} has no weights for its {name}: neither safetensors nor a .bin")
    for file in files:
        if other := what_it_is(file):
            raise UserError(f"{source}: {file.relative_to(folder).as_posix()} {other}")
    safe = ".safetensors" in files[0].name
    try:
        # The network is initialised before it is filled; the global generator is set aside for that.
        config = component_file(folder, component, CONFIG)
        with torch.random.fork_rng(devices=[]), only_these(config, files, source) as place:
            module, report = cls.from_pretrained(
                place,
                use_safetensors=safe,
                local_files_only=True,
                low_cpu_mem_usage=False,
                output_loading_info=True,
                variant=variant_of(files[0]),
            )
    except UserError:
        raise
    # Whatever the libraries make of a damaged or a hostile file.
    except Exception as error:
        if not safe:
            raise unread_pickle(source, files[0].relative_to(folder).as_posix(), error) from error
        raise UserError(f"{source}: the {name} cannot be read ({in_short(error)})") from error
    wrong = {key: sorted(map(str, report[key])) for key in ("missing_keys", "mismatched_keys", "unexpected_keys")}
    for key, names in wrong.items():
        if names:
            raise UserError(f"{source}: the {name} has {len(names)} {key.replace('_', ' ')}, such as {names[0]}")
    if isinstance(module, ConfigMixin):
        # Where it was read from would be written into the next folder that it is saved to, and into its checksum; and
        # of a U-Net from before 0.9 diffusers' pipeline believes that it works on 64x64 at least.
        module.register_to_config(_name_or_path="", _diffusers_version=diffusers.__version__)
    return module.float()


def read_noise_scheduler(folder: Path, source: str | Path) -> DDPMScheduler:
    """A pipeline's noise schedule, and nothing of the sampler that it was saved with.

    What its file does not say is as the scheduler of its class has it. Raises UserError as `scheduler_config`.
    """
    config = scheduler_config(folder, source)
    own = inspect.signature(getattr(diffusers, config["_class_name"]).__init__).parameters
    defaults = {key: own[key].default for key in NOISE if key in own}
    kept = {key: config.get(key, default) for key, default in (dict.fromkeys(NOISE) | defaults).items()}
    kept = {key: value for key, value in kept.items() if value is not None}
    try:
        return DDPMScheduler(**kept)
    # Whatever the library makes of values that are none of a schedule's.
    except Exception as error:
        raise UserError(f"{source}: the scheduler cannot be read ({in_short(error)})") from error


def unread_pickle(source: str | Path, file: str, error: Exception) -> UserError:
    """What to say of a pickled file that torch's ``weights_only=True`` did not read, from what it raised."""
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, UnpicklingError):
        behind = behind.__cause__ or behind.__context__
    if behind is None:
        return UserError(f"{source}: {file} cannot be read: it is cut short or damaged; get it again")
    return UserError(
        f"{source}: {file} cannot be read as tensors alone, and reading it otherwise could run code that is in it. If "
        "you trust it, convert it where that does no harm, by torch.load(..., weights_only=False) and "
        "safetensors.torch.save_file"
    )
