# Copyright (c) 2026, TrackOps founders
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to trackops.api_tokens: not for use from outside, and may change in any release.

"""The connection to one Vault, through hvac: how it is reached, and the error if it does not answer.

hvac is imported when a :class:`Connection` is created, not when this file is imported.
"""

from __future__ import annotations

import sys
import time
import typing as t
from urllib.parse import quote, urlsplit

from .._base.errors import OptionError, VaultError
from .._http.body import TooLarge
from .._http.causes import causes
from .._http.local_address import is_loopback
from .._http.readable import unreadable
from .._text.one_line import one_line
from .._text.scrub import scrub
from .hidden import Hidden
from .login_files import refuse_passphrase
from .refusals import LastingRefusal
from .retries import retries
from .transport import Patience, adapter, session
from .transport_error import why_no_answer

if t.TYPE_CHECKING:
    from .options import VaultOptions

__all__ = ("Connection",)

# Error kinds that the user's options cause, with their codes.
_OPTIONS = {"option": "option:value", "library": "option:library"}


class Connection:
    """A connection to one Vault, which may keep its caller waiting for ``options.deadline`` seconds in total.

    :arg warn: receives problems that do not stop the call.
    :arg guarded: for an operator's token, as in :func:`.transport.session`.
    """

    def __init__(
        self,
        options: VaultOptions,
        *,
        warn: t.Callable[[str], None],
        guarded: bool = False,
        monotonic: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.options = options
        self._warn = warn
        self._guarded = guarded
        self.place = f"Vault at {options.shown_url}" + (f" (namespace {options.namespace})" if options.namespace else "")
        self.hidden = Hidden(options.secrets())
        self._patience = Patience(options.deadline, monotonic=monotonic, sleep=sleep)
        self._warn_if_unprotected()
        self.hvac = self._connect()

    def request(self, method: str, path: str, **more: t.Any) -> dict[str, t.Any]:
        """A request for which hvac has no call, or not in all supported versions.

        :raises Refusal: the response is an error, or not from Vault.
        """
        answer: dict[str, t.Any] = self.hvac.adapter.request(method, "/v1/" + quote(path), **more)
        return answer

    def wait_anew(self) -> None:
        """Give Vault the whole ``deadline`` again."""
        self._patience.restart()

    def _connect(self) -> t.Any:
        try:
            import hvac  # type: ignore[import-untyped,unused-ignore]
        except ImportError as exc:
            missing = (exc.name or "hvac").partition(".")[0]  # it may be a dependency of hvac
            raise VaultError(
                f"the Python library {missing} is missing on this controller ({sys.executable}): pip install {missing}.", "option", fault="option:library"
            ) from None
        options = self.options
        self._check_files()
        try:
            retry = retries(options)
        except (TypeError, ValueError, AttributeError):
            raise OptionError("retries has a key or a value that urllib3's Retry does not accept (ANSIBLE_HASHI_VAULT_RETRIES).") from None
        try:
            made = session(options, patience=self._patience, retry=retry, retried=self._retried, refuse_redirect=self._refuse_redirect, guarded=self._guarded)
        except (OSError, ValueError):  # ssl.SSLError is an OSError
            raise OptionError("no certificates can be read from VAULT_CACERT_BYTES or the folder VAULT_CAPATH. Give PEM texts.", fault="option:file") from None
        return hvac.Client(
            url=options.url,
            token="",  # with None, hvac would take one from the environment
            verify=made.verify,
            namespace=options.namespace,
            session=made,
            adapter=adapter(self._no_answer),
        )

    def _check_files(self) -> None:
        options = self.options
        certificates = (("cert_auth_public_key", options.cert_auth_public_key), ("cert_auth_private_key", options.cert_auth_private_key))
        found = unreadable((("ca_cert", options.ca_cert if options.validate_certs else None), *certificates))
        if found:
            raise OptionError(f"{found}. Give a file that this user can read (VAULT_CACERT, VAULT_CLIENT_CERT, VAULT_CLIENT_KEY).", fault="option:file")
        if options.cert_auth_private_key:
            with open(options.cert_auth_private_key, encoding="utf-8", errors="replace") as file:
                refuse_passphrase(options.cert_auth_private_key, file.read())

    def _warn_if_unprotected(self) -> None:
        options = self.options
        if options.url.startswith("http:") and (options.proxies or not is_loopback(urlsplit(options.url).hostname or "")):
            self._warn(
                f"{self.place} is used over plain http: anyone on the network can read the Vault token and the secrets. Begin url with https:// (VAULT_ADDR)."
            )
        elif not options.validate_certs and options.url.startswith("https:"):
            self._warn(f"{self.place}: its certificate is not checked (validate_certs=false): anyone on the network can read the secrets.")

    def _refuse_redirect(self, scheme: str, target: str) -> t.NoReturn:
        start = "https" if scheme == "https" else "an address of this machine"
        raise VaultError(
            f"{self.place} redirects from {start} to {one_line(scrub(target, self.hidden))}: "
            "the Vault token would cross the network unencrypted. Check url (VAULT_ADDR).",
            "unavailable",
        )

    def _retried(self, why: str) -> None:
        if self.options.retry_action == "warn":
            self._warn(f"{self.place}: {why}, trying again.")

    def _no_answer(self, exc: Exception, url: str) -> Exception:
        """The error for an exception of requests or urllib3; uses only its type, never its text. Never raises, although *url* may come from a server."""
        exhausted = self._patience.left <= 0
        options = self.options
        kind, text = why_no_answer(exc, timeout=options.deadline if exhausted else options.timeout, ca_cert=options.ca_cert)
        server = _server(url)
        if url and server is None:
            kind, text = "unavailable", "redirects to an address that is not a valid URL. Check api_addr in Vault's configuration."
        elif server and server != _server(options.url) and kind not in _OPTIONS:
            reason = text.partition(". ")[0].removesuffix(".")
            text = f"redirects to {scrub(server, self.hidden)}, which {reason}. Check that node, and api_addr in Vault's configuration."
        if kind in _OPTIONS:
            return OptionError(f"{self.place}: {text}", fault=_OPTIONS[kind])
        too_large = any(isinstance(cause, TooLarge) for cause in causes(exc))
        return (LastingRefusal if too_large else VaultError)(f"{self.place} {text}", kind)


def _server(url: str) -> str | None:
    """The scheme, host and port of *url*; empty if there is no host, None if it is not a URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if not host:
        return ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{'' if port is None else f':{port}'}"
