"""Whether a command may fetch what is not on this machine. One that only tells what a run would do may not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from vdu_bench.errors import NotFetched

_MAY_FETCH = ContextVar("may_fetch", default=True)


@contextmanager
def nothing_fetched() -> Iterator[None]:
    """Until the end of the block, what is not on this machine is not fetched: whoever needs it raises NotFetched."""
    token = _MAY_FETCH.set(False)
    try:
        yield
    finally:
        _MAY_FETCH.reset(token)


def may_fetch() -> bool:
    """Whether what is not on this machine may be fetched."""
    return _MAY_FETCH.get()


def hub_file(repo: str, name: str, repo_type: str = "model", revision: str | None = None) -> Path:
    """A file of a repository on the Hugging Face hub, as it was fetched before, or fetched now.

    Args:
        repo: its id.
        name: of the file in it.
        repo_type: ``model`` or ``dataset``.
        revision: commit, tag or branch; the main branch if not given.

    Raises:
        NotFetched: it is not here, and may not be fetched.
        Exception: of half a dozen unrelated kinds, where it cannot be fetched.
    """
    # Here, since the hub's client takes a while to load.
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    if may_fetch():
        return Path(hf_hub_download(repo, name, repo_type=repo_type, revision=revision))
    found = try_to_load_from_cache(repo, name, repo_type=repo_type, revision=revision)
    if not isinstance(found, str):
        raise not_fetched(repo)
    return Path(found)


def not_fetched(what: str, where: str = "the Hugging Face hub") -> NotFetched:
    """The error for what would have to be fetched, where that may not be."""
    return NotFetched(f"{what} is not on this machine: a run fetches it from {where} first")
