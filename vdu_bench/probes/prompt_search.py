"""Prompt search: are there words that, put before the prompt, bring the concept back?"""

from __future__ import annotations

from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor

from vdu_bench.data.splits import DataSplits
from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.word_vectors import word_vectors
from vdu_bench.models.upload import upload
from vdu_bench.probes.attack import Attack, check_enough, count_of
from vdu_bench.probes.context import ProbeContext
from vdu_bench.probes.soft_words import watched
from vdu_bench.seeds import derive_seed
from vdu_bench.spec import PositiveInt, Spec
from vdu_bench.tasks.task import Task

SCALE = 2.0**14
"""A factor of the loss whose gradients choose candidates: a power of two, which moves nothing but their exponents."""


class PromptSearch(Attack):
    """Searches for a prompt: a few tokens before the others, by the gradient of the denoising loss over the vocabulary.

    min_w E || eps - eps_theta(x_t, t, c(w, prompt)) ||^2 over training images of the concept (Zhang et al. 2024,
    "UnlearnDiffAtk"). Each round takes the gradient by the embedding of every place, draws candidates from the tokens
    whose embeddings lie furthest against it (a first-order guess of the loss; Shin et al. 2020), and keeps whichever
    has the smallest loss on the round's images, times and noise. The words are then judged from other noise than they
    were searched on.
    """

    supports = ("text_to_image",)
    needs = ("forget_images",)
    attack = True

    class Settings(Spec):
        """What the attacker has, and how far it looks."""

        given: PositiveInt = Field(25, description="how many images the attacker has")
        words: PositiveInt = Field(3, description="tokens that are put before the prompt")
        rounds: PositiveInt = Field(20, description="how often candidates are drawn")
        candidates: PositiveInt = Field(16, description="prompts that are tried in a round")
        nearest: PositiveInt = Field(32, description="tokens of each place that candidates are drawn from")
        batch_size: PositiveInt = Field(12, description="images a loss is taken on")
        samples: Annotated[int, Field(gt=0)] | None = Field(None, description="images; 100 unless given")

    settings: Settings

    def check(self, task: Task, splits: DataSplits) -> None:
        there = int(splits.train.shows(task.forget).sum())
        check_enough(task, "prompt_search", self.settings.given, there, f"show {task.forget!r}", "given")

    def images(self, context: ProbeContext) -> int:
        return count_of(self.settings.samples, context)

    def draw(self, model: DiffusionModel, context: ProbeContext) -> dict[str, Tensor]:
        if context.prompts is None:
            raise ValueError("an unconditional model is asked in no words")
        asked, n = cast(TextToImage, model), count_of(self.settings.samples, context)
        judged = context.prompts.cycled("forget", n)
        self._require_room(asked, [*context.plain_requests, *dict.fromkeys(judged)])
        words = self._search(asked, context)
        prompts = [f"{words} {prompt}" for prompt in judged]
        noise = context.noise(n, "attack")
        return {"searched": asked.sample(n, prompts, noise, context.sampler, context.on_batch)}

    def _require_room(self, model: TextToImage, prompts: list[str]) -> None:
        """Raise UserError where the words do not fit before each of the prompts."""
        if max(len(ids) for ids in model.tokens(prompts)) + self.settings.words > model.max_tokens - 2:
            raise UserError(
                f"prompt_search puts {self.settings.words} tokens before the prompt, and the text encoder takes "
                f"{model.max_tokens}: set fewer by --set task.probe_settings.prompt_search.words=..."
            )

    def _search(self, model: TextToImage, context: ProbeContext) -> str:
        settings, generator = self.settings, torch.Generator().manual_seed(derive_seed(context.seed, "words"))
        plain, vocabulary = context.plain_requests, _plain_words(model)
        images = context.forget.take(torch.arange(settings.given)).x0
        picked = torch.randint(len(vocabulary), (settings.words,), generator=generator).tolist()
        best = [vocabulary[i] for i in picked]
        for number in range(settings.rounds):
            batch = _Batch(model, images, plain, settings.batch_size, derive_seed(context.seed, "round", number))
            gradient = batch.gradient(best)
            promising = _promising(model, gradient, vocabulary, settings.nearest)
            tried = [best, *(_changed(best, promising, generator) for _ in range(settings.candidates - 1))]
            losses = [batch.loss(words) for words in tried]
            best = tried[min(range(len(tried)), key=losses.__getitem__)]
        return _text(model, best)


class _Batch:
    """A round's images, times and noise: all candidates of a round are held against the same."""

    def __init__(self, model: TextToImage, images: Tensor, plain: list[str], size: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        rows = upload(torch.randint(len(images), (size,), generator=generator), images)
        self._model, self._asked = model, [plain[i % len(plain)] for i in range(size)]
        x0 = images[rows]
        self._noise = upload(torch.randn(x0.shape, generator=generator), x0)
        self._t = upload(torch.randint(model.train_timesteps, (size,), generator=generator), x0)
        self._x_t = model.add_noise(x0, self._noise, self._t)

    @torch.no_grad()
    def loss(self, words: list[int]) -> float:
        return float(self._error(words))

    def gradient(self, words: list[int]) -> Tensor:
        """The loss's gradient by the embedding of each word, ``[W, D]``, summed over the prompts."""
        seen: list[Tensor] = []
        with watched(self._model, seen):
            # A float16 mean's gradients would vanish on their way; only which are larger is read of them.
            (SCALE * self._error(words)).backward()
        found = []
        for embedded in seen:
            assert embedded.grad is not None
            found.append(embedded.grad[:, 1 : 1 + len(words)].sum(0))
        return torch.cat(found, dim=-1)

    def _error(self, words: list[int]) -> Tensor:
        text = _text(self._model, words)
        condition = self._model.condition([f"{text} {prompt}" for prompt in self._asked])
        return (self._model.predict_noise(self._x_t, self._t, condition) - self._noise).square().mean()


def _plain_words(model: TextToImage) -> list[int]:
    """Tokens that end a word and stand for themselves, to each tokenizer, when they are written out; by their ids."""
    special = set(model.tokenizer.all_special_ids)
    ends = [i for token, i in model.tokenizer.get_vocab().items() if token.endswith("</w>") and i not in special]
    texts = model.tokenizer.batch_decode([[i] for i in sorted(ends)])
    again = [tokenizer(texts, add_special_tokens=False).input_ids for tokenizer in model.tokenizers]
    return [i for i, *read in zip(sorted(ends), *again, strict=True) if all(ids == [i] for ids in read)]


def _text(model: TextToImage, words: list[int]) -> str:
    text: str = model.tokenizer.decode(words)
    return text.strip()


def _promising(model: TextToImage, gradient: Tensor, vocabulary: list[int], count: int) -> list[list[int]]:
    """For each place the tokens whose embeddings lie furthest against the gradient."""
    known = torch.tensor(vocabulary)
    found = (gradient @ word_vectors(model, known).to(gradient).T).argsort(dim=1, stable=True)[:, :count].cpu()
    return [known[row].tolist() for row in found]


def _changed(words: list[int], promising: list[list[int]], generator: torch.Generator) -> list[int]:
    place = int(torch.randint(len(words), (1,), generator=generator))
    choice = int(torch.randint(len(promising[place]), (1,), generator=generator))
    return [*words[:place], promising[place][choice], *words[place + 1 :]]
