"""Where policies are found: every file of the folder, in order."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from types import ModuleType

from evalkit import policies as policy_folder
from evalkit.analysis.routing import NotValued
from evalkit.routing.outcomes import Outcomes
from evalkit.routing.policy import Policy


@cache
def policy_modules() -> tuple[ModuleType, ...]:
    """Every module of `evalkit.policies`, in order."""
    names = [info.name for info in pkgutil.iter_modules(policy_folder.__path__)]
    modules = [importlib.import_module(f"{policy_folder.__name__}.{name}") for name in names]
    return tuple(sorted(modules, key=lambda module: (module.ORDER, module.__name__)))


def policies_of(outcomes: Outcomes) -> Iterator[Policy | NotValued]:
    """Every policy that there is for these outcomes, in order."""
    for module in policy_modules():
        yield from module.policies(outcomes)
