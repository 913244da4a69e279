"""Every setting with the value that is in effect, and where that comes from."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestibule.cli.configuration.masking import is_secret, masked
from vestibule.cli.setting_names import PREFIX, unknown_settings

if TYPE_CHECKING:
    from vestibule.service_kit.settings import SettingDescription

DEFAULT, VARIABLE, UP, UNKNOWN = "default", "variable", "vestibule up", "unknown"
# Where a file is by default, below the data directory.
_FILES = {
    "VESTIBULE_KEYRING_FILE": "keys/keyring.json",
    "VESTIBULE_SERVICE_SECRET_FILE": "keys/service_secret",
    "VESTIBULE_RECEIPT_KEY_FILE": "keys/receipt_key.pem",
    "VESTIBULE_POLICY_FILE": "policy.toml",
}
# A secret that may stand in a file of its own, and the setting that names the file.
_SECRET_IN_FILE = {"VESTIBULE_REDIS_URL": "VESTIBULE_REDIS_PASSWORD_FILE"}
DATA_DIR = "VESTIBULE_DATA_DIR"


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """A setting: `value` as it may be shown, and `source`: default, variable, the variable of a group, a file, `up`."""

    variable: str
    value: str
    source: str
    default: str
    description: str
    is_secret: bool

    @property
    def is_changed(self) -> bool:
        """Whether something sets it."""
        return self.source != DEFAULT

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is written in JSON."""
        return {
            "variable": self.variable,
            "value": self.value,
            "source": self.source,
            "default": self.default,
            "description": self.description,
            "secret": self.is_secret,
        }


def read_effective(
    options: Iterable["SettingDescription"], environment: Mapping[str, str], wiring: Mapping[str, str]
) -> list[EffectiveSetting]:
    """Return every option with its effective value, then the variables that are no setting.

    `wiring` is what `vestibule up` sets whatever the environment says; empty for a part that is started by itself.
    """
    given = {name.upper(): value for name, value in environment.items()}
    described = {option.variable: option for option in options}
    data_dir = wiring.get(DATA_DIR) or given.get(DATA_DIR) or described[DATA_DIR].default
    settings = [_effective(option, given, wiring, data_dir) for _, option in sorted(described.items())]
    return [*settings, *_unknown(environment)]


def _effective(
    option: "SettingDescription", given: Mapping[str, str], wiring: Mapping[str, str], data_dir: str
) -> EffectiveSetting:
    name = option.variable
    value, source = _find(option, given, wiring)
    if source == DEFAULT and not value and name in _FILES:
        value = str(Path(data_dir) / _FILES[name])
    # A default is published, so it hides nothing.
    shown = value if source == DEFAULT else masked(name, value)
    if (file := _SECRET_IN_FILE.get(name)) and given.get(file):
        source = f"{source}, password from {file}"
    return EffectiveSetting(name, shown, source, option.default, option.description, is_secret(name))


def _find(option: "SettingDescription", given: Mapping[str, str], wiring: Mapping[str, str]) -> tuple[str, str]:
    """Return the value of an option and its source."""
    name = option.variable
    if name in wiring:
        return wiring[name], UP
    if name in given:
        return given[name], VARIABLE
    group, _, member = name.partition("__")
    if member and (members := _object_in(given.get(group, ""))) and member in members:
        found = members[member]
        return found if isinstance(found, str) else json.dumps(found), group
    return option.default, DEFAULT


def _object_in(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {str(name).upper(): value for name, value in found.items()} if isinstance(found, dict) else {}


def _unknown(environment: Mapping[str, str]) -> Iterator[EffectiveSetting]:
    for variable, nearest in unknown_settings(environment):
        advice = f"No setting, and has no effect; the nearest is {nearest}" if nearest else "No setting; has no effect"
        yield EffectiveSetting(variable, "", UNKNOWN, "", advice, is_secret=False)


def variables_in_env_file(path: Path) -> list[str]:
    """Return the names of our variables in a file `.env`, which no part reads."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    names = [line.partition("=")[0].removeprefix("export ").strip() for line in lines if "=" in line]
    return [name for name in names if name.upper().startswith(PREFIX)]
