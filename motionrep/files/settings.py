"""Reads files of settings (YAML or JSON). They are data: nothing in them is imported, made or run."""

from pathlib import Path
from typing import Any

from motionrep.files.limits import require_within
from motionrep.files.pickle_machine import require_bounded
from motionrep.files.reading import read_bytes, reading

# Keys by which some libraries name a class to import and the arguments to make it with.
CODE_KEYS = ("class_path", "init_args", "dict_kwargs")


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a file by name.

    Raises:
        ValueError: It is no YAML of names and plain values, names a class, or asks for more than the limits.
        OSError: It cannot be read.
    """
    import yaml

    content = read_bytes(path)
    require_within(path, "bytes of settings", len(content))
    with reading(path, "settings"):
        try:
            settings = yaml.safe_load(content)
        except RecursionError:
            raise ValueError("is nested too deeply; settings have a few levels") from None
        except yaml.YAMLError as error:
            raise ValueError(f"not a YAML file of settings such as 'epochs: 20'; {error}") from error
        if not isinstance(settings, dict):
            held = "is empty" if settings is None else f"holds a {type(settings).__name__}"
            raise ValueError(f"not a YAML file of settings such as 'epochs: 20', it {held}")
        require_plain(settings)
    return settings


def require_plain(settings: Any) -> None:
    """Checks that settings are plain values under names that are text.

    Raises:
        ValueError: They are not, or one of them names a class; the message says which.
    """
    require_bounded(settings, "settings")
    waiting: list[tuple[str, Any]] = [("", settings)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                within = f"{name}.{key}" if name else str(key)
                if not isinstance(key, str):
                    raise ValueError(f"setting {within!r}: names of settings are text, got {key!r}")
                if key in CODE_KEYS:
                    raise ValueError(
                        f"setting {within!r}: settings are data and name no class and no arguments; give plain values"
                    )
                waiting.append((within, inner))
        elif isinstance(value, list | tuple):
            waiting.extend((f"{name}[{i}]", inner) for i, inner in enumerate(value))
        elif value is not None and not isinstance(value, bool | int | float | str):
            raise ValueError(f"setting {name!r}: expected text, a number, true, false or null, got {value!r}")
