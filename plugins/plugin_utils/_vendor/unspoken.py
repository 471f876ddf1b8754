# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""What a vendor knows and must not be made to say: all its words pass here before they are shown, kept or used. Pure.

A vendor, or whatever answers in its place, knows the credentials that it was sent. It can repeat them in an error, but also in an address, in
a code for a person or in a scope, and so have them shown where it cannot look itself.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._base.extra import is_secret_name
from .._base.model import Request, Vendor
from .._base.scrub import finder, scrub
from .request import IDENTIFIERS, OPTIONAL_FIELDS, as_text, needed_fields

__all__ = ("Unspoken", "unspoken_in_answer", "unspoken_in_secret")

_SHORTEST = 6  # characters; a shorter text of a secret is a word like any other
_LONGEST = 10_000  # characters; nothing that is kept of an answer is longer, and a file in a secret takes long to look for
_FIELD = re.compile(r"[A-Za-z]+(?:[._-][A-Za-z]+)*\Z")
_LONGEST_FIELD = 40  # characters
_MOST_FIELDS = 12
_NO_CREDENTIAL = re.compile(r"https?://[^\s/?#@]+/?\Z", re.IGNORECASE)  # the address of a server, and no more


@dataclass(frozen=True)
class Unspoken:
    """:arg everything: in no message; a word too many that is blanked out does no harm there.
    :arg credentials: of these, what is neither a name nor a word. In nothing that is kept or used.
    """

    everything: frozenset[str] = field(default=frozenset(), repr=False)
    credentials: frozenset[str] = field(default=frozenset(), repr=False)

    def shown(self, text: str, *, limit: int = 200) -> str:
        """The vendor's *text* for a message."""
        return scrub(text, self.everything, limit=limit)

    def fields(self, names: t.Iterable[str]) -> str:
        """The *names* of fields in the vendor's answer, for a message; those that are no plain words may be values, and are only counted."""
        found = sorted(set(names))
        plain = [name for name in found if len(name) <= _LONGEST_FIELD and _FIELD.match(name) and self.shown(name) == name][:_MOST_FIELDS]
        rest = len(found) - len(plain)
        return ", ".join([*plain, *([f"{rest} more" if plain else f"{rest} without a plain name"] if rest else [])])

    def also(self, *secrets: str) -> Unspoken:
        return Unspoken(self.everything.union(secrets), self.credentials.union(secrets))

    def finder(self) -> t.Callable[[str], bool]:
        """Says whether a text of the vendor has a credential in it."""
        return finder(self.credentials)

    def is_in(self, *texts: str) -> bool:
        return any(map(self.finder(), texts))


def unspoken_in_secret(request: Request, data: t.Mapping[str, t.Any]) -> Unspoken:
    """What of the secret with this *data* no vendor may say.

    Credentials are the fields that are known as such, those with a name like one, and values that no person would think of as a word.
    """
    vendor, keys = request.vendor, {key: ours for ours, key in request.secret.fields.items()}
    known = {*needed_fields(vendor), *OPTIONAL_FIELDS}
    everything, credentials = set(), set()
    for key, value in data.items():
        text, name = (as_text(value) or "").strip(), keys.get(key, key)
        is_name = name in IDENTIFIERS and "PRIVATE KEY" not in text
        is_known = not is_name and (name in known or is_secret_name(key))
        if is_known or len(text) >= _SHORTEST:
            everything.add(text)
        if (is_known or (not is_name and _is_random(text))) and _SHORTEST <= len(text) <= _LONGEST and not _in_the_clear(vendor, text):
            credentials.add(text)
    return Unspoken(frozenset(everything - {""}), frozenset(credentials))


def unspoken_in_answer(vendor: Vendor, sent: t.Iterable[str], *, identifiers: t.Iterable[str], unused: t.Iterable[str], came: t.Iterable[str] = ()) -> Unspoken:
    """What the answer to a token request may not say.

    :arg sent: with the request, *identifiers* among it.
    :arg unused: what else is in the secret in Vault.
    :arg came: the tokens of the answer, which have a place of their own.
    """
    sent, names = frozenset(sent), {name.strip() for name in identifiers}
    rest = {text for text in unused if len(text) <= _LONGEST and text.strip() not in names and text not in sent and not _in_the_clear(vendor, text)}
    # A name that is not among what was sent as a secret may be shown.
    everything = sent | {text for text in unused if text in sent or text.strip() not in names}
    return Unspoken(everything, frozenset({text for text in {*sent, *came} if text.strip() not in names} | rest) - {""})


def _is_random(text: str) -> bool:
    return "://" not in text and all(re.search(some, text) for some in ("[a-z]", "[A-Z]", "[0-9]"))


def _in_the_clear(vendor: Vendor, text: str) -> bool:
    """Whether the options say *text* too, which are no secrets: a scope, an audience, the address of the vendor."""
    if _NO_CREDENTIAL.match(text):
        return True
    options = (
        vendor.issuer,
        vendor.base_url,
        "" if vendor.issuer else vendor.token_url,
        vendor.scope,
        *_texts(vendor.parameters),
        *_texts(vendor.request_body),
    )
    return any(text.casefold() in option.casefold() for option in options)


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, t.Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, tuple):
        for inner in value:
            yield from _texts(inner)
