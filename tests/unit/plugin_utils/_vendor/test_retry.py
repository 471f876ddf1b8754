# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Retries within one deadline, on a clock that moves only while the code sleeps."""

from __future__ import annotations

import dataclasses
from email.utils import formatdate

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import VendorError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.request import build_request, grants
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendor.retry import ask
from support.scripted import NOW, PASSWORD_FIELDS, Scene, access, answer, error, request_for

UNREACHED = VendorError("x", "unavailable", retryable=True, sent=False)
TIMED_OUT = VendorError("x", "unavailable", retryable=True, sent=True)


def asked(scene, *, refresh=False, **http):
    request = request_for("tracktik", http={"retries": 3, "deadline": 60, **http})
    way = grants(request.vendor, PASSWORD_FIELDS, refresh_token="r" if refresh else None)[0]
    sending = build_request(request.vendor, way, PASSWORD_FIELDS)
    return ask(request, sending, way, ports=scene.ports, until=NOW + request.http.deadline, secret_version="7")


@pytest.mark.parametrize("passing", [UNREACHED, TIMED_OUT, answer(429), answer(502), answer(503), answer(504)])
def test_a_temporary_failure_is_retried(passing):
    scene = Scene(passing, passing, access("tok"))
    got = asked(scene)
    assert got.access_token == "tok"
    assert got.issued_at == scene.now  # taken before the request that was answered
    assert 0.375 <= scene.slept[0] <= 0.5
    assert 0.75 <= scene.slept[1] <= 1.0


@pytest.mark.parametrize("final", [answer(500), answer(404), answer(401), error("invalid_grant"), answer(200), answer(302)])
def test_a_permanent_failure_is_not_retried(final):
    scene = Scene(final)
    with pytest.raises(VendorError):
        asked(scene)
    assert scene.slept == []


def test_retry_after_is_waited_for():
    scene = Scene(answer(429, retry_after="17"), answer(503, retry_after="0"), access())
    asked(scene)
    assert scene.slept == [17, 0]


def test_retry_after_beyond_the_deadline_is_not_waited_for():
    scene = Scene(answer(429, retry_after="60"))
    with pytest.raises(VendorError) as caught:
        asked(scene)
    assert (caught.value.retry_after, scene.slept) == (60, [])


def test_the_number_of_retries_is_limited():
    scene = Scene(*[answer(503)] * 4)
    with pytest.raises(VendorError):
        asked(scene)
    assert (len(scene.sent), len(scene.slept)) == (4, 3)
    scene = Scene(answer(503))
    with pytest.raises(VendorError):
        asked(scene, retries=0)


@pytest.mark.parametrize(("passing", "again"), [(UNREACHED, True), (answer(429), True), (TIMED_OUT, False), (answer(503), False)])
def test_a_refresh_token_is_retried_only_if_it_cannot_be_spent(passing, again):
    scene = Scene(passing, access())
    if again:
        assert asked(scene, refresh=True).access_token == "tok"
    else:
        with pytest.raises(VendorError):
            asked(scene, refresh=True)
        assert len(scene.sent) == 1


def test_proofs_of_earlier_attempts_are_removed_from_the_answer():
    """The proof of an earlier attempt, on which the vendor did not act, is as good as the next one."""
    proofs = iter(["eyJ.first-Pr00f-0123456789.sig", "eyJ.second-Pr00f-9876543210.sig", "eyJ.third-Pr00f-5555511111.sig"])
    vendor = Vendor("acme", token_url="https://acme.example/t", client_auth="private_key_jwt")
    fields = {"client_id": "the-id", "private_key": "PEM"}
    request = request_for(vendor, http={"retries": 3, "deadline": 60})
    grant = grants(vendor, fields)[0]

    def build():
        return build_request(vendor, grant, fields, assertion=lambda claims: next(proofs))

    said = "read eyJ.first-Pr00f-0123456789.sig"
    scene = Scene(answer(503), answer(503), access("tok", scope=said, note=said))
    got = ask(request, build(), grant, ports=scene.ports, until=NOW + 60, secret_version="7", again=build)
    assert (got.access_token, got.scope, got.extra) == ("tok", None, {})
    assert len({request.body for request in scene.sent}) == 3


def sending():
    """A user's request, the request to the vendor, and its grant."""
    request = request_for("tracktik", http={"retries": 3, "deadline": 60})
    way = grants(request.vendor, PASSWORD_FIELDS)[0]
    return request, build_request(request.vendor, way, PASSWORD_FIELDS), way


def test_each_attempt_gets_the_remaining_time():
    (request, http_request, way), scene, asked = sending(), Scene(answer(503, retry_after="17"), access()), []
    exchange = scene.ports.exchange

    def watched(*arguments):
        asked.append(arguments)
        return exchange(*arguments)

    ask(request, http_request, way, ports=dataclasses.replace(scene.ports, exchange=watched), until=NOW + 60, secret_version="7")
    assert asked == [(http_request, request.http, seconds, "tracktik") for seconds in (60.0, 43.0)]
    asked.clear()
    scene.script = [access()]
    ask(request, http_request, way, ports=dataclasses.replace(scene.ports, exchange=watched), until=NOW, secret_version="7")
    assert asked[0][2] == 0.05


def test_a_retry_after_date_is_relative_to_the_time_of_the_answer():
    scene = Scene(answer(429, retry_after=formatdate(NOW + 17, usegmt=True)), access())
    asked(scene)
    assert scene.slept == [17]


def test_the_answer_is_read_with_the_context_of_the_request():
    request, http_request, way = sending()
    http_request = dataclasses.replace(http_request, doubts=("It may be old.",))
    scene = Scene(error("invalid_grant", error_description="p4ssw0rd of user is wrong"), access(lifetime="soon", scope="read user"))
    with pytest.raises(VendorError) as caught:
        ask(request, http_request, way, ports=scene.ports, until=NOW + 60, secret_version="7")
    assert caught.value.message.endswith(". It may be old. The vendor says: *** of *** is wrong")
    got = ask(request, http_request, way, ports=scene.ports, until=NOW + 60, secret_version="7")
    assert (got.scope, got.secret_version) == ("read user", "7")
    assert [warning[:36] for warning in scene.warnings] == ["tracktik: the lifetime of the token "]
