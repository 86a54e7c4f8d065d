"""What an extra of this package takes, for errors that say what to install."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import PackageNotFoundError, requires

PACKAGE = "vdu-bench"


def install(extra: str) -> str:
    """The command that installs what an extra takes, such as ``pip install 'optuna>=4'``.

    It names the packages: this one is on no index, and who has it may have no copy of its code.
    """
    try:
        declared = requires(PACKAGE) or []
    except PackageNotFoundError:  # run from its code, without having been installed
        declared = []
    parts = [entry.partition(";") for entry in declared]
    wanted = [name.strip() for name, _, marker in parts if re.search(rf"\bextra == ['\"]{extra}['\"]", marker)]
    return shlex.join(["pip", "install", *(wanted or [f".[{extra}]"])])
