"""Whoever waits for a notice goes on before `tell` returns, and can be given up."""

from __future__ import annotations

import asyncio

import pytest

from sts_emulator.core.notices import Notice


async def waiting(notice: Notice, heard: list[str]) -> None:
    heard.append("waits")
    await notice
    heard.append("told")


def test_a_task_that_waits_goes_on_in_the_turn_in_which_it_is_told():
    async def run() -> list[str]:
        loop, heard = asyncio.get_running_loop(), []
        notice = Notice(loop)
        task = loop.create_task(waiting(notice, heard))
        await asyncio.sleep(0)
        assert notice.is_awaited
        loop.call_soon(lambda: (notice.tell(), heard.append("next")))
        await task
        return heard

    assert asyncio.run(run()) == ["waits", "told", "next"]


def test_who_gives_up_leaves_it_to_others():
    async def run() -> list[str]:
        loop, heard = asyncio.get_running_loop(), []
        notice = Notice(loop)
        given_up = loop.create_task(waiting(notice, []))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        notice.tell()  # nobody
        task = loop.create_task(waiting(notice, heard))
        await asyncio.sleep(0)
        loop.call_soon(notice.tell)
        await task
        return heard

    assert asyncio.run(run()) == ["waits", "told"]
