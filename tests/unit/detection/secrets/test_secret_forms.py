"""Secrets away from `name = value`: names of several words, phrases, members, columns, manifests, log lines."""

import base64
import re

import pytest

from vestibule.detection import Scanner

SECRETS = {"PASSWORD", "API_KEY", "ACCESS_TOKEN", "PRIVATE_KEY", "CONNECTION_STRING", "SECRET"}
DRAWN, PASSWORD = "q7Lw2Zk9Rt4Xv1Bn8Mc3", "Pelikan%77"
KEY = (
    "-----BEGIN RSA PRIVATE KEY-----",
    "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04f",
    "SeQ6tF1aY/PuoAoGCCqGSM49",
    "-----END RSA PRIVATE KEY-----",
)


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    """Give the scanner that a service would have."""
    return Scanner.from_settings()


def _found(scanner: Scanner, text: str) -> list[str]:
    return [text[f.start : f.end] for f in scanner.scan(text) if f.entity in SECRETS]


@pytest.mark.parametrize(
    "name",
    [
        "ADMINISTRATOR_TOKEN",
        "terminalToken",
        "webapp_secret",
        "snapper-token",
        "cache_secret",
        "S3_SECRET",
        "startup_token",
    ],
)
def test_a_harmless_kind_is_a_whole_word(scanner: Scanner, name: str) -> None:
    """`min`, `web`, `snap`, `cache` and `start` within other words, and before `secret`, make nothing harmless."""
    assert [DRAWN] == _found(scanner, f'{name}: "{DRAWN}"')


@pytest.mark.parametrize(
    "name", ["next_page_token", "nextPageToken", "cache-key", "sortKey", "CSRF_TOKEN", "secret_name"]
)
def test_harmless_kinds_stay_harmless(scanner: Scanner, name: str) -> None:
    """In snake case, kebab case and camel case."""
    assert [] == _found(scanner, f'{name}: "{DRAWN}"')


@pytest.mark.parametrize(
    "form",
    [
        "please connect with the password {} tonight",
        "account ops@example.com and password {}",
        "nutzer otto, passwort {}",
        "usuario pepe y contraseña {}",
        "le mot de passe du wifi est {}",
        "utente mario e password {}",
        "a senha do roteador é {}",
        "gebruiker jan en wachtwoord {}",
        "użytkownik jan i hasło {}",
        "користувач ivan і пароль {}",
        "логин admin, пароль {}",
        "用户名 admin 密码 {}",
        "新しいパスワードは{}です",
        "yeni şifreniz: {}",
        "ditt lösenord är {}",
        "uživatel jan a heslo {}",
        "كلمة المرور الجديدة هي {}",
        "tên đăng nhập an, mật khẩu {}",
        "아이디 admin 비밀번호 {}",
        "define('AUTH_PASSWORD', '{}');",
        'viper.SetDefault("database.password", "{}")',
        "ENV.fetch('DB_PASSWORD', '{}')",
        'CREATE USER carl IDENTIFIED BY "{}";',
        "ALTER USER postgres PASSWORD '{}';",
    ],
)
def test_finds_passwords_in_sentences_and_calls(scanner: Scanner, form: str) -> None:
    """In the languages of the labels and beyond them."""
    assert [PASSWORD] == _found(scanner, form.format(PASSWORD))


@pytest.mark.parametrize(
    "form",
    ["password: '{}'", '{{"passphrase": "{}"}}', '{{\\"passphrase\\": \\"{}\\"}}', "<vaultPassword>{}</vaultPassword>"],
)
def test_finds_phrases(scanner: Scanner, form: str) -> None:
    """Drawn words with spaces are a password; a sentence is none."""
    phrase = "cedar pelican 7 biscuit marble"
    assert [phrase] == _found(scanner, form.format(phrase))
    for sentence in ("needs at least 12 characters", "the same as the old one", "Neues Kennwort hier eingeben"):
        assert [] == _found(scanner, form.format(sentence))


