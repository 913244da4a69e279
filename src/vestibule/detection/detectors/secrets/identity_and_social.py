"""Tokens of identity providers, of social networks and of media."""

from vestibule.detection.rule_builders import (
    KeyPart,
    alnum,
    by_name,
    digits,
    hexa,
    key,
    lower,
    named,
    of,
    one_of,
    upper,
    url64,
    uuid,
    vendor,
)
from vestibule.detection.validation.placeholders import is_random


def is_facebook_token(value: str) -> bool:
    """Tell a token from a checksum, which knows no capitals and no letter beyond f."""
    return is_random(value) and any(char.isupper() for char in value[4:]) and any(char > "f" for char in value[4:])


DETECTORS = (
    vendor(
        "ACCESS_TOKEN",
        "https://developer.okta.com/docs/reference/core-okta-api/",
        named("okta-token", "okta|ssws", "00", of(r"[\w=-]", 40)),
    ),
    vendor("SECRET", "https://auth0.com/docs/secure/tokens", named("auth0-secret", "auth0", url64(32, 64))),
    vendor(
        "API_KEY",
        "https://clerk.com/docs/deployments/clerk-environment-variables",
        key("clerk-key", one_of("sk_live_", "sk_test_"), alnum(40, 50)),
    ),
    vendor(
        "API_KEY",
        "https://workos.com/docs/reference/authentication",
        key("workos-key", one_of("sk_live_", "sk_test_", "sk_"), alnum(40, 100), check=is_random),
    ),
    vendor(
        "API_KEY",
        "https://stytch.com/docs/api/authentication",
        key("stytch-secret", one_of("secret-live-", "secret-test-"), url64(30, 40), "="),
    ),
    vendor(
        "API_KEY", "https://www.ory.sh/docs/", key("ory-key", one_of("ory_apikey_", "ory_pat_", "ory_wak_"), alnum(32))
    ),
    vendor("SECRET", "https://developers.onelogin.com/", named("onelogin-secret", "onelogin", hexa(64))),
    vendor(
        "SECRET",
        "https://www.keycloak.org/documentation",
        named("keycloak-secret", "keycloak", alnum(32)),
        named("keycloak-legacy-secret", "keycloak", uuid()),
    ),
    vendor("API_KEY", "https://loginradius.com/docs/", named("loginradius-key", "loginradius", uuid())),
    vendor("API_KEY", "https://docs.descope.com/", named("descope-key", "descope", "K", alnum(60, 110))),
    vendor(
        "ACCESS_TOKEN",
        "https://developers.facebook.com/docs/facebook-login/guides/access-tokens",
        key(
            "facebook-token",
            one_of("EAAC", "EAAM", "EAAA", "EAAG", "EAAD", "EAAB", "EAAI", "EAAJ"),
            alnum(80, 400),
            check=is_facebook_token,
        ),
        key(
            "facebook-app-token",
            digits(15, 16),
            KeyPart(r"(?:\||%7C)", "|"),
            url64(27, 40),
            check=is_random,
            prefilter=r"[0-9]{15}(?:\||%7C)[\w-]{10}",
        ),
        named("facebook-secret", "facebook|fb_", hexa(32)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://developers.facebook.com/docs/instagram-basic-display-api/",
        key("instagram-token", one_of("IGQVJ", "IGQWR", "IGAA"), url64(60, 400)),
        named("instagram-legacy-token", "instagram", digits(8, 12), ".", hexa(7), ".", hexa(32)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://developer.x.com/en/docs/authentication/oauth-1-0a",
        named("twitter-access-token", "twitter|tw_", digits(15, 25), "-", alnum(20, 40)),
        named("twitter-access-secret", "twitter|tw_", alnum(45)),
        named("twitter-key", "twitter|tw_", alnum(25)),
        named("twitter-secret", "twitter|tw_", alnum(50)),
        key(
            "twitter-bearer-token",
            "AAAAAAAAAAAAAAAAAAAAA",
            of("[A-Za-z0-9%]", 70, 110),
            check=bool,
            prefilter=r"A{21}[B-Za-z0-9%]",
        ),
    ),
    vendor(
        "SECRET",
        "https://learn.microsoft.com/linkedin/shared/authentication/",
        named("linkedin-client-id", "linkedin|linked_in|linked-in", alnum(14)),
        named("linkedin-secret", "linkedin|linked_in|linked-in", alnum(16)),
        key("linkedin-client-secret", "WPL_AP1.", alnum(16), ".", of("[A-Za-z0-9+/=]", 8)),
    ),
    vendor("ACCESS_TOKEN", "https://dev.twitch.tv/docs/authentication/", named("twitch-token", "twitch", alnum(30))),
    vendor(
        "SECRET",
        "https://www.flickr.com/services/api/",
        named("flickr-token", "flickr", alnum(32)),
        named("flickr-secret", "flickr", hexa(16)),
    ),
    vendor(
        "SECRET",
        "https://developer.spotify.com/documentation/",
        named("spotify-secret", "spotify", alnum(32)),
        key("spotify-token", "BQ", url64(120, 300), check=is_random),
    ),
    vendor(
        "SECRET",
        "https://www.reddit.com/dev/api/",
        named("reddit-secret", "reddit", url64(27, 30)),
        named("reddit-client-id", "reddit", url64(14, 22)),
    ),
    vendor(
        "API_KEY", "https://developers.pinterest.com/", key("pinterest-token", one_of("pina_", "pinr_"), url64(60, 120))
    ),
    vendor(
        "API_KEY",
        "https://developers.tiktok.com/",
        key(
            "tiktok-token",
            one_of("act.", "rft.", "clt."),
            alnum(60, 100),
            KeyPart(r"(?:![\d.]{2,6})?", ""),
            check=is_random,
        ),
    ),
    vendor(
        "API_KEY",
        "https://developer.nytimes.com/get-started",
        named("nytimes-key", "nytimes|new-york-times|newyorktimes", url64(32)),
    ),
    vendor("API_KEY", "https://steamcommunity.com/dev", named("steam-key", "steam_", hexa(32))),
    vendor("API_KEY", "https://developer.riotgames.com/docs/portal", key("riot-key", "RGAPI-", uuid())),
    vendor(
        "API_KEY",
        "https://create.roblox.com/docs/cloud/",
        key(
            "roblox-key",
            "_|WARNING:-DO-NOT-SHARE-THIS.",
            of(r"[ -~]", 60, 900),
            not_after="",
            not_before="",
            check=bool,
        ),
    ),
    vendor("SECRET", "https://developers.strava.com/docs/authentication/", named("strava-secret", "strava", hexa(40))),
    vendor(
        "API_KEY",
        "https://bitly.com/api",
        named("bitly-token", "bitly|bit.ly", hexa(40)),
        key("bitly-legacy-secret", "R_", hexa(32)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://github.com/trufflesecurity/trufflehog",
        named("disqus-key", "disqus", alnum(64)),
        named("tumblr-key", "tumblr", alnum(50)),
        named("imgur-secret", "imgur", hexa(40)),
        named("vimeo-token", "vimeo", hexa(32)),
        named("giphy-key", "giphy", alnum(32)),
        named("unsplash-key", "unsplash", url64(43)),
        named("foursquare-secret", "foursquare", upper(48)),
        named("yelp-key", "yelp", url64(128)),
    ),
    *by_name(
        "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors",
        (
            (lower(32), "lastfm mixcloud rebrandly ayrshare|ayrshareapi shutterstock iconfinder pixabay"),
            (uuid(), "passbase onfido persona_api"),
        ),
    ),
)
