"""The commands that write a first file of one's own: a task, a method, a metric, a probe."""

from __future__ import annotations

import keyword
import re
import shlex
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Annotated, Literal

import typer

from vdu_bench.cli.options import names_in
from vdu_bench.errors import UserError, warn
from vdu_bench.files import write_atomically
from vdu_bench.variants import unfit
from vdu_bench.wrong_values import PATTERNS, PLAIN_NAME, in_words

creating = typer.Typer()
new = typer.Typer(no_args_is_help=True, help="Write a file of your own to start from: a task, method, metric or probe.")
creating.add_typer(new, name="new")

Force = Annotated[bool, typer.Option("--force", help="Write over a file that is there.")]
Output = Annotated[
    Path | None, typer.Option("--out", help="The file to write; NAME with its ending, here, if not given.")
]
NameOf = Annotated[str, typer.Argument(help="Its name: small letters, digits and underscores.")]
KINDS = {"unconditional": "method", "text_to_image": "text_method"}
PROBES_OF = {"look": "probe", "attack": "attack", "loss": "loss_probe"}


@new.command()
def task(
    name: NameOf,
    data: Annotated[Path, typer.Option(help="A folder with a folder of images for each class.")],
    parent: Annotated[
        str, typer.Option("--from", help="A task, or a task file, whose recipes are taken.")
    ] = "digits_1",
    forget: Annotated[
        str | None, typer.Option(help="The class or attribute to forget; the first if not given.")
    ] = None,
    attributes: Annotated[
        str | None,
        typer.Option(help="A CSV file in the folder: file_name, and a column of 0 and 1 for each attribute."),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(help="The columns that are attributes, with commas between; all but file_name if not given."),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Height and width in pixels that images are resized to.")
    ] = None,
    channels: Annotated[int | None, typer.Option(help="1, grey, or 3; read from the images if not given.")] = None,
    out: Output = None,
    force: Force = False,
) -> None:
    """A task on images of your own, with the recipes of another task sized for them.

    The folder is DATA/CLASS/*.png, or DATA/train/CLASS and DATA/test/CLASS. What was found in it is printed.

    Examples:

      vdu-bench new task pets --from digits_1 --data photos --forget cat --size 16

      vdu-bench new task people --from faces_hats --data portraits --attributes metadata.csv --forget hat

      vdu-bench run --task ./pets.yaml --methods vdu,esd
    """
    _check_name(name)
    file = _free(out or Path(f"{name}.yaml"), force)
    if file.suffix not in (".yaml", ".yml"):
        raise UserError(f"--out {file}: a task file's name ends in .yaml")

    from pydantic import ValidationError

    from vdu_bench.data.sources.image_folder import ImageFolder
    from vdu_bench.tasks.loading import catalog, find_task
    from vdu_bench.tasks.own_task import own_task, seen_from

    if name in catalog():
        raise UserError(f"there is a task {name!r} already; take another name, which records go by")
    if not data.is_dir():
        raise UserError(f"--data {data}: there is no such folder; in it lies a folder of images for each class")
    columns = None if names is None else names_in(names, "--names", "column")
    if columns is not None and attributes is None:
        raise UserError("--names: they are columns of the file that --attributes names, and none is named")
    whose = find_task(parent)
    of_file = parent.endswith((".yaml", ".yml"))
    options = {
        "folder": str(data.absolute()),
        "attributes": attributes,
        "names": columns,
        "size": size,
        "channels": channels,
    }
    try:
        source = ImageFolder.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"--{first['loc'][0]} {first['input']}: {in_words(first, 'it')}") from error
    extends = seen_from(Path(parent), file) if of_file else parent
    try:
        made = own_task(name, whose, extends, source, seen_from(data, file), forget)
    except UserError as error:
        # Who has no task file yet knows its keys as options.
        raise UserError(re.sub(r"\bdata\.(attributes|names|size|channels)\b", r"--\1", str(error))) from error
    _write_task(file, made.text(shlex.join(["vdu-bench", *sys.argv[1:]])))
    for line in made.found:
        typer.echo(line)
    for line in made.warnings:
        warn(line)
    path = str(file) if file.is_absolute() else f"./{file}"
    typer.echo(f"wrote {file}; next: vdu-bench run --task {shlex.quote(path)} --methods vdu,esd")


@new.command()
def method(
    name: NameOf,
    kind: Annotated[
        Literal["unconditional", "text_to_image"], typer.Option(help="The kind of model that it works on.")
    ] = "unconditional",
    out: Output = None,
    force: Force = False,
) -> None:
    """A method of unlearning in one file: it runs as it is, and forgets. Change its loss.

    Example:

      vdu-bench new method my_method

      vdu-bench run --task digits_1 --methods my_method --plugin my_method.py
    """
    _from_template(KINDS[kind], name, out, force)


