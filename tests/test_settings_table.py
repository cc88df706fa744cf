"""docs/settings.md says what the settings classes say."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from api.settings import ApiSettings
from warmstart import ServiceSettings
from worker.settings import WorkerSettings

TABLE = (Path(__file__).parents[1] / "docs" / "settings.md").read_text()
SERVICES: list[type[ServiceSettings]] = [ApiSettings, WorkerSettings]


def default(field: FieldInfo) -> str:
    """As the table writes it."""
    value = field.default
    if field.is_required():
        return "required"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value in ("", (), []):
        return "none"
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def rows() -> list[str]:
    """One row a setting: those of both services first, then each service's own and its other defaults."""
    found = [row("both", name, field) for name, field in ServiceSettings.model_fields.items() if name != "port"]
    for settings, service in zip(SERVICES, ("api", "worker"), strict=True):
        for name, field in settings.model_fields.items():
            base = ServiceSettings.model_fields.get(name)
            if base is None or default(base) != default(field) or name == "port":
                found.append(row(service, name, field))
    return found


def row(service: str, name: str, field: FieldInfo) -> str:
    """A line of the table."""
    return f"| `{name.upper()}` | {service} | {default(field)} | {field.description} |"


@pytest.mark.parametrize("expected", rows())
def test_every_setting_stands_in_the_table(expected: str) -> None:
    """Each setting's name, service, default and meaning stand in docs/settings.md as in its class."""
    assert expected in TABLE.splitlines(), f"docs/settings.md lacks: {expected}"


def test_the_table_has_no_setting_that_is_gone() -> None:
    """No row of the table names a setting that no class has."""
    written = [line for line in TABLE.splitlines() if line.startswith("| `")]
    assert sorted(written) == sorted(rows())
