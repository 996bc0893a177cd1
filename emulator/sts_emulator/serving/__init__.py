"""The socket: bytes become calls, calls become answers."""
