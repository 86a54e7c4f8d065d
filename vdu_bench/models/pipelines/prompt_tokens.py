"""Prompts as a pipeline's own tokens: none is cut short."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from transformers import CLIPTextConfig, CLIPTokenizer

from vdu_bench.errors import UserError, in_short
from vdu_bench.models.pipelines.pipeline_files import check_pipeline


def tokens_of(prompts: Sequence[str], tokenizer: CLIPTokenizer, most: int) -> list[list[int]]:
    """Token ids of N prompts, each padded to `most`. Raises UserError for a prompt that has more."""
    tokens: list[list[int]] = tokenizer(
        list(prompts), padding="max_length", max_length=most, truncation=False, verbose=False
    ).input_ids
    for prompt, row in zip(prompts, tokens, strict=True):
        if len(row) > most:
            raise UserError(
                f"the prompt {prompt!r} has {len(row)} tokens with those for its begin and end, "
                f"and the text encoder takes {most}: shorten it"
            )
    return tokens


def most_tokens(tokenizer: CLIPTokenizer, config: CLIPTextConfig) -> int:
    """The most tokens of a prompt, with those for its begin and end."""
    return min(int(tokenizer.model_max_length), int(config.max_position_embeddings))


def check_lengths(prompts: Sequence[str], folder: Path, source: str | Path) -> None:
    """Raise UserError for a prompt that the pipeline in `folder` cannot take, without reading any weights."""
    facts = check_pipeline(folder, source, "text_to_image")
    tokenizers = [read_tokenizer(folder, source, name) for name in facts.tokenizers]
    most = []
    for tokenizer, encoder in zip(tokenizers, facts.text_encoders, strict=True):
        try:
            config = CLIPTextConfig.from_pretrained(folder / encoder, local_files_only=True)
        # Whatever the library makes of a damaged file.
        except Exception as error:
            raise UserError(f"{source}: the config.json of its {encoder} cannot be read ({in_short(error)})") from error
        most.append(most_tokens(tokenizer, config))
    for tokenizer in tokenizers:
        # As the model has it: a condition has a row for each token of both, side by side.
        tokens_of(prompts, tokenizer, min(most))


def read_tokenizer(folder: Path, source: str | Path, name: str = "tokenizer") -> CLIPTokenizer:
    """A tokenizer of the pipeline in `folder`, which the user calls `source`. Raises UserError for a damaged one.

    Args:
        folder: the pipeline's.
        source: what the user calls it.
        name: the tokenizer's own folder in it.
    """
    files = [folder / name / file for file in ("tokenizer.json", "vocab.json", "merges.txt")]
    whole, *pair = [file.is_file() for file in files]
    # Without a vocabulary transformers makes an empty one, to which all prompts are alike.
    if not whole and not all(pair):
        raise UserError(f"{source}: the {name} has neither a tokenizer.json nor both vocab.json and merges.txt")
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / name, local_files_only=True)
    # Whatever the library makes of a damaged file.
    except Exception as error:
        raise UserError(f"{source}: the {name} cannot be read ({in_short(error)})") from error
    for key in ("is_local", "local_files_only"):
        # How it was read would be written into the next folder that it is saved to.
        tokenizer.init_kwargs.pop(key, None)
    return tokenizer
