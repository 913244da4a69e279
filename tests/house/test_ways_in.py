"""Who comes in, who goes out, and what is written about it: gateways, policies and images of deploy/kubernetes."""

import json
import re
from pathlib import Path

import pytest
import yaml

from servers.manifests import COMPONENT, KUBERNETES, Object, Rendered, containers, render, render_with

OVERLAYS = {path.name: path for path in (*sorted((KUBERNETES / "overlays").iterdir()), KUBERNETES / "logging")}
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
# What Envoy knows of a request that no caller has written. All others, and headers of any kind, may hold a value.
HARMLESS = {
    *("START_TIME", "STREAM_ID", "ROUTE_NAME", "RESPONSE_CODE", "RESPONSE_FLAGS", "RESPONSE_CODE_DETAILS"),
    *("DURATION", "BYTES_RECEIVED", "BYTES_SENT", "UPSTREAM_HOST"),
}
# Each makes nginx write queries, unless it is told not to.
NGINX_CONFIG = {"access-log-off": "true", "default-server-access-log-off": "true", "error-log-level": "emerg"}


@pytest.fixture(scope="module")
def prefixes_with_token(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], set[str]]:
    """The first parts of the paths of the door that need a token, and of the others."""
    from vestibule.client_service.main import create_app
    from vestibule.client_service.settings import ClientSettings
    from vestibule.encryption import create_key_ring

    folder = tmp_path_factory.mktemp("door")
    create_key_ring(folder / "keys" / "keyring.json")
    (folder / "keys" / "service_secret").write_text("s" * 43)
    routes = create_app(ClientSettings(data_dir=folder)).openapi()["paths"].items()
    guarded = {f"/{path.split('/')[1]}" for path, methods in routes if "security" in str(methods)}
    return guarded, {f"/{path.split('/')[1]}" for path, methods in routes} - guarded


@pytest.mark.parametrize("overlay", ["cluster", "cluster-plain"])
def test_callers_outside_reach_what_asks_for_a_token(
    overlay: str, prefixes_with_token: tuple[set[str], set[str]]
) -> None:
    """The way in leads to each route of the door that needs a token, and to none that does not."""
    guarded, open_ones = prefixes_with_token
    assert {"/metrics", "/health", "/readyz"} <= open_ones
    rendered = render(OVERLAYS[overlay])
    if overlay == "cluster":
        route = rendered.one("HTTPRoute", "vestibule")["spec"]
        named = [one["path"]["value"] for rule in route["rules"] for one in rule["matches"]]
        assert {("client", 8000)} == {(to["name"], to["port"]) for rule in route["rules"] for to in rule["backendRefs"]}
    else:
        (rule,) = rendered.one("Ingress", "vestibule")["spec"]["rules"]
        named = [one["path"] for one in rule["http"]["paths"]]
        assert {"client"} == {one["backend"]["service"]["name"] for one in rule["http"]["paths"]}
    assert (guarded, len(guarded)) == (set(named), len(named))


def test_the_gateway_leads_to_the_door_and_nobody_else_does() -> None:
    """Route, listener, class, certificate and policy belong together."""
    rendered = render(OVERLAYS["cluster"])
    gateway, route = rendered.one("Gateway", "vestibule")["spec"], rendered.one("HTTPRoute", "vestibule")["spec"]
    rendered.one("GatewayClass", gateway["gatewayClassName"])
    rendered.one("EnvoyProxy", gateway["infrastructure"]["parametersRef"]["name"])
    (listener,), (parent,) = gateway["listeners"], route["parentRefs"]
    assert ("vestibule", listener["name"], [listener["hostname"]]) == (
        parent["name"],
        parent["sectionName"],
        route["hostnames"],
    )
    assert ("HTTPS", "Terminate") == (listener["protocol"], listener["tls"]["mode"])
    (rule,) = rendered.one("NetworkPolicy", "from-gateway")["spec"]["ingress"]
    (peer,) = rule["from"]
    assert {"namespaceSelector", "podSelector"} == peer.keys(), "one that knows only the namespace lets all proxies in"


