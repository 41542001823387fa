"""The file of a node's settings: what is wrong is one line that names the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from bustle.core.errors import InputError
from bustle.node.settings import DicomArchive, WebArchive, read_settings

GOOD = """
data: kept
senders: [DEVICE]
answers:
- {to: dicom, ae: PACS, host: pacs, port: 104}
- {to: dicomweb, url: "https://pacs/dicom-web", user: bustle, password: secret.txt}
tls: {certificate: node.crt, key: node.key}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "node.yaml"
    path.write_text(text)
    return path


def test_paths_are_beside_the_file_and_overrides_win(tmp_path: Path):
    settings = read_settings(written(tmp_path, GOOD), overrides=["port=104", "limits.free=5"])
    assert (settings.ae, settings.port, settings.limits.free) == ("BUSTLE", 104, 5)
    assert settings.data == tmp_path / "kept"
    dicom, web = settings.answers
    assert isinstance(dicom, DicomArchive)
    assert isinstance(web, WebArchive)
    assert web.password == tmp_path / "secret.txt"
    assert settings.tls is not None
    assert settings.tls.key == tmp_path / "node.key"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("data: kept", ""), "node lacks data"),
        (("senders: [DEVICE]", "senders: []"), "there must be senders or sources"),
        (
            ("senders: [DEVICE]", "sources: [{url: 'http://a'}]\npriors: {ae: A, host: a, port: 1}"),
            "priors need senders",
        ),
        (("senders: [DEVICE]", "senders: [A]\npriors: {ae: A, host: a, port: 1, years: 0}"), "years must be above 0"),
        (("senders: [DEVICE]", "sources: [{url: 'http://a', days: 8}]"), "keep_days must be more"),
        (("senders: [DEVICE]", "sources: [{url: 'http://a', every_seconds: 60}]"), "quiet_seconds must be more"),
        (("[DEVICE]", "[A_TITLE_THAT_IS_TOO_LONG]"), "is no AE title"),
        (("port: 104", "port: 70000"), "port 70000 must lie between"),
        (("senders", "sender"), "unknown key 'sender'"),
        (("https:", "ftp:"), "url must begin with http"),
        (("user: bustle,", ""), "user and password go together"),
        (("[DEVICE]", "[DEVICE"), "is not readable YAML"),
    ],
)
def test_what_does_not_fit_is_one_line_that_names_it(tmp_path: Path, change: tuple[str, str], said: str):
    with pytest.raises(InputError) as caught:
        read_settings(written(tmp_path, GOOD.replace(*change)))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_encrypted_archive_needs_certificates(tmp_path: Path):
    text = GOOD.replace("port: 104}", "port: 104, encrypted: true}").replace("tls:", "# tls:")
    with pytest.raises(InputError, match="an encrypted archive needs tls"):
        read_settings(written(tmp_path, text))


def test_a_missing_file_is_one_line(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        read_settings(tmp_path / "absent.yaml")
