"""The log as one JSON object a line, for programs that collect logs."""

from __future__ import annotations

import json
import logging
import sys

from sts_emulator.core import clock


class JsonLines(logging.Formatter):
    """`time`, `level` and `message`, what the caller adds as `extra={"told": {…}}`, and a traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": clock.iso(record.created), "level": record.levelname.lower(), "message": record.getMessage()}
        line |= getattr(record, "told", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure() -> None:
    """Have all that is logged written so, to standard output; the emulator's own from `info` on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("emulator").setLevel(logging.INFO)
