"""The upstreams that calls of foreign services go to: which serves what, how it is reached, who is known there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from sts_emulator.gateway.exchange import BrokenError, Exchange, LateError
from sts_emulator.policy.light_dataclass import dataclass

_SERVICE = re.compile(r"([a-z0-9][a-z0-9-]{0,63})=(.+)")
_MOST_IDLE: Final = 64
_HTTPS: Final = 443
_HTTP: Final = 80


@dataclass(eq=False, slots=True)
class Upstream:
    """One server: its address, and the key that signs what goes there, where its URL names one."""

    origin: str  # `http://127.0.0.1:5000`
    host: str
    port: int
    prefix: str  # of every path, without a slash at its end
    key_id: str
    secret: str
    account: str  # whom all calls are made as, where the upstream knows but one account
    patience: float
    authority: str  # what stands in its Host header
    _idle: list[Exchange] = field(default_factory=list)

    def credentials(self, account: str) -> tuple[str, str]:
        """The access key and secret that sign for a caller: moto and its like take the key for the account's id."""
        return (self.key_id, self.secret) if self.key_id else (account, account)

    def kept(self) -> Exchange | None:
        """A connection that others have used before; None where there is none."""
        while self._idle:
            exchange = self._idle.pop()
            if exchange.is_open:
                return exchange
        return None

    async def open(self) -> Exchange:
        """A connection. Raises LateError and BrokenError."""
        return self.kept() or await self.connect()

    async def connect(self) -> Exchange:
        """A new connection. Raises LateError and BrokenError."""
        # In a task of its own: a call may have none (serving.direct), and a time limit needs one.
        return await asyncio.get_running_loop().create_task(self._connected())

    async def _connected(self) -> Exchange:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.patience):
                _, exchange = await loop.create_connection(
                    lambda: Exchange(self.patience), self.host, self.port, ssl=self._tls()
                )
        except TimeoutError:
            raise LateError from None
        except OSError as error:
            raise BrokenError(f"cannot be reached ({error.strerror or error})") from None
        return exchange

    def release(self, exchange: Exchange) -> None:
        """Keep a connection for another request, if it can have one."""
        if exchange.is_reusable and exchange.is_open and len(self._idle) < _MOST_IDLE:
            self._idle.append(exchange)
        else:
            exchange.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _tls(self) -> Any:
        if not self.origin.startswith("https:"):
            return None
        import ssl

        return ssl.create_default_context()


class Upstreams:
    """All upstreams of an emulator."""

    def __init__(self, given: Iterable[str], account: str = "", patience: float = 60) -> None:
        """`given` are URLs, each of one service (`s3=http://…`) or of all others.

        Raises:
            ValueError: a URL is none, or a service has two.
        """
        self._by_service: dict[str, Upstream] = {}
        for text in given:
            named = _SERVICE.fullmatch(text)
            service, url = (named[1], named[2]) if named else ("", text)
            if service in self._by_service:
                raise ValueError(
                    f"`{text}`: {f'the service {service}' if service else 'the rest'} has an upstream already"
                )
            self._by_service[service] = _upstream(url, account, patience)

    def of(self, *names: str) -> Upstream | None:
        """The upstream of a service, under any of its names, or that of all others."""
        for name in names:
            if name in self._by_service:
                return self._by_service[name]
        return self._by_service.get("")

    def close(self) -> None:
        for upstream in self._by_service.values():
            upstream.close()


def _upstream(url: str, account: str, patience: float) -> Upstream:
    parts = urlsplit(url)
    try:
        port = parts.port or (_HTTPS if parts.scheme == "https" else _HTTP)
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or not port or parts.query or parts.fragment:
        raise ValueError(f"`{url}`: an upstream is a URL such as http://127.0.0.1:5000, or SERVICE=URL")
    if bool(parts.username) is not bool(parts.password):
        raise ValueError(f"`{parts.hostname}`: of its access key and secret the upstream's URL names but one")
    authority = parts.netloc.rpartition("@")[2]
    return Upstream(
        origin=f"{parts.scheme}://{authority}",
        host=parts.hostname,
        port=port,
        prefix=parts.path.rstrip("/"),
        key_id=unquote(parts.username or ""),
        secret=unquote(parts.password or ""),
        account=account,
        patience=patience,
        authority=authority,
    )
