"""Mistakes in a settings class: what pydantic-settings offers, and what would be ignored here, wholly or in part."""

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from warmstart.settings.secret_files import is_secret

UPPER = "a setting's variable is its name in upper case, and its file's is that with _FILE"
UNREAD = {
    "env_file": "is not read; export its variables, or have the server do so (uvicorn --env-file)",
    "secrets_dir": "is not read; NAME_FILE names the file of the secret NAME",
    "env_prefix": f"is not allowed: {UPPER}; write the prefix into the names",
    "env_parse_none_str": "is not read; an empty variable means none",
}


def check_declared(cls: type[BaseSettings]) -> None:
    """Raise TypeError, which names the option or the field, for a class that counts on what is not read."""
    for option, why in UNREAD.items():
        if cls.model_config.get(option):
            raise TypeError(f"{cls.__name__}: {option} {why}")
    for name, field in cls.model_fields.items():
        if field.validation_alias is not None and is_secret(field):
            raise TypeError(
                f"{cls.__name__}.{name}: a secret may have no alias: {UPPER}; name the field as its variable"
            )


def check_given(*sources: PydanticBaseSettingsSource) -> None:
    """Raise TypeError for one of these options given as an argument (`Settings(_env_file=".env")`)."""
    for source in sources:
        for option, why in UNREAD.items():
            if getattr(source, option, None):
                raise TypeError(f"{source.settings_cls.__name__}: _{option} {why}")
