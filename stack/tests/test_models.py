"""What a stack writes down of its models."""

from pathlib import Path

import pytest

from stack import StackError, free_ports
from stack.models import Models, of_artifact
from stack.site import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """One that has nothing but its folder."""
    return Site.at(tmp_path / "stack", free_ports())


def test_what_is_written_down_is_found_again(site: Site) -> None:
    """The other name stays, and so does the file until the new one is whole."""
    Models(site, "embedded").note(served="a", next="b")
    file = site.root / "models-embedded.json"
    with file.open() as former:
        Models(site, "embedded").note(next="c")
        assert former.read() == '{"served": "a", "next": "b"}'
    found = Models(site, "embedded")
    assert (found.served, found.next) == ("a", "c")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"served": 1}'])
def test_a_damaged_file_is_an_error(site: Site, text: str) -> None:
    """To go on as if nothing had been served would make documents unfindable."""
    (site.root / "models-embedded.json").write_text(text)
    with pytest.raises(StackError, match=r"models-embedded.json can't be read: write"):
        _ = Models(site, "embedded").served


@pytest.mark.parametrize("named", ["", "sentence-transformers/all-MiniLM-L6-v2", "all-MiniLM-L6-v2"])
def test_the_default_model_has_several_names(site: Site, named: str) -> None:
    """All mean the one that a worker serves which was never told another."""
    found = Models(site, "embedded")
    found.note(next="other")
    found.require_served(named)


def test_a_folder_is_known_by_its_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is there when the folder has gone; before the export, and without a folder, the name is as it was typed."""
    monkeypatch.setattr("stack.models.REPOSITORY", tmp_path)
    monkeypatch.setenv("ARTIFACTS", "artifacts")
    (tmp_path / "models" / "mine").mkdir(parents=True)
    assert of_artifact("./models/mine") == "./models/mine"
    (tmp_path / "artifacts" / "mine").mkdir(parents=True)
    assert of_artifact("./models/mine") == "mine"
    assert of_artifact("organisation/mine") == "organisation/mine"
    assert of_artifact("") == ""
