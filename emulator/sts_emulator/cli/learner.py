"""Somebody who does labs in a world of a running emulator, over its control API."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from sts_emulator.cli.control import Control, ControlError
from sts_emulator.labs.hands import Hands


class Learner:
    """A learner, whose world is made when they begin a lab."""

    def __init__(self, control: Control, world: str) -> None:
        self.world = world
        self._control = control

    def close(self) -> None:
        self._control.close()

    @property
    def url(self) -> str:
        return self._control.url

    @property
    def endpoint(self) -> str:
        return self._control.endpoint(self.world)

    def overview(self) -> Any:
        """All labs, with how far they are."""
        return self._api("GET", "labs")

    def start(self, lab: str) -> dict[str, Any]:
        """Begin a lab, or begin it again."""
        told: dict[str, Any] = self._api("POST", "labs", lab, "start")
        return told

    def read(self, lab: str) -> dict[str, Any]:
        """A lab as it stands."""
        told: dict[str, Any] = self._api("GET", "labs", lab)
        return told

    def predict(self, lab: str, step: str, answer: str, layer: str = "") -> dict[str, Any]:
        """Say what will come of a step."""
        guess = {"step": step, "answer": answer, "layer": layer if answer == "deny" else ""}
        told: dict[str, Any] = self._api("POST", "labs", lab, "predictions", body=guess)
        return told

    def hint(self, lab: str) -> str:
        return str(self._api("POST", "labs", lab, "hints")["hint"])

    def check(self, lab: str) -> dict[str, Any]:
        told: dict[str, Any] = self._api("POST", "labs", lab, "check")
        return told

    def note_solution(self, lab: str) -> None:
        self._api("POST", "labs", lab, "solution")

    def untrue(self, lab: str, *, solved: bool) -> list[str]:
        """What the lab's hints say that is not so."""
        told: list[str] = self._api("GET", "labs", lab, "untrue", solved=str(solved).lower())
        return told

    def events(self) -> object:
        return self._api("GET", "events", limit=1_000)

    def values(self, lab: str) -> dict[str, str]:
        return dict(self.read(lab)["values"])

    def hands(self, lab: str) -> Hands:
        told = self.read(lab)
        keys = (told["environment"]["access_key_id"], told["environment"]["secret_access_key"])
        return Hands(self.endpoint, told["values"], keys, self._api, self._page)

    def _api(self, method: str, *path: str, body: object = None, **query: object) -> Any:
        try:
            return self._control.api(method, "worlds", self.world, *path, body=body, **query)
        except ControlError as refused:
            if refused.status != HTTPStatus.NOT_FOUND or not str(refused).startswith("no world"):
                raise
            message = f"no lab has begun in world `{self.world}`: `sts-emulator lab start NAME`"
            raise ControlError(message, refused.status) from None

    def _page(self, method: str, path: str, body: object = None) -> object:
        prefix = self.endpoint.removeprefix(self._control.url)
        return self._control.page(method, f"{prefix}/{path}", body=body)
