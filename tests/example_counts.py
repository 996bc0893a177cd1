"""How many examples a property test draws: a share of them in every run, all of them in `.ci/run`."""

from __future__ import annotations

from hypothesis import settings

SHARE = 10  # every run draws a tenth
FEWEST = 20


def examples(most: int, fewest: int = FEWEST) -> int:
    """`most` where pytest is told `--hypothesis-profile whole`, else a share of it: of what takes long, fewer than usual."""
    return most if settings.get_current_profile_name() == "whole" else max(most // SHARE, min(most, fewest))
