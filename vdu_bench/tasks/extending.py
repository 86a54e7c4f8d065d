"""Tasks that begin as another one: ``extends: digits_1`` in a task file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vdu_bench.errors import UserError
from vdu_bench.nested import merged
from vdu_bench.tasks.task_files import Draft, read_drafts

EXTENDS = "extends"

KINDS = {
    "data": ("source", None),
    "model": ("kind", "unconditional"),
    "posterior": ("source", None),
    "judge": ("network", "small_cnn"),
    "second_judge": ("network", "small_cnn"),
}
"""Sections of a task that come in several kinds: the key that names the kind, and the kind where it is not given.
A section of another kind than the parent's replaces it: none of the parent's keys would make sense there."""

LISTS = ("retain", "tuning_retain")
"""Mappings whose keys are prompts. They replace the parent's: if they were merged, the parent's prompts would be asked
for beside the task's own. The same holds for the captions' phrases."""

SHARED = ("data", "base", "model", "judge", "second_judge")
"""What tasks of one family have in common."""


def extended(draft: Draft, of_catalog: Callable[[str], Draft]) -> Draft:
    """The whole task that a draft stands for: its parent's keys, deeply merged with its own.

    A task that changes what its family shares, and names no family, is one of its own. How the parent's settings
    were tuned says nothing of this task, and is left out.

    Args:
        draft: what a file says; returned as it is where it extends nothing.
        of_catalog: gives an installed task's draft by name, or raises UserError.

    Raises:
        UserError: the parent is unknown or no single task, a task extends itself, or the name is the parent's.
    """
    return _extended(draft, of_catalog, ())


def _extended(draft: Draft, of_catalog: Callable[[str], Draft], below: tuple[tuple[Path, Any], ...]) -> Draft:
    if EXTENDS not in draft.content:
        return draft
    where = f"{draft.file}: {draft.prefix}{EXTENDS}"
    own = {key: value for key, value in draft.content.items() if key != EXTENDS}
    this = (draft.file.resolve(), own.get("name"))
    if this in below:
        way = " > ".join(file.name for file, _ in [*below[below.index(this) :], this])
        raise UserError(f"{where}: a task cannot extend itself ({way})")
    asked = draft.content[EXTENDS]
    if not isinstance(asked, str):
        raise UserError(f"{where}: it takes a task's name or a task file, such as digits_1 or ./mine.yaml")
    try:
        parent = _parent(asked, draft.file.parent, of_catalog)
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    whole = _extended(parent, of_catalog, (*below, this))
    if "name" not in own or own["name"] == whole.content.get("name"):
        raise UserError(f"{where}: give the task a name of its own, which is what its records go by")
    inherited = {key: value for key, value in whole.content.items() if key != "tuning_cost"}
    if any(own.get(key, inherited.get(key)) != inherited.get(key) for key in ("forget", "data")):
        # The parent's says in words what that forgets, and of which data.
        wanted = own.get("forget", inherited.get("forget"))
        inherited["title"] = f"forget {wanted} (after {whole.content.get('name')})"
    if isinstance(origins := inherited.get("settings_from"), Mapping):
        inherited["settings_from"] = {name: origin for name, origin in origins.items() if origin != "tuned"}
    if "family" not in own and any(key in own and own[key] != inherited.get(key) for key in SHARED):
        own["family"] = own["name"]
    return Draft(_merged_by_kind(inherited, own), draft.file, draft.prefix)


def _parent(asked: str, folder: Path, of_catalog: Callable[[str], Draft]) -> Draft:
    if not asked.endswith((".yaml", ".yml")):
        return of_catalog(asked)
    drafts = read_drafts(folder / asked)
    if len(drafts) != 1:
        raise UserError(f"{folder / asked} describes {len(drafts)} tasks, and one is needed")
    return drafts[0]


def _merged_by_kind(parent: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in parent.items() if key not in KINDS or not _of_another_kind(key, value, own)}
    if isinstance(said := own.get("prompts"), Mapping) and isinstance(before := kept.get("prompts"), Mapping):
        kept["prompts"] = _prompts_kept(before, said)
    return merged(kept, own)


def _prompts_kept(parent: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in parent.items() if key not in LISTS or key not in own}
    captions, said = kept.get("captions"), own.get("captions")
    if isinstance(captions, Mapping) and isinstance(said, Mapping) and "phrases" in said:
        kept["captions"] = {key: value for key, value in captions.items() if key != "phrases"}
    return kept


def _of_another_kind(key: str, parent: Any, own: Mapping[str, Any]) -> bool:
    telling, default = KINDS[key]
    said = own.get(key)
    if not isinstance(said, Mapping) or telling not in said:
        return False
    # A source of data may be given by its name alone.
    before = parent.get(telling, default) if isinstance(parent, Mapping) else parent
    return bool(said[telling] != before)
