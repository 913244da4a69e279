"""The console behind the TLS of deploy/tls/nginx.conf, with the nginx of this machine."""

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from servers import ports
from vestibule.cli.canary.console import PageLinks, sign_in
from vestibule.service_kit.auth.token_file import create_token

ROOT = Path(__file__).parents[2]
WITHIN_S = 30


@pytest.fixture(scope="module")
def console(start_for_module: Any, tmp_path_factory: Any, wait_until: Any) -> Iterator[tuple[Any, httpx.Client]]:
    """A system, and a browser on another address of it: through TLS, by another name and port."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("needs nginx")
    system = start_for_module(VESTIBULE_CONSOLE="on")
    folder = tmp_path_factory.mktemp("tls")
    (folder / "certificates").mkdir()
    certificate, key = folder / "certificates" / "tls.crt", folder / "certificates" / "tls.key"
    made = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost -keyout {key}"
    named = ["-addext", "subjectAltName=DNS:localhost", "-out", str(certificate)]
    subprocess.run(["openssl", *made.split(), *named], check=True, capture_output=True, timeout=60)
    text = (ROOT / "deploy" / "tls" / "nginx.conf").read_text()
    port = ports.free_port()
    here = {"8443": str(ports.free_port()), "8444": str(port), "/tmp/": f"{folder}/", "user root;": ""}
    here |= {"127.0.0.1:8000": f"127.0.0.1:{system.base_port}", "127.0.0.1:8004": f"127.0.0.1:{system.base_port + 4}"}
    for written, meant in here.items():
        text = text.replace(written, meant)
    (folder / "nginx.conf").write_text(text)
    command = [program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with subprocess.Popen(command) as server:
        context = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(base_url=f"https://localhost:{port}", verify=context, trust_env=False, timeout=40) as http:

            def is_served() -> bool:
                try:
                    return http.get("/healthz").status_code == 200
                except httpx.TransportError:
                    return False

            try:
                wait_until(is_served, WITHIN_S, "TLS in front of the console")
                yield system, http
            finally:
                server.terminate()


def test_people_sign_in_and_act_through_tls(console: tuple[Any, httpx.Client], wait_until: Any) -> None:
    """The cookie is for HTTPS alone, an action arrives, and what is for those inside is not passed on."""
    system, http = console
    token, _ = create_token(system.data_dir / "keys" / "tokens.json", "through TLS", ["alerts", "status"])
    wait_until(lambda: sign_in(http, token).status_code == 303, what="the token")
    answer = sign_in(http, token)
    (cookie,) = answer.headers.get_list("set-cookie")
    assert "secure" in cookie.lower()
    page = http.get("/alerts/silences")
    forms = {form.action: form for form in PageLinks.of(page.text).forms}
    origin = {"Origin": str(http.base_url).rstrip("/")}
    assert 303 == http.post("/sign-out", data=forms["/sign-out"].hidden, headers=origin).status_code
    assert [404, 404] == [http.get(path).status_code for path in ("/metrics", "/health")]


def test_the_development_token_is_not_for_people_behind_the_proxy(console: tuple[Any, httpx.Client]) -> None:
    """They may be anywhere."""
    _, http = console
    http.cookies.clear()
    assert 401 == sign_in(http, "SECRET_TOKEN").status_code