@pytest.mark.parametrize(
    "form",
    [
        '{{\n  "name": "PASSWORD",\n  "value": "{}"\n}}',
        '{{"name": "PASSWORD", "type": "string", "scope": "all", "value": "{}"}}',
        '{{"value": "{}", "type": "secret", "key": "API_TOKEN"}}',
        '{{"adminPassword": {{"value": "{}"}}}}',
        "- name: GRAFANA_TOKEN\n  value: {}",
        "<property>\n  <name>hive.metastore.password</name>\n  <value>{}</value>\n</property>",
        'variable "admin_password" {{\n  type      = string\n  sensitive = true\n  default   = "{}"\n}}',
        "root_password: |\n  {}\n",
        "client_secret: >-\n    {}\n",
    ],
)
def test_finds_values_away_from_their_names(scanner: Scanner, form: str) -> None:
    """The name in one member, the value in another one of the same object."""
    assert [DRAWN] == _found(scanner, form.format(DRAWN))


@pytest.mark.parametrize(
    "table",
    [
        "id,name,password\n1,Ann,{}\n2,Ben,{}\n",
        "host;port;user;password\nsrv1;22;root;{}\nsrv2;22;root;{}",
        "Title\tPassword\tURL\r\nMail\t{}\tx\r\nShop\t{}\ty\r\n",
        '"Login","Password"\n"ann","{}"\n"ben","{}"\n',
        "password,user\n{},ann\n{},ben\n",
        "| user | password |\n|---|---|\n| ann | {} |\n| ben | {} |\n",
    ],
)
def test_finds_columns_of_passwords(scanner: Scanner, table: str) -> None:
    """Each row, at its place in the text."""
    assert [PASSWORD, "w0lf&hound"] == _found(scanner, table.format(PASSWORD, "w0lf&hound"))


@pytest.mark.parametrize(
    "text",
    [
        "user,password,role\nann,,admin\n",
        "column,password,nullable\nid,no,1\n",
        "def connect(host, user, password, port):\n    return a1, b2, c3!, d4",
        "user,password\nonly one cell 1!\n",
    ],
)
def test_leaves_other_tables(scanner: Scanner, text: str) -> None:
    """Empty cells, words, code, and rows of another width."""
    assert [] == _found(scanner, text)


@pytest.mark.parametrize("content", [PASSWORD, "cedar pelican biscuit marble", "hunter2"])
def test_finds_values_of_kubernetes_secrets(scanner: Scanner, content: str) -> None:
    """In base64 of any length; other values and other manifests hold none."""
    value = base64.b64encode(content.encode()).decode()
    for form in (
        "apiVersion: v1\nkind: Secret\ndata:\n  password: {}\n",
        '{{"data": {{"pass": "{}"}}, "kind": "Secret"}}',
    ):
        assert [value] == _found(scanner, form.format(value))
    assert [] == _found(scanner, f"kind: Secret\ndata:\n  username: {value}\n")


@pytest.mark.parametrize(
    "prefix",
    ["    ", "-", "+", "> ", "2025-02-03T04:05:06.789Z ", "Feb  3 04:05:06 host-2 svc[9]: ", "app-1  | ", "// "],
)
@pytest.mark.parametrize("headers", [(), ("Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,3F17F5316E2BAC89", "")])
def test_finds_private_keys_behind_prefixes(scanner: Scanner, prefix: str, headers: tuple[str, ...]) -> None:
    """Indented, in a diff, quoted, in a log: the whole key is one finding."""
    key = f"\n{prefix}".join((KEY[0], *headers, *KEY[1:]))
    assert [key] == _found(scanner, f"{prefix}{key}\n{prefix}end of file")


def test_finds_a_private_key_in_log_records(scanner: Scanner) -> None:
    """One JSON record a line, each with more fields."""
    text = "\n".join(f'{{"time":"2025-02-03T04:05:06Z","trace-id":"a-b-c","msg":"{line}"}}' for line in KEY)
    assert [text[text.index("-----BEGIN") : text.rindex('"}')]] == _found(scanner, text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f'"globexKey": "{DRAWN}"', DRAWN),
        ("apiToken: 'aB$9#xQ!2m&Lk^7z'", "aB$9#xQ!2m&Lk^7z"),
        ("INITECH_TOKEN=598526227572229653284", "598526227572229653284"),
        ('"sectionKey": "overview-2024-q3-summary"', ""),
        ("order_key: 20241130123456789", ""),
        ("span_token = 1733011200000123", ""),
        ("token = 'https://example.com/?a1=b2&c3=d4#e5'", ""),
    ],
)
def test_finds_keys_of_other_forms(scanner: Scanner, text: str, found: str) -> None:
    """Behind camelCase, with signs, of digits alone; names, times and addresses are none."""
    assert re.findall(r".+", found) == _found(scanner, text)
