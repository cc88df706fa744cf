"""What the command line refuses before anything is asked of a stack."""

from pathlib import Path

import pytest

from stack.cli import main


@pytest.mark.parametrize("replicas", ["0", "-1", "many"])
def test_a_service_has_one_replica_at_least(tmp_path: Path, capsys: pytest.CaptureFixture[str], replicas: str) -> None:
    """`scale` to none or fewer is refused: `stop` is the word for that."""
    with pytest.raises(SystemExit, match="2"):
        main(["--root", str(tmp_path / "none"), "scale", "worker", "--", replicas])
    assert "invalid replicas value" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
