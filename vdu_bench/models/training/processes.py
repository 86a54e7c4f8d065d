"""The processes that train one model together: this one alone, or those of torchrun or accelerate launch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.launch import launched

if TYPE_CHECKING:
    from accelerate import PartialState

Value = TypeVar("Value")

PATIENCE = timedelta(hours=12)
"""How long the others wait while the first process makes alone what is not made together."""


class Team:
    """A process on its own: there is nobody to share with, to ask, or to wait for."""

    rank = 0
    size = 1

    @property
    def is_first(self) -> bool:
        """Whether it is this process that writes and prints."""
        return self.rank == 0

    def part(self, n: int) -> slice:
        """Which of a batch of `n` are this process's. Raises UserError where they cannot be shared out evenly."""
        if n % self.size:
            raise UserError(f"a batch of {n} cannot be shared out evenly among {self.size} processes")
        share = n // self.size
        return slice(self.rank * share, (self.rank + 1) * share)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over the processes in the place of each tensor."""

    def told(self, value: Callable[[], Value]) -> Value:
        """What `value` gives in the first process, where alone it is called."""
        return value()


ALONE = Team()


class LaunchedTeam(Team):
    """Several processes, by accelerate. All of them make every call here, in the same order."""

    def __init__(self, state: PartialState) -> None:
        self.rank, self.size = state.process_index, state.num_processes

    def average(self, tensors: Sequence[Tensor]) -> None:
        from accelerate.utils import reduce

        # One message, since there are hundreds of small ones in a network.
        flat = reduce(torch.cat([tensor.detach().reshape(-1) for tensor in tensors]), reduction="mean")
        parts = flat.split([tensor.numel() for tensor in tensors])
        with torch.no_grad():
            for tensor, part in zip(tensors, parts, strict=True):
                tensor.copy_(part.reshape(tensor.shape))

    def told(self, value: Callable[[], Value]) -> Value:
        from accelerate.utils import broadcast_object_list

        # Where the first one fails the others must not wait for it.
        error: Exception | None = None
        box: list[Value | None] = [None]
        if self.is_first:
            try:
                box = [value()]
            except Exception as caught:
                error = caught
        said = broadcast_object_list([box[0], None if error is None else str(error)])
        if error is not None:
            raise error
        if said[1] is not None:
            raise UserError(f"the first process failed: {said[1]}")
        answer: Value = said[0]
        return answer


@contextmanager
def team_on(device: str) -> Iterator[Team]:
    """The processes that were launched, on GPUs or, by gloo, on the CPU; their group is closed at the end."""
    if launched() == 1:
        yield ALONE
        return
    from accelerate import PartialState

    cpu = device == "cpu"
    state = PartialState(cpu=cpu, timeout=PATIENCE, **({"backend": "gloo"} if cpu else {}))
    try:
        yield LaunchedTeam(state)
    finally:
        # Left open, it can abort the process on its way out.
        state.destroy_process_group()
