# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The part of a lookup that runs without a fresh token in the cache, and its errors and warnings."""

from __future__ import annotations

import os
import re
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleLookupError, AnsibleOptionsError
from ansible.utils.display import Display

from .._base.errors import OptionError, TokenError
from .._base.model import Request, fingerprint
from .._base.output import present
from .._base.ports import Event
from .._cache.pointer import Hit, Pointer, pointer_keys, remember
from .._flow.call import short_life
from .._flow.resolver import Resolver
from .._flow.slot import token_keys
from .._text.nearest import did_you_mean
from .._text.one_line import one_line
from .._vault.login_input import read_text
from .events import Listener
from .omitted import without_omitted
from .option_values import as_mapping
from .options import requests_from, surroundings
from .pointer_input import pointer_input
from .real_ports import real_ports
from .suggestion import nearest_option

__all__ = ("as_ansible", "option_error", "reject_unknown_options", "report_hits", "tokens", "warn_short_lifetimes", "with_dictionaries")

display = Display()

Values = t.Mapping[str, t.Any]
Definitions = t.Mapping[str, t.Mapping[str, t.Any]]
_LONGEST = 2000
_DICTIONARIES = ("credential_fields", "extra_parameters", "request_headers", "vendors")


def tokens(plugin: str, terms: list[t.Any], values: Values, direct: Values) -> list[t.Any]:
    """The results for *terms*, from the cache or the vendor. Writes pointers for the next process with the same options.

    :arg direct: the options given with the lookup.
    """
    resolved = with_dictionaries(plugin, values)
    if not all(isinstance(term, str) for term in terms):
        lists = any(isinstance(term, (list, tuple)) for term in terms)
        hint = f" Write a list of paths with a star: query('trackops.api_tokens.{plugin}', *paths)." if lists else ""
        raise OptionError(f"{plugin}: the terms must be paths in Vault, as strings.{hint}")
    asked = str(resolved.get("vendor") or plugin)
    given = pointer_input(plugin, values)
    paths: list[str | None] = [*terms] or [None]
    requests = requests_from(plugin, asked, paths, resolved, direct=without_omitted(dict(direct)), surroundings=surroundings())
    listener = Listener(display, audit_log=values.get("audit_log"))
    ports = real_ports(warn=listener.warn, event=listener)
    resolver = Resolver(ports)
    results = []
    for path, request in zip(paths, requests, strict=True):
        token = resolver.token(request)
        if given is not None and request.cache.kind != "none":
            _point(resolver, request, secret=given[0], given=[path, given[1]])
        vendor = request.vendor
        results.append(present(token, resolved["output"], vendor=vendor.name, scheme=vendor.authorization_scheme, now=ports.clock()))
    return results


def _point(resolver: Resolver, request: Request, *, secret: list[str], given: t.Any) -> None:
    store = resolver.store(request.cache)
    keys = pointer_keys(store.user_key(), secret, given)
    if keys is not None:
        entry = token_keys(request, store.user_key())
        remember(store, keys, Pointer(entry, vendor=request.vendor.name, where=request.where, scheme=request.vendor.authorization_scheme))


def report_hits(hits: list[Hit], values: Values, *, seconds: float) -> None:
    """Report tokens served directly from the cache to the listeners."""
    listener = Listener(display, audit_log=values.get("audit_log"))
    for token, pointer in hits:
        name = fingerprint(token.access_token)
        listener(Event("hit", pointer.vendor, pointer.where, seconds=seconds, expires_at=token.expires_at, fingerprint=name, key=pointer.keys.name))


def warn_short_lifetimes(hits: list[Hit], *, min_ttl: float) -> None:
    """Warn about tokens with too short a lifetime, as was done when they were fetched."""
    for token, pointer in hits:
        lifetime = token.expires_at - token.issued_at
        if lifetime < min_ttl:
            display.warning(one_line(short_life(pointer.vendor, pointer.where, lifetime=lifetime, min_ttl=min_ttl), limit=_LONGEST))


def with_dictionaries(plugin: str, values: Values) -> dict[str, t.Any]:
    """*values* with dictionaries in place of their texts or files."""
    try:
        return {**values, **{name: as_mapping(name, values.get(name), read_file=read_text) for name in _DICTIONARIES}}
    except OptionError as exc:
        raise exc.reworded(f"{plugin}: {exc.message}") from None


def as_ansible(exc: Exception) -> AnsibleError | None:
    """Convert one of our errors to one of ansible's; None for any other exception."""
    if isinstance(exc, OptionError):
        return AnsibleOptionsError(exc.coded_message)
    return AnsibleLookupError(exc.coded_message) if isinstance(exc, TokenError) else None


def reject_unknown_options(plugin: str, definitions: Definitions, direct: t.Iterable[str]) -> None:
    """:raises OptionError: naming the unknown option and the nearest known one."""
    known = {name for option, facts in definitions.items() for name in (option, *(facts.get("aliases") or ()))}
    for name in direct:
        if name not in known:
            near = nearest_option(name, known)
            raise OptionError(f"{plugin}: there is no option '{one_line(name, limit=40)}'{did_you_mean(near)}", fault="option:unknown")


def option_error(plugin: str, definitions: Definitions, exc: Exception, *, direct: Values, variables: Values) -> Exception:
    """Replace ansible's error about a wrong value with ours: which option, its source, and what is accepted. Other exceptions are returned unchanged."""
    if not isinstance(exc, AnsibleError):
        return exc
    from .wrong_value import Sources, wrong_value

    message = re.sub(r" for 'ansible_collections\.[^']*' lookup plugin", "", str(exc))
    explained = wrong_value(plugin, definitions, Sources(direct, variables, os.environ, C.CONFIG_FILE), message)
    return OptionError(explained or f"{plugin}: {one_line(message, limit=400).rstrip('.')}.")
