"""Keys of payment services, banks and shops."""

from vestibule.detection.rule_builders import (
    KeyPart,
    alnum,
    any_hexa,
    base64,
    by_name,
    digits,
    hexa,
    key,
    lower,
    named,
    of,
    one_of,
    padded,
    url64,
    uuid,
    vendor,
)
from vestibule.detection.validation.placeholders import is_random, is_varied

DETECTORS = (
    vendor(
        "API_KEY",
        "https://docs.stripe.com/keys",
        key(
            "stripe-key", one_of("sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_"), alnum(10, 247)
        ),
        key("stripe-webhook-secret", "whsec_", base64(32, 64)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://developer.squareup.com/docs/build-basics/access-tokens",
        key("square-token", "EAAA", url64(22, 60), check=is_random, not_before=r"\w+/=-", not_after=r"\w.+/:-"),
        key("square-oauth-token", one_of("sq0atp-", "sq0idp-", "sq0csp-"), url64(22, 60)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://developer.paypal.com/braintree/docs/",
        key("braintree-token", "access_token$", one_of("production", "sandbox"), "$", lower(16), "$", hexa(32)),
    ),
    vendor("API_KEY", "https://developer.paypal.com/api/rest/", named("paypal-secret", "paypal", url64(80))),
    vendor(
        "API_KEY",
        "https://docs.adyen.com/development-resources/api-credentials/",
        key("adyen-key", KeyPart("AQ[EF][a-z]hm[a-z]", "AQEyhmf"), base64(30, 500), prefilter=r"\bAQ[EF][a-z]hm[a-z]"),
    ),
    vendor(
        "API_KEY",
        "https://razorpay.com/docs/api/authentication/",
        key("razorpay-key", one_of("rzp_live_", "rzp_test_"), alnum(14)),
        named("razorpay-secret", "razorpay", alnum(24)),
    ),
    vendor(
        "API_KEY",
        "https://developer.gocardless.com/api-reference/",
        key("gocardless-token", one_of("live_", "sandbox_"), padded(40), check=is_random, not_before=r"\w"),
    ),
    vendor(
        "API_KEY",
        "https://developer.flutterwave.com/docs/authentication",
        key(
            "flutterwave-key",
            one_of("FLWSECK_TEST-", "FLWPUBK_TEST-", "FLWSECK-", "FLWPUBK-"),
            of("[0-9a-hA-H]", 32),
            "-X",
        ),
        key("flutterwave-encryption-key", "FLWSECK_TEST", of("[0-9a-h-]", 12, 13), check=is_varied),
    ),
    vendor(
        "API_KEY",
        "https://paystack.com/docs/api/authentication/",
        key("paystack-key", one_of("sk_live_", "sk_test_"), lower(40)),
    ),
    vendor(
        "API_KEY",
        "https://plaid.com/docs/api/tokens/",
        key("plaid-token", "access-", one_of("sandbox-", "development-", "production-"), uuid()),
        named("plaid-client-id", "plaid", alnum(24)),
        named("plaid-secret", "plaid", alnum(30)),
    ),
    vendor(
        "API_KEY",
        "https://docs.mollie.com/reference/authentication",
        key("mollie-key", one_of("live_", "test_"), alnum(30, 34), check=is_random),
        key("mollie-token", "access_", alnum(30), check=is_random),
    ),
    vendor(
        "API_KEY",
        "https://www.checkout.com/docs/",
        key(
            "checkout-key",
            KeyPart("sk_(?:sbox_|test_)?", "sk_"),
            KeyPart("[a-z2-7]{26}[a-z*#$=]", "m73dzbpy7cf3gfd46xr4yj5xo4e"),
        ),
        key("checkout-legacy-key", one_of("sk_test_", "sk_"), uuid()),
    ),
    vendor(
        "API_KEY",
        "https://apidocs.chargebee.com/docs/api/auth",
        key("chargebee-key", one_of("live_", "test_"), alnum(20, 50), check=is_random),
    ),
    vendor(
        "API_KEY",
        "https://developer.paddle.com/api-reference/about/api-keys",
        key(
            "paddle-key", "pdl_", one_of("live_", "sdbx_"), "apikey_", of("[a-z0-9]", 26), "_", alnum(22), "_", alnum(3)
        ),
        key("paddle-webhook-secret", "pdl_ntfset_", of("[a-z0-9]", 26), "_", base64(32)),
    ),
    vendor(
        "API_KEY",
        "https://docs.lob.com/",
        named("lob-key", "lob_|lob-|lob.|lobkey|lobtoken|lobapi", one_of("live_", "test_"), hexa(35)),
        named(
            "lob-publishable-key",
            "lob_|lob-|lob.|lobkey|lobpub|lobtoken|lobapi",
            one_of("live_pub_", "test_pub_"),
            hexa(31),
        ),
        key("lob-bare-key", one_of("live_", "test_"), hexa(35)),
        key("lob-bare-publishable-key", one_of("live_pub_", "test_pub_"), hexa(31)),
    ),
    vendor(
        "API_KEY",
        "https://docs.easypost.com/docs/authentication",
        key("easypost-key", one_of("EZAK", "EZTK"), alnum(54)),
    ),
    vendor(
        "API_KEY",
        "https://docs.goshippo.com/",
        key("shippo-token", one_of("shippo_live_", "shippo_test_"), any_hexa(40)),
    ),
    vendor(
        "API_KEY",
        "https://duffel.com/docs/api/overview/test-mode",
        key("duffel-token", one_of("duffel_test_", "duffel_live_"), padded(43)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://shopify.dev/docs/apps/auth",
        key("shopify-token", one_of("shpat_", "shpca_", "shppa_", "shpss_", "shptka_", "shpit_"), any_hexa(32)),
    ),
    vendor(
        "API_KEY",
        "https://developers.etsy.com/documentation/essentials/authentication",
        named("etsy-key", "etsy", alnum(24)),
    ),
    vendor(
        "API_KEY",
        "https://developers.squarespace.com/commerce-apis/authentication-and-permissions",
        named("squarespace-key", "squarespace", uuid()),
    ),
    vendor(
        "API_KEY",
        "https://developer.ebay.com/api-docs/static/gs_ebay-api-key.html",
        key("ebay-secret", one_of("PRD-", "SBX-"), hexa(12), "-", hexa(4), "-", hexa(4), "-", hexa(4), "-", hexa(4)),
    ),
    vendor(
        "API_KEY",
        "https://help.freemius.com/",
        named("freemius-secret", "secret_key", "sk_", of(r"[^\s\"']", 29), check=is_random),
    ),
    vendor(
        "API_KEY",
        "https://www.finicity.com/",
        named("finicity-key", "finicity", hexa(32)),
        named("finicity-secret", "finicity", alnum(20)),
    ),
    vendor(
        "API_KEY", "https://www.freshbooks.com/api/authentication", named("freshbooks-token", "freshbooks", alnum(64))
    ),
    vendor("API_KEY", "https://developer.intuit.com/", named("intuit-secret", "intuit|quickbooks", alnum(40))),
    vendor("API_KEY", "https://docs.wise.com/", named("wise-token", "transferwise|wise_", uuid())),
    vendor(
        "API_KEY",
        "https://docs.klarna.com/",
        key("klarna-key", one_of("klarna_live_api_", "klarna_test_api_"), url64(40, 200)),
    ),
    vendor(
        "API_KEY",
        "https://docs.xendit.co/",
        key("xendit-key", one_of("xnd_production_", "xnd_development_"), alnum(30, 70)),
    ),
    vendor(
        "API_KEY",
        "https://docs.midtrans.com/",
        key("midtrans-key", one_of("Mid-server-", "Mid-client-"), url64(16, 28)),
    ),
    vendor(
        "API_KEY",
        "https://docs.omise.co/",
        key("omise-key", one_of("skey_", "pkey_"), KeyPart("(?:test_)?", "test_"), lower(19)),
    ),
    vendor("API_KEY", "https://github.com/Samsung/CredSweeper", key("picatic-key", "sk_live_", lower(32))),
    vendor(
        "API_KEY",
        "https://docs.cashfree.com/",
        key("cashfree-secret", one_of("cfsk_ma_prod_", "cfsk_ma_test_"), hexa(32), "_", hexa(8)),
    ),
    vendor(
        "API_KEY",
        "https://www.mercadopago.com/developers/",
        key(
            "mercadopago-token",
            one_of("APP_USR-", "TEST-"),
            digits(14, 18),
            "-",
            digits(6),
            "-",
            hexa(32),
            KeyPart("(?:__[A-Z_]{2}__)?", ""),
            "-",
            digits(6, 12),
        ),
    ),
    vendor("API_KEY", "https://gumroad.com/api", named("gumroad-token", "gumroad", url64(43))),
    vendor("API_KEY", "https://recurly.com/developers/", named("recurly-key", "recurly", hexa(32))),
    vendor(
        "API_KEY",
        "https://docs.rechargepayments.com/",
        key("recharge-token", one_of("sk_1x1_", "sk_2x2_", "sk_3x3_", "sk_5x5_"), alnum(64)),
    ),
    vendor("API_KEY", "https://developers.dwolla.com/", named("dwolla-key", "dwolla", alnum(50))),
    vendor(
        "API_KEY",
        "https://docs.ramp.com/",
        key("ramp-secret", "ramp_sec_", alnum(40, 56)),
        key("ramp-id", "ramp_id_", alnum(40)),
    ),
    *by_name(
        "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors",
        (
            (hexa(40), "taxjar"),
            (lower(32), "moonclerk fastspring invoiceocean storecove"),
            (uuid(), "paymongo wepay currencycloud basistheory"),
            (alnum(32), "sellfy snipcart commercejs jumpseller swell"),
            (alnum(40, 64), "avalara chartmogul baremetrics printify printful"),
        ),
    ),
)
