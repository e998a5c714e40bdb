"""The stores of one machine: named versions, bound to loopback, no password in the file."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "compose"
TEXT = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
KNOWN = {
    "cap_drop", "command", "configs", "depends_on", "environment", "healthcheck", "image",
    "logging", "mem_limit", "ports", "profiles", "read_only", "restart", "security_opt", "tmpfs",
    "volumes",
}  # fmt: skip


def test_it_has_the_stores_of_production() -> None:
    assert set(SERVICES) == {"postgres", "redis", "s3", "mlflow", "ranking"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_known_fields_and_a_version(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= KNOWN
    default = re.fullmatch(r"\$\{\w+:-([^}]+)\}", service["image"])
    assert default, "an image that a variable can replace"
    assert re.search(r":(?!latest)[\w.-]+$", default[1])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_listens_on_loopback_and_keeps_its_data_in_a_volume(name: str) -> None:
    for port in SERVICES[name]["ports"]:
        assert port.startswith("127.0.0.1:")
    for volume in SERVICES[name]["volumes"]:
        assert volume.split(":")[0] in COMPOSE["volumes"]


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "ranking"])
def test_a_store_says_when_it_is_ready(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_who_waits_waits_for_services_that_say_so() -> None:
    for service in SERVICES.values():
        for other, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert "healthcheck" in SERVICES[other]


def test_every_password_is_asked_for() -> None:
    for name in set(re.findall(r"\w*(?:PASSWORD|SECRET|ACCESS|API)_?KEY|\w+_PASSWORD", TEXT)):
        uses = re.findall(rf"(?<!\$)\$\{{{name}([^}}]*)\}}", TEXT)
        assert all(use.startswith(":?") for use in uses), name
    example = (FOLDER / "example.env").read_text()
    asked = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert asked <= set(re.findall(r"^(\w+)=$", example, re.MULTILINE)), "all are in example.env"
