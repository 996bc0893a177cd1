"""Every lab does what it says: unsolved at first, solved by its solution, its hints true, its wrong ways refused."""

from __future__ import annotations

import pytest

from sts_emulator.labs import proof, shelf


@pytest.mark.parametrize("name", shelf.names())
def test_what_a_lab_says_is_so(name, learner):
    assert list(proof.faults(learner, name)) == []
