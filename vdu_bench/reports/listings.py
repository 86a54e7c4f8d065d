"""What `list` and `show` print."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vdu_bench.data.catalog import SOURCES
from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.methods.catalog import METHODS, method_facts
from vdu_bench.metrics.catalog import METRICS, metric_facts
from vdu_bench.probes.catalog import PROBES, probe_facts
from vdu_bench.reports import ever_run
from vdu_bench.reports.lines import print_lines
from vdu_bench.reports.paragraphs import reflowed
from vdu_bench.reports.screen import fits, screen
from vdu_bench.reports.source_listings import source_class, source_facts, source_rows
from vdu_bench.spec import WHOLE, Spec
from vdu_bench.tasks.cost import cost
from vdu_bench.tasks.loading import catalog, find_task
from vdu_bench.tasks.task import Task
from vdu_bench.tasks.writing import in_force, task_yaml


def listing(kind: str) -> list[dict[str, Any]]:
    """A row for each task, method, probe, metric or source of data, read without importing torch.

    What cannot be read is warned of.
    """
    if kind == "sources":
        return source_rows()
    if kind == "tasks":
        return [
            {
                "name": task.name,
                "scale": task.scale,
                "model": task.model.kind,
                "forget": task.forget,
                "data": "inside" if _is_inside(task) else "outside",
                "run": task.name in ever_run.TASKS,
                "about": task.title,
            }
            for task in catalog().values()
        ]
    if kind == "methods":
        facts = list(METHODS.each(method_facts).values())
        return [
            {
                "name": method.name,
                "role": method.role,
                "models": list(method.supports),
                "needs": list(method.needs),
                "run": method.name in ever_run.METHODS,
                "about": method.summary,
            }
            for method in facts
        ]
    if kind == "probes":
        return [
            {
                "name": name,
                "models": list(facts.supports),
                "needs": list(facts.needs),
                "about": facts.summary,
            }
            for name, facts in PROBES.each(probe_facts).items()
        ]
    rows = []
    for name, metric in METRICS.each(metric_facts).items():
        about = METRICS.entry(name).static_class().summary
        rows.append({"name": name, "group": metric.group, "unit": metric.unit, "better": metric.better, "about": about})
    return rows


def _is_inside(task: Task) -> bool:
    """Whether all that a task is made of comes with a package; a source that cannot be read is outside of it."""
    try:
        return task.base is None and SOURCES.entry(task.data.source).is_function()
    except UserError:
        return False


def print_listing(kind: str, rows: list[dict[str, Any]]) -> None:
    """A line for each, on standard output."""
    print_lines(kind, rows, screen())


def description(name: str) -> dict[str, Any]:
    """Everything about one name. Raises UserError for an unknown one."""
    if name.endswith((".yaml", ".yml")):
        return _task(find_task(name))
    tasks = catalog()
    if name in tasks:
        return _task(tasks[name])
    if name in METHODS.entries():
        return _method(name)
    if name in PROBES.entries():
        return _probe(name)
    if name in METRICS.entries():
        return _metric(name)
    if name in SOURCES.entries():
        options = source_class(name)
        return {**source_facts(name), "settings": [] if options is None else _settings(options)}
    known = [*tasks, *METHODS.entries(), *PROBES.entries(), *METRICS.entries(), *SOURCES.entries()]
    hint = did_you_mean(name, known, "vdu-bench list tasks, or methods, probes, metrics, sources,")
    raise UserError(f"no task, method, probe, metric or source is called {name!r}{hint}")


def task_file(name: str) -> str:
    """A task as the text of a task file; an installed task's is of a new name, as a changed task must be.

    Raises UserError for what is no task.
    """
    tasks = {} if name.endswith((".yaml", ".yml")) else catalog()
    if name not in tasks and description(name)["kind"] != "task":
        raise UserError(f"{name} is no task, and a task alone is YAML; use --format json")
    if name not in tasks:
        return task_yaml(find_task(name))
    own = tasks[name].model_copy(update={"name": f"{name}_mine"})
    line = f"name: {own.name}\n"
    return task_yaml(own).replace(line, f"{line[:-1]}  # a name of your own: records go by it\n", 1)


def _task(task: Task) -> dict[str, Any]:
    return {"kind": "task", **task.model_dump(mode="json", context=WHOLE), **in_force(task), "cost": cost(task)}


def print_description(facts: dict[str, Any]) -> None:
    """For people: the docstring, its paragraphs as wide as the terminal, settings as a table, a task as YAML."""
    console = screen()
    if facts["kind"] == "task":
        console.print(Text(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True).rstrip()))
        return
    console.print(Text(f"{facts['kind']} {facts['name']}\n", style="bold"))
    console.print(Text(reflowed(facts["docstring"]) + "\n"))
    for key in ("models", "needs", "role", "unit", "better", "group", "probe", "gate", "tolerance", "target"):
        if key in facts:
            value = facts[key]
            console.print(Text(f"{key + ':':11}{', '.join(value) or 'nothing' if isinstance(value, list) else value}"))
    if facts.get("settings"):
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for key in ("setting", "default", "range", "about"):
            table.add_column(key, no_wrap=key == "setting")
        for setting in facts["settings"]:
            # As texts: brackets in them are no markup.
            table.add_row(*(Text(str(setting[key])) for key in ("name", "default", "range", "about")))
        console.print()
        if fits(table, console):
            console.print(table)
        else:
            _print_settings(facts["settings"], console)
        owners = {"probe": f"task.probe_settings.{facts['name']}", "source": "task.data"}
        owner = owners.get(facts["kind"], facts["name"])
        console.print(Text(f"\nchange one with --set {owner}.NAME=VALUE", style="dim"))


def _print_settings(settings: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Below each other, where a table would cut what can be chosen."""
    for setting in settings:
        console.print(Text(setting["name"], style="bold"), overflow="fold")
        choices = f"range: {setting['range']}" if setting["range"] else ""
        for fact in filter(None, (f"default: {setting['default']}", choices, setting["about"])):
            console.print(Padding(Text(fact), (0, 0, 0, 2), expand=False), overflow="fold")


