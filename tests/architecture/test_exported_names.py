"""A room's `__all__` is what the room exports."""

import importlib
import pkgutil

import pytest

import shopguide

ROOMS = [
    f"shopguide.{module.name}"
    for module in pkgutil.iter_modules(shopguide.__path__)
    if module.ispkg
]


@pytest.mark.parametrize("name", [*ROOMS, "components", "pipelines"])
def test_all_is_sorted_and_every_name_is_there(name: str) -> None:
    module = importlib.import_module(name)
    assert sorted(module.__all__) == sorted(set(module.__all__))
    for exported in module.__all__:
        assert hasattr(module, exported), f"{name}.{exported}"
    assert module.__doc__