@every_overlay
def test_nothing_writes_the_query_of_a_request(overlay: str) -> None:
    """A proxy that is configured here writes what no caller has sent, or nothing."""
    rendered = render(OVERLAYS[overlay])
    for proxy in rendered.of("EnvoyProxy"):
        (setting,) = proxy["spec"]["telemetry"]["accessLog"]["settings"]
        written = setting["format"]["json"].values()
        assert all(re.fullmatch("%[A-Z_]+%", one) and one.strip("%") in HARMLESS for one in written), written
        assert {"default": "error"} == proxy["spec"]["logging"]["level"]
    gateways = {one["spec"]["infrastructure"]["parametersRef"]["name"] for one in rendered.of("Gateway")}
    assert gateways == {one["metadata"]["name"] for one in rendered.of("EnvoyProxy")}
    for ingress in rendered.of("Ingress"):
        assert "nginx" == ingress["spec"]["ingressClassName"]
        configuration = yaml.safe_load((KUBERNETES / "components/ingress/nginx-config.yaml").read_text())
        assert NGINX_CONFIG == configuration["data"]
    # Neither the retired ingress-nginx, whose log has the query, nor a format of one's own anywhere.
    text = json.dumps([one for one in rendered.objects if one["kind"] != "EnvoyProxy"])
    assert [] == re.findall(r"nginx\.ingress\.kubernetes\.io|ingress-nginx|log_format|\$request|access_log", text)


@every_overlay
def test_every_image_has_a_version(overlay: str) -> None:
    """The same manifests bring the same programs, today and in a year."""
    images = {one["image"] for load in render(OVERLAYS[overlay]).workloads() for one in _containers(load)}
    floating = [one for one in images if not re.search(r":v?\d+\.\d+[\w.-]*$|@sha256:[0-9a-f]{64}$", one)]
    assert images
    assert [] == floating


def test_the_image_of_the_manifests_is_this_version() -> None:
    """The tag is the version of the package, so an image of another one is not taken for it."""
    from vestibule import __version__

    for overlay in ("pod", "replicas", "cluster", "cluster-plain"):
        image = render(OVERLAYS[overlay]).pod("client")["spec"]["containers"][0]["image"]
        assert image.endswith(f":{__version__}"), image


def _containers(workload: Object) -> list[Object]:
    return list(containers(workload["spec"]["template"]))


def test_tasks_may_be_forwarded_outside_and_nowhere_else(tmp_path: Path) -> None:
    """With the component, workers and business logic reach public addresses over TLS; without, nobody does."""
    assert not _open_ends(render(OVERLAYS["cluster-plain"]), "worker")
    forwarding = render_with(tmp_path, "replicas", "http-forward")
    for part, is_open in {"worker": True, "business-logic": True, "client": False, "database": False}.items():
        assert is_open == bool(_open_ends(forwarding, part)), part
    (rule,) = _open_ends(forwarding, "worker")
    assert [443] == [one["port"] for one in rule["ports"]]
    refused = {place for peer in rule["to"] for place in peer["ipBlock"]["except"]}
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7"} <= refused


def test_traces_reach_their_collector(tmp_path: Path) -> None:
    """Every part that makes spans may send them to where the settings say, by its name, which is a namespace's."""
    rendered = render_with(tmp_path, "replicas", "traces")
    (rule,) = rendered.one("NetworkPolicy", "traces")["spec"]["egress"]
    for part in ("client", "database", "business-logic", "scheduler", "console", "worker"):
        address = rendered.settings(part)["VESTIBULE_OTLP_ENDPOINT"]
        assert int(address.rpartition(":")[2]) in [one["port"] for one in rule["ports"]]
        assert rule in [way for policy in _policies(rendered, part) for way in policy.get("egress", [])]


def _open_ends(rendered: Rendered, part: str) -> list[Object]:
    """Return the rules that let a part reach what is outside of the cluster."""
    rules = [rule for policy in _policies(rendered, part) for rule in policy.get("egress", [])]
    return [rule for rule in rules if any("ipBlock" in peer for peer in rule.get("to", [{"ipBlock": {}}]))]


def _policies(rendered: Rendered, part: str) -> list[Object]:
    specs = [one["spec"] for one in rendered.of("NetworkPolicy")]
    return [one for one in specs if _is_about(one["podSelector"], part)]


def _is_about(selector: Object, part: str) -> bool:
    named = selector.get("matchLabels", {}).get(COMPONENT, part)
    return named == part and all(part in one["values"] for one in selector.get("matchExpressions", []))
