"""Fuzzes one parser: `python tests/fuzz/fuzz_one.py policy -max_total_time=300`, with libFuzzer's own flags behind."""

from __future__ import annotations

import logging
import sys

import atheris

with atheris.instrument_imports(include=["sts_emulator", "fuzz_targets"]):
    import fuzz_targets


def main() -> None:
    """Mutate seeds until something is neither read nor refused."""
    logging.disable()
    name, *flags = sys.argv[1:]
    target = fuzz_targets.TARGETS[name]
    seeds = target.seeds or (fuzz_targets.certificate_seed(),)
    for seed in seeds:
        target.read(seed)
    mutated = _mutating(seeds)
    atheris.Setup([sys.argv[0], *flags], target.read, custom_mutator=mutated)
    atheris.Fuzz()


def _mutating(seeds: tuple[bytes, ...]):
    """libFuzzer's mutations, begun anew from a seed where it has come to nothing."""

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        begun = data if len(data) > 1 and seed % 8 else seeds[seed % len(seeds)]
        return atheris.Mutate(begun[:longest], longest)

    return mutate


if __name__ == "__main__":
    main()
