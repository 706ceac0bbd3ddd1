"""The folders of the user: where XDG puts them, and nowhere else."""

from __future__ import annotations

import pytest

from nanokinetics.common import user_folders
from nanokinetics.errors import InputError


def test_the_folders_follow_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert user_folders.cache() == tmp_path / "cache" / "nanokinetics"
    assert user_folders.state() == tmp_path / "state" / "nanokinetics"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["cache", "state"])
def test_a_user_without_a_home_is_told_so(monkeypatch, name):
    variable = f"XDG_{name.upper()}_HOME"
    monkeypatch.delenv(variable)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as of a user without an entry
    with pytest.raises(InputError, match=variable):
        getattr(user_folders, name)()