@new.command()
def metric(name: NameOf, out: Output = None, force: Force = False) -> None:
    """A metric in one file: it runs as it is. Change what it computes.

    Example:

      vdu-bench new metric my_metric

      vdu-bench run --task digits_1 --methods vdu --plugin my_metric.py
    """
    _from_template("metric", name, out, force)


@new.command()
def probe(
    name: NameOf,
    kind: Annotated[
        Literal["look", "attack", "loss"],
        typer.Option(
            help="look: draws images; attack: tries to bring the concept back, by --attacks; loss: takes losses."
        ),
    ] = "look",
    out: Output = None,
    force: Force = False,
) -> None:
    """A probe of one of three kinds, and metrics of it, in one file: it runs as it is. Change what it does.

    look: a way of drawing images, which the judge reads. It is used in every run that has its plug-in, since its
    metric asks for it.

    attack: it works on a copy of the model, and draws images at each of its looks. It is used where --attacks names it.
    With it come its rate, its leak and its steps to half.

    loss: losses in the place of images, such as denoising losses on images that are given. No judge reads them.

    Examples:

      vdu-bench new probe my_probe

      vdu-bench run --task digits_1 --methods vdu --plugin my_probe.py

      vdu-bench new probe my_attack --kind attack

      vdu-bench run --task digits_1 --methods vdu --attacks my_attack --plugin my_attack.py

      vdu-bench new probe my_loss --kind loss

      vdu-bench run --task digits_1 --methods vdu --plugin my_loss.py
    """
    _from_template(PROBES_OF[kind], name, out, force)


def _from_template(template: str, name: str, out: Path | None, force: bool) -> None:
    _check_name(name)
    if not name[0].isalpha() or keyword.iskeyword(name):
        raise UserError(f"{name!r} cannot be the name of a Python class; begin with a letter")

    from vdu_bench.engine.plugins import snake_case
    from vdu_bench.methods.catalog import METHODS
    from vdu_bench.metrics.catalog import METRICS
    from vdu_bench.probes.catalog import PROBES
    from vdu_bench.registry import RESERVED

    if name in RESERVED:
        raise UserError(f"{name!r} means something else where names stand; take another one")
    for registry in (METHODS, METRICS, PROBES):
        if name in registry.entries():
            raise UserError(f"there is a {registry.kind} {name!r} already; take another name")
    text = (files("vdu_bench.cli") / "templates" / f"{template}.txt").read_text(encoding="utf-8")
    class_name = _class_name(name)
    classes = [class_name + more for more in re.findall(r"^class \$\{?class_name\}?(\w*)\(", text, re.MULTILINE)]
    for one in classes[1:]:
        if (metric := snake_case(one)) in METRICS.entries():
            raise UserError(f"its metric would be {metric}, and there is one already; take another name")
    file = _free(out or Path(f"{name}.py"), force)
    if file.suffix != ".py":
        raise UserError(f"--out {file}: a plug-in's name ends in .py")
    if re.search(rf"^(from|import) .*\b({'|'.join(classes)})\b", text, re.MULTILINE):
        raise UserError(f"a class {class_name} is what the file imports; take another name than {name!r}")
    # With slashes, since a backslash in a docstring is the begin of something else.
    place = shlex.quote(file.as_posix())
    _write(file, Template(text).substitute(name=name, class_name=class_name, file=place).encode())
    typer.echo(f"wrote {file}; its first line is the command that runs it")


def _class_name(name: str) -> str:
    """The class that a plug-in registers under this name: MyMethod is my_method, and A_1 is a_1."""
    words = [word.capitalize() for word in name.split("_")]
    return "".join(words) if all(word[:1].isalpha() for word in words) else "_".join(words)


def _check_name(name: str) -> None:
    if not re.fullmatch(PLAIN_NAME, name):
        raise UserError(f"the name {name!r} {PATTERNS[PLAIN_NAME]}")
    if why := unfit(name):
        raise UserError(f"the name {name!r} cannot be used: {why}")


def _free(file: Path, force: bool) -> Path:
    if file.exists() and not force:
        raise UserError(f"{file} is there already; --force writes over it, --out names another")
    return file


def _write(file: Path, content: bytes) -> None:
    try:
        write_atomically(file, content)
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from error


def _write_task(file: Path, text: str) -> None:
    """Write a task file that can be used. Raises UserError, and leaves what was there before, for any other."""
    from vdu_bench.tasks.loading import find_task

    try:
        before = file.read_bytes() if file.is_file() else None
    except OSError as error:
        raise UserError(f"cannot read {file}, to write over it: {error.strerror}") from error
    _write(file, text.encode())
    try:
        # The file is read as everybody's is: what is wrong with it is said now.
        find_task(str(file))
    except UserError as error:
        if before is None:
            file.unlink()
        else:
            _write(file, before)
        raise UserError(f"{error}; the file was {'not written' if before is None else 'left as it was'}") from error
