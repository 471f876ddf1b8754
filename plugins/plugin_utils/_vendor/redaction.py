# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""Keep credentials out of a vendor's texts before these are shown, stored or used. Pure.

A vendor, or a server that answers in its place, knows the credentials that it received. It can repeat them in an error, but also in a URL, in
a user code or in a scope, so that they would be shown where the vendor itself has no access.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._base.extra import is_secret_name
from .._base.model import Request, Vendor
from .._text.scrub import SHORTEST_SECRET, finder, scrub
from .request import IDENTIFIERS, OPTIONAL_FIELDS, as_text, needed_fields

__all__ = ("Redactor", "redactor_for_answer", "redactor_for_secret")

_LONGEST = 10_000  # characters; nothing stored from a response is longer, and searching for a value that is a whole file takes long
_FIELD = re.compile(r"[A-Za-z]+(?:[._-][A-Za-z]+)*\Z")
_LONGEST_FIELD = 40  # characters
_MOST_FIELDS = 12
_NO_CREDENTIAL = re.compile(r"https?://[^\s/?#@]+/?\Z", re.IGNORECASE)  # a server's URL without a path


@dataclass(frozen=True)
class Redactor:
    """:arg everything: blanked in messages, where blanking one word too many does no harm.
    :arg credentials: those of them that are neither names nor words; text that contains one is never stored or used.
    """

    everything: frozenset[str] = field(default=frozenset(), repr=False)
    credentials: frozenset[str] = field(default=frozenset(), repr=False)

    def shown(self, text: str, *, limit: int = 200) -> str:
        """The vendor's *text* for a message."""
        return scrub(text, self.everything, limit=limit)

    def fields(self, names: t.Iterable[str]) -> str:
        """The *names* of fields in the vendor's response, for a message; those that are not plain words may be values, and are only counted."""
        found, holds_secret = sorted(set(names)), finder(self.everything)  # prepared once for all names
        plain = [name for name in found if len(name) <= _LONGEST_FIELD and _FIELD.match(name) and not holds_secret(name)][:_MOST_FIELDS]
        rest = len(found) - len(plain)
        return ", ".join([*plain, *([f"{rest} more" if plain else f"{rest} without a plain name"] if rest else [])])

    def also(self, *secrets: str) -> Redactor:
        return Redactor(self.everything.union(secrets), self.credentials.union(secrets))

    def finder(self) -> t.Callable[[str], bool]:
        """A predicate: whether a vendor's text contains a credential."""
        return finder(self.credentials)

    def is_in(self, *texts: str) -> bool:
        return any(map(self.finder(), texts))


def redactor_for_secret(request: Request, data: t.Mapping[str, t.Any]) -> Redactor:
    """The values in the *data* of a secret that no vendor's text may contain.

    Credentials are the fields that are known to be, those with a name like one, and values that do not look like a word.
    """
    vendor, keys = request.vendor, {key: ours for ours, key in request.secret.fields.items()}
    known = {*needed_fields(vendor), *OPTIONAL_FIELDS}
    everything, credentials = set(), set()
    for key, value in data.items():
        text, name = (as_text(value) or "").strip(), keys.get(key, key)
        is_name = name in IDENTIFIERS and "PRIVATE KEY" not in text
        is_known = not is_name and (name in known or is_secret_name(key))
        if is_known or len(text) >= SHORTEST_SECRET:
            everything.add(text)
        if (is_known or (not is_name and _is_random(text))) and SHORTEST_SECRET <= len(text) <= _LONGEST and not _in_the_clear(vendor, text):
            credentials.add(text)
    return Redactor(frozenset(everything - {""}), frozenset(credentials))


def redactor_for_answer(
    vendor: Vendor, sent: t.Iterable[str], *, identifiers: t.Iterable[str], unused: t.Iterable[str], received: t.Iterable[str] = ()
) -> Redactor:
    """The values that the response to a token request may not contain.

    :arg sent: the values in the request, including *identifiers*.
    :arg unused: the other values of the secret in Vault.
    :arg received: the tokens in the response, which are handled elsewhere.
    """
    sent, names = frozenset(sent), {name.strip() for name in identifiers}
    rest = {text for text in unused if len(text) <= _LONGEST and text.strip() not in names and text not in sent and not _in_the_clear(vendor, text)}
    # A name may be shown unless it was also sent as a secret.
    everything = sent | {text for text in unused if text in sent or text.strip() not in names}
    return Redactor(everything, frozenset({text for text in {*sent, *received} if text.strip() not in names} | rest) - {""})


def _is_random(text: str) -> bool:
    return "://" not in text and all(re.search(some, text) for some in ("[a-z]", "[A-Z]", "[0-9]"))


def _in_the_clear(vendor: Vendor, text: str) -> bool:
    """Whether *text* is also in the options, which are not secret: a scope, an audience, the vendor's URL."""
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
