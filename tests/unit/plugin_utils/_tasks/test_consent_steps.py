# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which request needs consent, and what the person reads."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.errors import OptionError
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._base.model import Vendor
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent.device import DeviceCode
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._consent.flow import Stored
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._tasks import consent_steps as subject
from ansible_collections.trackops.api_tokens.plugins.plugin_utils._vendors import built_in, names

CODE = DeviceCode("device-code", "WDJB-MJHT", "https://v.example/device", "", lifetime=600, interval=5)
VARIANTS = {"a": {"scope": "x"}, "b": {"grant_type": "authorization_code"}, "c": {"grant_type": "refresh_token"}}
OWN = {"wait": True, "authorize_url": None, "pkce": None, "redirect_uri": "", "redirect_response": None}


@pytest.mark.parametrize(
    ("vendor", "values", "option"),
    [
        (built_in("trackmage").as_variant("authorization_code"), {}, {}),
        (built_in("trackmage").as_variant("client_credentials"), {}, {"variant": "authorization_code"}),
        (built_in("tracx"), {}, {}),
        (Vendor(name="mine"), {"vendors": {"mine": {}}}, {}),
        (Vendor(name="mine"), {"grant_type": "client_credentials"}, {}),
        (Vendor(name="mine"), {"vendors": None}, {"grant_type": "authorization_code"}),
        (Vendor(name="mine"), {}, {"grant_type": "authorization_code"}),
        (Vendor(name="mine"), {"vendors": {"theirs": {}}, "grant_type": ""}, {"grant_type": "authorization_code"}),
        (Vendor(name="mine", grant_type="refresh_token"), {}, {}),
        (Vendor(name="mine", variants=VARIANTS), {"vendors": {"mine": {}}}, {"variant": "b"}),
    ],
)
def test_the_option_with_which_a_request_needs_consent(vendor, values, option):
    assert subject.option_for_consent(vendor, values, built_in=names()) == option


def test_only_set_options_change_the_vendor():
    assert subject.changed_vendor({**OWN, "authorize_url": "", "pkce": None}) == {}
    assert subject.changed_vendor({**OWN, "authorize_url": "/a", "pkce": False}) == {"authorize_url": "/a", "pkce": False}


@pytest.mark.parametrize("option", ["authorize_url", "pkce", "redirect_uri", "redirect_response"])
def test_the_device_flow_has_no_redirect(option):
    subject.refuse_without_effect(OWN, "acme")
    with pytest.raises(OptionError) as caught:
        subject.refuse_without_effect({**OWN, option: False if option == "pkce" else "x"}, "acme")
    assert caught.value.coded_message == f"acme: {option} cannot be used with flow=device, because no browser returns to this machine. Remove it. [TRK-O04]"


def test_the_device_flow_refuses_wait_false():
    with pytest.raises(OptionError) as caught:
        subject.refuse_without_effect({**OWN, "wait": False}, "acme")
    assert caught.value.coded_message == "acme: flow=device has no second step, so it always waits. Remove wait=false. [TRK-O04]"


def test_the_texts_that_ask_for_consent():
    assert subject.would_ask("acme", "secret/fleet/x") == "acme: consent for secret/fleet/x would be requested."
    assert subject.open_address("acme", "https://v.example/a") == "acme: open this address in a browser, log in and allow:\n\nhttps://v.example/a\n"
    plain = "acme: on any device, open this address, log in, enter the code and allow:\n\nhttps://v.example/device\ncode: WDJB-MJHT\n{}\nWaiting for 600 s."
    assert subject.enter_code("acme", CODE, seconds=600) == plain.format("")
    filled = dataclasses.replace(CODE, verification_uri_complete="https://v.example/device?c=1")
    assert subject.enter_code("acme", filled, seconds=600) == plain.format("\nor, with the code already in it:\n\nhttps://v.example/device?c=1\n")
    assert subject.second_step() == (
        "Then run this again within 15 minutes with redirect_response set to the address at which the browser ended, even if the browser shows no page there."
    )
    assert subject.stored_text("acme", Stored("secret/fleet/x", "7", None)) == "acme: the refresh token is stored at secret/fleet/x (version 7)."


def test_a_pasted_address_of_another_attempt_is_requested_again():
    other = "That address has a different state: it belongs to another attempt. Try again:"
    assert subject.paste_again("http://127.0.0.1/callback?code=1&state=2") == other
    assert subject.paste_again("hello") == "That address has neither a code nor an error. Try again:"


@pytest.mark.parametrize(("unrelated", "said"), [(0, ""), (2, " Requests without the state of this attempt: 2.")])
def test_the_message_without_an_answer_counts_stray_requests(unrelated, said):
    assert subject.no_response("acme", seconds=30, unrelated=unrelated) == (
        f"acme: no answer came within 30 s.{said} Nothing was stored. Start again; or, if you gave consent, within 15 minutes run this with "
        "redirect_response set to the address at which the browser ended."
    )
