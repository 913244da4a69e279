"""Tokens of package registries and of container registries."""

from vestibule.detection.rule_builders import (
    KeyPart,
    alnum,
    by_name,
    hexa,
    key,
    lower,
    named,
    of,
    upper,
    url64,
    vendor,
)

DETECTORS = (
    vendor(
        "ACCESS_TOKEN",
        "npm documentation: About access tokens",
        key("npm-token", "npm_", alnum(36)),
        named("npm-legacy-token", "_authtoken|npm_token", url64(36)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "PyPI help: How can I use API tokens",
        key("pypi-token", "pypi-AgE", url64(50, 1000)),
        key("testpypi-token", "pypi-AgENdGVzdC5weXBp", url64(50, 1000)),
    ),
    vendor("ACCESS_TOKEN", "https://guides.rubygems.org/api-key-scopes/", key("rubygems-key", "rubygems_", hexa(48))),
    vendor(
        "ACCESS_TOKEN",
        "https://github.com/clojars/clojars-web/wiki/Deploy-Tokens",
        key("clojars-token", "CLOJARS_", lower(60)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://doc.rust-lang.org/cargo/reference/registries.html",
        key("crates-token", "cio", alnum(32)),
    ),
    vendor(
        "API_KEY", "https://learn.microsoft.com/nuget/nuget-org/scoped-api-keys", key("nuget-key", "oy2", lower(43))
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://docs.docker.com/security/access-tokens/",
        key("docker-token", "dckr_pat_", url64(27)),
        key("docker-organization-token", "dckr_oat_", url64(32)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://jfrog.com/help/r/jfrog-platform-administration-documentation/access-tokens",
        key("jfrog-key", "AKCp", alnum(69)),
        key("jfrog-reference-token", "cmVmd", alnum(59)),
        named("jfrog-legacy-key", "jfrog|artifactory|bintray|xray", alnum(73)),
        named("jfrog-identity-token", "jfrog|artifactory|bintray|xray", alnum(64)),
    ),
    vendor("ACCESS_TOKEN", "https://hex.pm/docs/publish", named("hex-key", "hexpm|hex_api", hexa(32))),
    vendor(
        "ACCESS_TOKEN",
        "https://packagist.org/apidoc",
        key("packagist-token", "packagist_", of("[a-z]", 3), "_", hexa(60, 80)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://docs.anaconda.com/",
        named("anaconda-token", "anaconda|conda_", KeyPart("[a-z]{2}-", "an-"), of("[a-f0-9-]", 36)),
    ),
    vendor("ACCESS_TOKEN", "https://help.gemfury.com/", named("gemfury-token", "gemfury|fury_", alnum(20))),
    vendor("ACCESS_TOKEN", "https://libraries.io/api", named("libraries-io-key", "libraries.io|librariesio", hexa(32))),
    vendor("ACCESS_TOKEN", "https://docs.quay.io/", named("quay-token", "quay", alnum(40))),
    vendor("ACCESS_TOKEN", "https://docs.expo.dev/", named("expo-token", "expo_", url64(40))),
    vendor("ACCESS_TOKEN", "https://docs.chocolatey.org/", named("chocolatey-key", "chocolatey", of("[0-9a-f-]", 36))),
    *by_name("https://docs.gradle.com/", ((lower(52), "gradleenterprise|develocity"), (upper(26), "teamcity"))),
)