def _method(name: str) -> dict[str, Any]:
    method, facts = METHODS.get(name), method_facts(name)
    return {
        "kind": "method",
        "name": name,
        "docstring": inspect.getdoc(method) or "",
        "models": list(facts.supports),
        "needs": list(facts.needs),
        "role": facts.role,
        "target": METHODS.entry(name).target,
        "settings": _settings(method.Settings),
    }


def _probe(name: str) -> dict[str, Any]:
    probe = PROBES.get(name)
    return {
        "kind": "probe",
        "name": name,
        "docstring": inspect.getdoc(probe) or "",
        "models": list(probe.supports),
        "needs": list(probe.needs),
        "target": PROBES.entry(name).target,
        "settings": _settings(probe.Settings),
    }


def _settings(settings: type[Spec]) -> list[dict[str, Any]]:
    return [
        {
            "name": key,
            "default": "must be given" if field.is_required() else field.default,
            "range": _range(field.annotation, field.metadata),
            "about": field.description or "",
        }
        for key, field in settings.model_fields.items()
    ]


def _metric(name: str) -> dict[str, Any]:
    metric = METRICS.get(name)
    return {
        "kind": "metric",
        "name": name,
        "docstring": inspect.getdoc(metric) or "",
        "unit": metric.unit or "none",
        "better": metric.better,
        "group": metric.group,
        "probe": metric.probe or "none",
        "gate": metric.gate,
        "tolerance": metric.tolerance,
        "models": list(metric.kinds),
        "target": METRICS.entry(name).target,
    }


def _range(annotation: Any, metadata: list[Any]) -> str:
    words = getattr(annotation, "__args__", ())
    if words and all(isinstance(word, str) for word in words):
        return " | ".join(words)
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    limits = [
        f"{sign} {getattr(limit, key)}" for limit in metadata for key, sign in signs.items() if hasattr(limit, key)
    ]
    return ", ".join(limits)
