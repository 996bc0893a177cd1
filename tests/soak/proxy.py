"""A network that can fail: one port before another, which passes on, is slow, loses everything or cuts connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

PIECE = 1 << 16


class Proxy:
    """Passes connections on to a port of this machine, from a thread of its own."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._delay = 0.0
        self._passes = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def slow(self, seconds: float) -> None:
        """Let each piece take so long from now on."""
        self._delay = seconds

    def lose(self) -> None:
        """Let nothing arrive any more, in either direction, and nobody hear of it."""
        self._passes = False

    def heal(self) -> None:
        """Pass on again. What was on the way is lost, and with it the connections that it belonged to."""
        self._delay = 0.0
        if not self._passes:
            self._passes = True
            self.cut()

    def cut(self) -> None:
        """Reset all connections."""
        self._loop.call_soon_threadsafe(self._cut)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._listening))
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        self._writers -= {writer, back}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                if self._delay:
                    await asyncio.sleep(self._delay)
                while not self._passes:  # it waits until `heal` cuts the connection
                    await asyncio.sleep(0.05)
                    if writer.is_closing():
                        return
                writer.write(piece)
                await writer.drain()
        writer.close()
