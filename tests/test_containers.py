"""The container files agree with each other and with bustle's options; `tests/services` lints them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from bustle.cli.main import build_parser
from bustle.node.settings import read_settings
from bustle.webapp.public_url import public_url

ROOT = Path(__file__).parents[1]
CONTAINERS = ROOT / "containers"


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    return yaml.safe_load((CONTAINERS / "compose.yaml").read_text(encoding="utf-8"))


def test_every_image_has_a_version_and_every_port_is_this_machines(composed: dict[str, Any]):
    for name, service in composed["services"].items():
        if "build" not in service:
            assert re.fullmatch(r"[\w./-]+:\d[\w.-]*", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        for volume in service["volumes"]:
            place = volume.partition(":")[0]
            assert place in composed["volumes"] or (CONTAINERS / place).is_file(), volume


def test_the_commands_are_bustles(composed: dict[str, Any]):
    served = build_parser("serve").parse_args(composed["services"]["page"]["command"])
    assert served.database == "postgresql://bustle@database/bustle"
    given, _, otherwise = served.public_url.removesuffix("}").partition(":-")
    assert given == "${BUSTLE_PUBLIC_URL"
    assert composed["services"]["page"]["ports"] == [f"127.0.0.1:8765:{urlsplit(public_url(otherwise)).port}"]
    assert composed["services"]["database"]["environment"]["POSTGRES_USER"] == "bustle"
    run = build_parser("node").parse_args(composed["services"]["node"]["command"])
    assert str(run.settings) == composed["services"]["node"]["volumes"][1].split(":")[1]
    settings = read_settings(CONTAINERS / "node.yaml")
    orthanc = composed["services"]["orthanc"]["environment"]
    assert settings.senders == (orthanc["ORTHANC__DICOM_AET"],)
    assert yaml.safe_load(orthanc["ORTHANC__DICOM_MODALITIES"]) == {"bustle": [settings.ae, "node", settings.port]}


def test_the_container_file_installs_extras_that_there_are_and_serves():
    text = (CONTAINERS / "Containerfile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (extras,) = re.findall(r"\$\{wheel\}\[([\w,]+)\]", text)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    needed = {"app", "node", "sso", "s3", "volumes"}  # by the node, and by options of the page
    assert needed <= set(extras.split(","))
    for copied in re.findall(r"^COPY (?!--from)(.*) \S+$", text, flags=re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split())
    (command,) = re.findall(r"^CMD (.*)$", text, flags=re.MULTILINE)
    assert build_parser("serve").parse_args(yaml.safe_load(command)).host == "0.0.0.0"
