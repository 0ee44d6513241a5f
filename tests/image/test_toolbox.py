"""How a program of the tree of tools is entered; the tree is this machine's own root where one is needed."""

import os
from pathlib import Path

import pytest

from image import toolbox


def test_root_needs_no_user_namespace_and_everybody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for user, words in ((0, []), (1000, ["--user", "--map-root-user"])):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)

        found = toolbox.command(Path("/tree"), Path("/work"), ("mkfs", "a b"))

        assert found[: len(words) + 1] == ["unshare", *words]
        assert found[-2:] == ["mkfs", "a b"]
        assert "/tree" in found
        assert "/work" in found
