# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which files certificates are read from, and which parts of these files."""

from __future__ import annotations

import types

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vault import certificates


def certificate(number):
    return f"-----BEGIN CERTIFICATE-----\n{number}\n-----END CERTIFICATE-----"


def options(**values):
    given = {"url": "https://v", "tls_server_name": "", "validate_certs": True, "ca_cert": "", "ca_cert_text": "", "ca_path": "", **values}
    return types.SimpleNamespace(**given)


class Context:
    """Keeps what it is told to load."""

    def __init__(self):
        self.loaded = []

    def load_verify_locations(self, *, cadata):
        self.loaded.append(cadata)


@pytest.fixture
def context(monkeypatch):
    made = Context()
    monkeypatch.setattr("urllib3.util.ssl_.create_urllib3_context", lambda: made)
    return made


def test_without_certificate_settings_there_is_no_tls_setting():
    assert certificates.tls_of(options()) == {}
    assert certificates.tls_of(options(url="http://v", tls_server_name="name", ca_cert_text=certificate(1))) == {}


def test_tls_server_name_is_the_expected_host_name():
    assert certificates.tls_of(options(tls_server_name="name")) == {"server_hostname": "name"}


@pytest.mark.parametrize("more", [{"validate_certs": False}, {"ca_cert": "/ca.pem"}])
def test_ca_cert_and_disabled_validation_take_precedence(more):
    assert certificates.tls_of(options(ca_cert_text=certificate(1), ca_path="/folder", **more)) == {}


def test_certificates_are_read_from_a_text_with_remarks(context):
    text = f"# größte\n{certificate(1)}\nremark\n{certificate(2)}\n"
    assert certificates.tls_of(options(ca_cert_text=text, ca_path="/nonexistent")) == {"ssl_context": context}
    assert context.loaded == [f"{certificate(1)}\n{certificate(2)}"]


@pytest.mark.parametrize("text", ["no PEM", certificate("größte")])
def test_a_text_without_a_certificate_is_an_error(context, text):
    with pytest.raises(ValueError, match=r"^$"):
        certificates.tls_of(options(ca_cert_text=text))
    assert context.loaded == []


def test_certificates_are_read_from_all_files_of_a_folder(context, tmp_path):
    (tmp_path / "below").mkdir()
    for number, name in enumerate(("b", "a", "below/c.txt")):
        (tmp_path / name).write_bytes(b"gr\xf6\xdfte\n" + certificate(number).encode())
    assert certificates.tls_of(options(ca_path=str(tmp_path))) == {"ssl_context": context}
    assert context.loaded == [certificate(1), certificate(0), certificate(2)]


def test_an_empty_folder_adds_no_certificates(context, tmp_path):
    assert certificates.tls_of(options(ca_path=str(tmp_path))) == {"ssl_context": context}
    assert context.loaded == []
