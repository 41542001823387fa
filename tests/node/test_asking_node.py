"""A node that has no senders: it asks, and nobody can send it anything."""

from __future__ import annotations

import socket
from pathlib import Path

from bustle.node.node import Node
from bustle.node.settings import DicomArchive, Limits, NodeSettings, WebSource


def test_a_node_without_senders_does_not_listen(package: Path, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    settings = NodeSettings(
        data=tmp_path,
        port=port,
        sources=(WebSource(url="http://127.0.0.1:9", every_seconds=20),),
        answers=(DicomArchive(ae="ARCHIVE", host="127.0.0.1", port=9),),
        model=package,
        limits=Limits(free=0),
    )
    with Node(settings, poll=0.05) as node, socket.socket() as sender:
        assert node.port is None
        assert sender.connect_ex(("127.0.0.1", port)) != 0
