"""Keys of clouds and hosts."""

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
    maybe,
    named,
    of,
    one_of,
    upper,
    url64,
    uuid,
    vendor,
)
from vestibule.detection.validation.checks import entropy_bits
from vestibule.detection.validation.placeholders import has_high_entropy, is_random, is_varied


def is_azure_secret(value: str) -> bool:
    """Tell a drawn secret from a covered one and from a path."""
    return entropy_bits(value) >= 3.0 and has_high_entropy(value) and value.count(".") < 5


def is_aws_secret(value: str) -> bool:
    """Tell forty drawn characters of base64 from forty hexadecimal digits, which are a checksum."""
    return is_random(value) and entropy_bits(value) >= 4.2


DETECTORS = (
    vendor(
        "API_KEY",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
        key("aws-access-key-id", one_of("AKIA", "ASIA", "ABIA", "ACCA"), of("[A-Z2-7]", 16)),
        named(
            "aws-secret-access-key",
            "secretaccesskey|secret_access_key|secret_key|secretkey|aws_secret|aws_sec|awssecret|aws_key|awskey",
            KeyPart("[A-Za-z0-9/+]{40}", "wK9q/Zr3Lx8Vb2Nm+5Jt7Hg4Fd1Sa6Po0Iu8Yt3R"),
            check=is_aws_secret,
        ),
        key("aws-bedrock-key", "ABSK", alnum(109, 269), maybe("="), maybe("="), check=is_varied),
        key("aws-bedrock-short-lived-key", "bedrock-api-key-", base64(40, 2000)),
        key("aws-mws-token", "amzn.mws.", uuid()),
        key("aws-appsync-key", "da2-", lower(26)),
        key("amazon-oauth-secret", "amzn1.oa2-cs.v1.", hexa(64)),
        key("aws-session-token", one_of("FwoGZXIvYXdzE", "IQoJb3JpZ2lu"), base64(100, 4000)),
    ),
    vendor(
        "API_KEY",
        "https://learn.microsoft.com/azure/active-directory/develop/howto-create-service-principal-portal",
        key(
            "azure-client-secret",
            of("[A-Za-z0-9_~.]", 3),
            digits(1),
            "Q~",
            of("[A-Za-z0-9_~.-]", 31, 34),
            check=is_azure_secret,
            not_after=r"\w~.+/-",
            not_before=r"\w~+/.",
        ),
        key("azure-devops-token", alnum(52), "JQQJ99", alnum(10, 18), "AZDO", alnum(4)),
        key("azure-storage-key", url64(76), "+AStAA", KeyPart("[A-Za-z0-9+/]{0,2}==", "==")),
        key("azure-search-key", alnum(42), "AzSe", alnum(4, 8)),
        key("azure-functions-key", url64(40, 50), "AzFu", alnum(6), "=="),
        key("azure-registry-password", alnum(42), "+ACR", alnum(6)),
        key("azure-event-hub-key", base64(33), "+AEh", base64(7)),
        key("azure-service-bus-key", base64(33), "+ASb", base64(7)),
        key("azure-iot-key", base64(33), "AIoT", base64(7)),
        key("azure-cosmos-key", base64(76), "ACDb", base64(6)),
        key("azure-openai-key", alnum(52), "JQQJ99", alnum(10, 14), "AC", alnum(18, 22)),
        named("azure-devops-legacy-token", "azure|devops|ado_pat|vsts", lower(52)),
        named("azure-management-key", "azure|ocp-apim-subscription-key", hexa(32)),
    ),
    vendor(
        "API_KEY",
        "https://cloud.google.com/docs/authentication/api-keys",
        key("google-oauth-secret", "GOCSPX-", url64(28)),
        key("google-oauth-access-token", "ya29.", url64(20, 400)),
        key("google-oauth-refresh-token", "1//0", url64(40, 120), not_after=r"\w.+:-"),
        key("firebase-messaging-key", "AAAA", url64(7), ":APA91b", url64(134)),
        key("google-hmac-key", "GOOG", one_of("1E", ""), of("[A-Z0-9]", 20, 60)),
    ),
    vendor(
        "API_KEY",
        "https://www.alibabacloud.com/help/en/ram/user-guide/create-an-accesskey-pair",
        key("alibaba-access-key-id", "LTAI", alnum(16, 21)),
        named("alibaba-secret-key", "alibaba|aliyun|alicloud", alnum(30)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://docs.digitalocean.com/reference/api/create-personal-access-token/",
        key("digitalocean-token", one_of("dop_v1_", "doo_v1_", "dor_v1_"), any_hexa(64)),
    ),
    vendor(
        "API_KEY",
        "https://developers.cloudflare.com/fundamentals/api/get-started/",
        named("cloudflare-token", "cloudflare|cf_api|cf_token", url64(40)),
        named("cloudflare-global-key", "cloudflare|cf_api|cf_global", hexa(37)),
        key("cloudflare-origin-ca-key", "v1.0-", hexa(24), "-", hexa(146)),
        key("cloudflare-scannable-token", one_of("cfut_", "cfat_", "cfk_"), url64(40, 60)),
    ),
    vendor(
        "API_KEY",
        "https://devcenter.heroku.com/articles/authentication",
        named("heroku-key", "heroku", uuid()),
        key("heroku-token", "HRKU-AA", url64(58)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://fly.io/docs/security/tokens/",
        key("flyio-token", one_of("fm1a_", "fm1r_", "fm2_"), base64(80, 2000)),
        key("flyio-oauth-token", "fo1_", url64(43)),
    ),
    vendor(
        "API_KEY",
        "https://yandex.cloud/docs/iam/concepts/authorization/",
        key(
            "yandex-iam-token",
            "t1.",
            KeyPart("[A-Za-z0-9_-]{1,800}={0,2}", "9euelZ"),
            ".",
            url64(86),
            maybe("="),
            not_after=r"\w.+/-",
        ),
        key("yandex-key", "AQVN", url64(35, 38)),
        named("yandex-access-key", "yandex", "YC", url64(38)),
        key("yandex-oauth-token", "y0_", url64(30, 60)),
        key("yandex-oauth-secret", "YCA", one_of("JE", "BE", "KE"), url64(20, 60)),
    ),
    vendor(
        "API_KEY",
        "https://www.scaleway.com/en/docs/iam/",
        key("scaleway-access-key", "SCW", upper(17)),
        named("scaleway-secret", "scaleway|scw", uuid()),
    ),
    vendor("ACCESS_TOKEN", "https://developers.scalingo.com/", key("scalingo-token", "tk-us-", url64(48))),
    vendor(
        "API_KEY",
        "https://www.tencentcloud.com/document/product/598/32675",
        key("tencent-secret-id", "AKID", alnum(32)),
        named("tencent-secret", "tencent|qcloud", alnum(32)),
    ),
    vendor(
        "API_KEY",
        "https://cloud.ibm.com/docs/account?topic=account-userapikey",
        named("ibm-key", "ibm|bluemix|softlayer", url64(44)),
    ),
    vendor(
        "API_KEY",
        "https://docs.oracle.com/iaas/",
        named("oracle-cloud-token", "oci_|oracle", of(r"[\w;:+{}<>.#-]", 20)),
    ),
    vendor("API_KEY", "https://www.linode.com/docs/api/", named("linode-token", "linode", hexa(64))),
    vendor("API_KEY", "https://www.vultr.com/api/", named("vultr-key", "vultr", upper(36))),
    vendor("API_KEY", "https://docs.hetzner.cloud/", named("hetzner-token", "hetzner|hcloud", alnum(64))),
    vendor(
        "API_KEY",
        "https://docs.netlify.com/api/get-started/",
        key("netlify-token", "nfp_", alnum(36)),
        named("netlify-legacy-token", "netlify", of("[a-z0-9=_-]", 40, 46)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://vercel.com/docs/rest-api",
        key("vercel-token", one_of("vcp_", "vci_", "vca_", "vcr_", "vck_"), alnum(24, 60)),
        named("vercel-legacy-token", "vercel|zeit", alnum(24)),
    ),
    vendor("API_KEY", "https://render.com/docs/api", key("render-key", "rnd_", alnum(28, 36))),
    vendor(
        "API_KEY",
        "https://docs.fastly.com/en/guides/using-api-tokens",
        named("fastly-token", "fastly", of("[a-z0-9=_-]", 32)),
    ),
    vendor(
        "API_KEY",
        "https://techdocs.akamai.com/developer/docs/authenticate-with-edgegrid",
        key("akamai-token", one_of("akab-", "akaa-"), lower(16), "-", lower(16)),
    ),
    vendor(
        "API_KEY",
        "https://www.backblaze.com/docs/cloud-storage-application-keys",
        key("backblaze-key", "K00", digits(1), url64(27), not_before=r"\w+/-", check=is_random),
    ),
    vendor("API_KEY", "https://docs.wasabi.com/", named("wasabi-secret", "wasabi", base64(40))),
    vendor(
        "ACCESS_TOKEN",
        "https://supabase.com/docs/guides/api/api-keys",
        key("supabase-token", "sbp_", hexa(40)),
        key("supabase-secret-key", "sb_secret_", url64(30, 50)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://docs.openshift.com/",
        key("openshift-token", "sha256~", url64(43), check=is_azure_secret),
    ),
    vendor(
        "API_KEY", "https://docs.cast.ai/docs/api-access-key", key("castai-key", "castai_v1_", alnum(64), "_", alnum(8))
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://deploy.equinix.com/developers/docs/",
        named("equinix-token", "equinix|packet", alnum(32)),
    ),
    vendor("ACCESS_TOKEN", "https://docs.railway.com/reference/public-api", named("railway-token", "railway", uuid())),
    vendor("API_KEY", "https://docs.upcloud.com/", key("upcloud-token", "ucat_", upper(26))),
    vendor("API_KEY", "https://api.ovh.com/", named("ovh-key", "ovh", alnum(32))),
    vendor(
        "API_KEY",
        "https://docs.lambdalabs.com/",
        key("lambda-key", "secret_", alnum(12, 40), "_", hexa(32), ".", alnum(32)),
    ),
    *by_name(
        "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors",
        (
            (lower(32), "cloudways cloudplan kinsta"),
            (alnum(22, 64), "cloudsmith packagecloud pantheon platformsh"),
            (hexa(40), "dnsimple|dnsimpleapi buddyns"),
        ),
    ),
)
