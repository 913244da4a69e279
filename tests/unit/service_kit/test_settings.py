"""Settings come from the environment and describe themselves."""

from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict, SettingsError

from vestibule.service_kit.settings import ServiceSettings, describe_mistakes, describe_settings


class SampleSettings(ServiceSettings):
    """Settings with options of several kinds."""

    model_config = SettingsConfigDict()

    names: list[str] = Field(default=["a", "b"], description="Some names")
    limit: int = Field(default=3, gt=0, description="The limit")


def test_every_option_is_described_once_and_in_order() -> None:
    """The table of options has a variable, a default and a meaning for each, whatever kinds share an option."""
    described = list(describe_settings([SampleSettings, ServiceSettings]))
    variables = [option.variable for option in described]
    assert sorted(set(variables)) == variables
    assert {f"VESTIBULE_{name.upper()}" for name in SampleSettings.model_fields} == set(variables)
    assert all(option.description for option in described)


@pytest.mark.parametrize(
    ("variable", "default"),
    [
        ("VESTIBULE_NAMES", '["a", "b"]'),
        ("VESTIBULE_LIMIT", "3"),
        ("VESTIBULE_SERVICE_SECRET_FILE", ""),
        ("VESTIBULE_DEV_TOKEN", "SECRET_TOKEN"),
    ],
)
def test_a_default_is_shown_as_it_would_be_set(variable: str, default: str) -> None:
    """What the table shows can be put into the environment as it stands."""
    shown = {option.variable: option.default for option in describe_settings([SampleSettings])}
    assert default == shown[variable]


def test_every_described_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variables of the table are those that count."""
    monkeypatch.setenv("VESTIBULE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("VESTIBULE_NAMES", '["c"]')
    monkeypatch.setenv("VESTIBULE_DEV_TOKEN", "other")
    read = SampleSettings()
    assert (tmp_path, ["c"], "other") == (read.data_dir, read.names, read.dev_token.get_secret_value())
    assert tmp_path / "keys" / "tokens.json" == read.token_file
    assert tmp_path / "keys" / "service_secret" == read.secret_file


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PORT", "70000"), ("LOG_LEVEL", "loud"), ("MAX_BODY_BYTES", "0"), ("SERVICE_TIMEOUT_S", "0"), ("LIMIT", "-1")],
)
def test_a_senseless_setting_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """A service does not start with a setting that cannot be meant."""
    monkeypatch.setenv(f"VESTIBULE_{variable}", value)
    with pytest.raises(ValidationError):
        SampleSettings()


def test_settings_do_not_print_the_token() -> None:
    """Whoever logs the settings logs no token."""
    assert "tok-1" not in repr(ServiceSettings(dev_token=SecretStr("tok-1")))


@pytest.mark.parametrize(
    ("variable", "given", "told"),
    [
        ("VESTIBULE_LIMIT", "Zq7MARKERx9", "VESTIBULE_LIMIT: Input should be a valid integer"),
        ("VESTIBULE_NAMES", "[Zq7MARKERx9", "VESTIBULE_NAMES: Input should be valid JSON"),
        ("VESTIBULE_TRUSTED_PROXIES", '["Zq7MARKERx9"]', "VESTIBULE_TRUSTED_PROXIES: Input is not a valid"),
    ],
)
def test_a_mistake_is_told_by_its_variable_and_without_its_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, given: str, told: str
) -> None:
    """Who set an option wrongly reads which and why; what it was set to may be a password, and stands nowhere."""
    monkeypatch.setenv(variable, given)
    with pytest.raises((ValidationError, SettingsError)) as refused:
        SampleSettings()
    assert describe_mistakes(refused.value).startswith(told)
    assert "MARKER" not in describe_mistakes(refused.value) + str(refused.value)
