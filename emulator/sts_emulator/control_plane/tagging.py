"""Tags of a resource: checked when given, merged, taken away and shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sts_emulator.core.errors import AwsError
from sts_emulator.policy.light_dataclass import dataclass

QUOTA = 50  # tags of one resource, of every service
Pairs = Iterable[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Tagging:
    """A service's way with tags: its refusals, and what it calls the members of a pair.

    Where a service takes keys that differ in case only for one and the same, callers say that tags are `folded`.
    """

    invalid: Callable[[str], AwsError]
    too_many: Callable[[], AwsError]
    key: str = "Key"
    value: str = "Value"

    def checked(self, pairs: Pairs | None, *, folded: bool = False) -> dict[str, str]:
        """Tags of a request as a mapping. Raises AwsError: for a key twice, for one of AWS's own, for too many."""
        listed = list(pairs or ())
        tags = {pair[self.key]: pair[self.value] for pair in listed}
        if len(listed) != len({_folded(key, folded=folded) for key in tags}):
            hint = " Please note that Tag keys are case insensitive." if folded else ""
            raise self.invalid(f"Duplicate tag keys found.{hint}")
        if any(key.lower().startswith("aws:") for key in tags):
            raise self.invalid("Tag keys beginning with aws: are reserved for system use.")
        if len(tags) > QUOTA:
            raise self.too_many()
        return tags

    def merged(self, tags: Mapping[str, str], new: Mapping[str, str], *, folded: bool = False) -> dict[str, str]:
        """The tags once the new ones are added. Raises AwsError: for too many."""
        merged = {**without(tags, new, folded=folded), **new}
        if len(merged) > QUOTA:
            raise self.too_many()
        return merged

    def shown(self, tags: Mapping[str, str]) -> list[dict[str, str]]:
        """Tags as pairs, sorted by key."""
        return [{self.key: key, self.value: tags[key]} for key in sorted(tags)]


def without(tags: Mapping[str, str], keys: Iterable[str], *, folded: bool = False) -> dict[str, str]:
    """The tags that are left when those keys are gone; keys that are not there are ignored."""
    gone = {_folded(key, folded=folded) for key in keys}
    return {key: value for key, value in tags.items() if _folded(key, folded=folded) not in gone}


def _folded(key: str, *, folded: bool) -> str:
    return key.lower() if folded else key
