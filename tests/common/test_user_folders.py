"""The folders of the user: where XDG puts them, and nowhere else."""

from __future__ import annotations

from nanokinetics.common import user_folders


def test_the_folders_follow_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert user_folders.cache() == tmp_path / "cache" / "nanokinetics"
    assert user_folders.state() == tmp_path / "state" / "nanokinetics"
    assert list(tmp_path.iterdir()) == []
