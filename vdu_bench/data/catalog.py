"""Data sources by name, as task files name them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from vdu_bench.data.source import DataSource
from vdu_bench.data.specs import DataSpec
from vdu_bench.errors import NotFetched, UserError, did_you_mean, one_line
from vdu_bench.files import stamp
from vdu_bench.own_classes import check_defaults
from vdu_bench.registry import Registry
from vdu_bench.wrong_values import in_words

if TYPE_CHECKING:
    from vdu_bench.data.splits import DataSplits


def _ask(source: Any) -> None:
    check_defaults(source, getattr(source, "__name__", ""))


SOURCES: Registry[Callable[[], DataSplits] | type[DataSource]] = Registry("data source", "vdu_bench.data", _ask)
"""A function without arguments, for data that come with a package; a `DataSource` for data from outside."""


def load_data(spec: DataSpec, data_dir: Path | None) -> DataSplits:
    """The images of a task.

    Raises:
        UserError: for an unknown source or option, for data missing or damaged, and for a source that gives none, or
            none that fit together.
    """
    source = SOURCES.get(spec.source)
    try:
        if isinstance(source, type):
            splits: Any = _configured(source, spec).load(data_dir)
        else:
            _refuse_options(spec)
            inspect.signature(source).bind()
            splits = source()
    # What `DataSplits` and `ImageSet` say of images that are none, and Python of a function that wants arguments.
    except (ValueError, TypeError) as error:
        raise UserError(f"the data source {spec.source!r}: {one_line(error)}") from error
    for part in ("train", "held_out"):
        if (images := getattr(splits, part, None)) is None:
            raise UserError(f"the data source {spec.source!r} gave a {type(splits).__name__}, and no DataSplits")
        if not len(images):
            raise UserError(f"the data source {spec.source!r} has no images in its part {part!r}")
    return cast("DataSplits", splits)


def data_stamp(spec: DataSpec, data_dir: Path | None) -> str:
    """Tells whether a source's data are the same as before, without reading them; empty for what comes with a package.

    Cheap, and without torch: a function is known by its ``def`` and is not imported.

    Raises:
        UserError: as `load_data`, but for damage.
    """
    if SOURCES.entry(spec.source).is_function():
        _refuse_options(spec)
        return ""
    source = SOURCES.get(spec.source)
    if not isinstance(source, type):
        return ""
    try:
        return stamp(_configured(source, spec).roots(data_dir))
    except NotFetched:
        # No record has this stamp, since none is made of data that are not here.
        return "not fetched"


def _configured(source: type[DataSource], spec: DataSpec) -> DataSource:
    try:
        return source.model_validate(spec.options)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(key, source.model_fields)
            raise UserError(f"the data source {spec.source!r} has no option {key!r}{hint}") from error
        raise UserError(f"data.{key} of the data source {spec.source!r}: {in_words(first)}") from error


def _refuse_options(spec: DataSpec) -> None:
    if spec.options:
        raise UserError(f"the data source {spec.source!r} has no options, and {sorted(spec.options)[0]!r} is given")
