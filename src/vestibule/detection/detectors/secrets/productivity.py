"""Keys of services for work, documents, customers and forms."""

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
    padded,
    upper,
    url64,
    uuid,
    vendor,
)
from vestibule.detection.validation.placeholders import is_random, is_varied

DETECTORS = (
    vendor(
        "API_KEY",
        "https://airtable.com/developers/web/guides/personal-access-tokens",
        key("airtable-token", "pat", alnum(14), ".", hexa(64), prefilter=r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{8}"),
        key("airtable-legacy-key", "key", alnum(14), check=is_random, prefilter=r"\bkey[A-Za-z0-9]{14}"),
        named("airtable-key", "airtable", alnum(17)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://developers.asana.com/docs/personal-access-token",
        named("asana-client-id", "asana", digits(16), check=is_varied),
        named("asana-client-secret", "asana", lower(32)),
        named("asana-token", "asana", KeyPart(r"\d{1,2}/\d{16}(?:/\d{16})?:", "1/1200719934820561:"), hexa(32)),
    ),
    vendor(
        "API_KEY",
        "https://developers.notion.com/docs/authorization",
        key("notion-token", "ntn_", digits(11), alnum(32, 36)),
        key("notion-legacy-token", "secret_", alnum(43)),
    ),
    vendor(
        "API_KEY",
        "https://developers.linear.app/docs/",
        key("linear-key", "lin_api_", alnum(40)),
        key("linear-oauth-token", "lin_oauth_", alnum(64)),
        named("linear-secret", "linear", hexa(32)),
    ),
    vendor(
        "API_KEY",
        "https://learning.postman.com/docs/developer/postman-api/authentication/",
        key("postman-key", "PMAK-", hexa(24), "-", hexa(34)),
        key("postman-collection-key", "PMAT-", upper(26)),
    ),
    vendor(
        "API_KEY",
        "https://docs.readme.com/main/reference/intro/authentication",
        key("readme-key", one_of("rdme_", "rdme_xn8s9h"), lower(64, 70)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://www.figma.com/developers/api#access-tokens",
        key("figma-token", one_of("figd_", "figo_", "figu_", "figdr_"), url64(40, 48)),
        named("figma-legacy-token", "figma", KeyPart(r"\d{4,8}-", "51234-"), uuid()),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://developer.adobe.com/developer-console/docs/guides/authentication/",
        key("adobe-secret", "p8e-", alnum(32)),
        key("adobe-oauth-secret", "p8e-", url64(30, 40)),
        named("adobe-client-id", "adobe", hexa(32)),
    ),
    vendor(
        "ACCESS_TOKEN", "https://developer.frame.io/docs/", key("frameio-token", "fio-u-", padded(64), not_before=r"\w")
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://www.typeform.com/developers/get-started/personal-access-token/",
        key("typeform-token", "tfp_", of(r"[\w=.-]", 40, 64)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://www.dropbox.com/developers/documentation/http/documentation",
        key("dropbox-short-lived-token", "sl.", KeyPart("(?:u\\.)?", ""), padded(130, 1400)),
        named("dropbox-secret", "dropbox", alnum(15)),
        named("dropbox-long-lived-token", "dropbox", alnum(11), "AAAAAAAAAA", padded(43), check=bool),
        key(
            "dropbox-token",
            alnum(9, 11),
            of("[B-Za-z0-9]", 1),
            "AAAAAAAAAA",
            url64(41, 45),
            check=bool,
            not_after=r"\w.+/-",
            prefilter=r"[B-Za-z0-9]A{10}[\w-]",
        ),
    ),
    vendor(
        "API_KEY",
        "https://developers.hubspot.com/docs/api/private-apps",
        key("hubspot-token", one_of("pat-na1-", "pat-na2-", "pat-na3-", "pat-eu1-", "pat-ap1-"), uuid()),
        named("hubspot-key", "hubspot|hapikey|hub_spot", uuid()),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://help.salesforce.com/",
        key("salesforce-token", "00D", alnum(12, 15), "!", of(r"[\w.]", 80, 120)),
        key("salesforce-refresh-token", "5Aep", of(r"[\w.]", 60, 140)),
        named("salesforce-secret", "salesforce|sfdc", upper(32, 64)),
    ),
    vendor(
        "API_KEY",
        "https://developer.zendesk.com/api-reference/introduction/security-and-auth/",
        named("zendesk-secret", "zendesk", alnum(40)),
    ),
    vendor(
        "API_KEY",
        "https://developers.freshdesk.com/",
        named("freshdesk-key", "freshdesk|freshworks|freshservice", alnum(20)),
    ),
    vendor(
        "API_KEY",
        "https://www.contentful.com/developers/docs/references/authentication/",
        key("contentful-token", "CFPAT-", url64(43)),
        named("contentful-delivery-token", "contentful", padded(43)),
    ),
    vendor(
        "API_KEY",
        "https://www.sanity.io/docs/",
        named("storyblok-token", "storyblok", alnum(22), "tt"),
        named("sanity-token", "sanity", "sk", alnum(178)),
    ),
    vendor(
        "API_KEY",
        "https://www.algolia.com/doc/guides/security/api-keys/",
        named("algolia-key", "algolia", hexa(32)),
        named("algolia-other-key", "algolia", lower(32)),
    ),
    vendor("API_KEY", "https://www.getbeamer.com/api", named("beamer-token", "beamer", "b_", padded(44))),
    vendor("API_KEY", "https://developers.miro.com/", named("miro-token", "miro_", url64(27))),
    vendor(
        "API_KEY",
        "https://developer.clickup.com/docs/authentication",
        key("clickup-token", "pk_", digits(6, 9), "_", upper(32)),
    ),
    vendor(
        "API_KEY",
        "https://developer.atlassian.com/cloud/trello/",
        named("trello-key", "trello", hexa(32)),
        named("trello-token", "trello", hexa(64)),
        key("trello-app-token", "ATTA", hexa(64), alnum(8)),
    ),
    vendor("API_KEY", "https://developer.calendly.com/", named("calendly-key", "calendly", url64(60, 400))),
    vendor("API_KEY", "https://developer.todoist.com/", named("todoist-token", "todoist", hexa(40))),
    vendor("API_KEY", "https://pipedrive.readme.io/", named("pipedrive-token", "pipedrive", hexa(40))),
    vendor(
        "API_KEY",
        "https://apidocs.looker.com/",
        named("looker-client-id", "looker", alnum(20)),
        named("looker-client-secret", "looker", alnum(24)),
    ),
    vendor("API_KEY", "https://www.jotform.com/developers", named("jotform-key", "jotform", hexa(32))),
    vendor("API_KEY", "https://developers.webflow.com/", named("webflow-key", "webflow", hexa(64))),
    vendor(
        "API_KEY",
        "https://docs.docusign.com/",
        named("docusign-secret", "docusign", uuid()),
        named("hellosign-key", "hellosign|dropbox_sign", hexa(64)),
        named("pandadoc-key", "pandadoc", hexa(40)),
    ),
    vendor(
        "API_KEY",
        "https://clockify.me/developers-api",
        named("clockify-key", "clockify", alnum(48)),
        named("toggl-token", "toggl", hexa(32)),
        named("harvest-token", "harvest", KeyPart(r"\d{4,8}\.pt\.", "1234097.pt."), url64(80, 100)),
    ),
    vendor(
        "ACCESS_TOKEN", "https://developers.smartsheet.com/", named("smartsheet-token", "smartsheet", alnum(26, 37))
    ),
    vendor(
        "SECRET", "https://api.intra.42.fr/apidoc", key("intra42-secret", one_of("s-s4t2ud-", "s-s4t2af-"), hexa(64))
    ),
    vendor(
        "API_KEY",
        "https://developer.surveymonkey.com/",
        named("surveymonkey-token", "surveymonkey|survey_monkey", url64(80, 120)),
    ),
    vendor(
        "API_KEY",
        "https://documentation.mux.com/",
        named("mux-secret", "mux_", of("[A-Za-z0-9+/]", 75)),
        named("wistia-token", "wistia", hexa(64)),
    ),
    vendor(
        "API_KEY",
        "https://cloudinary.com/documentation/",
        key(
            "cloudinary-url",
            "cloudinary://",
            digits(14, 16),
            ":",
            url64(26, 28),
            "@",
            KeyPart(r"[\w-]{1,64}", "demo"),
            not_after=r"\w",
        ),
    ),
    vendor("API_KEY", "https://composio.dev/", key("composio-key", one_of("ak_", "uak_"), url64(20), check=is_random)),
    vendor("API_KEY", "https://apify.com/docs", key("apify-token", "apify_api_", alnum(34, 38))),
    vendor("API_KEY", "https://docs.zuplo.com/", key("zuplo-key", "zpka_", hexa(32), "_", hexa(8))),
    *by_name(
        "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors",
        (
            (hexa(40), "apideck beebole pivotaltracker teamgate insightly podio livestorm papyrs formbucket mite"),
            (
                lower(32),
                "crowdin lokalise zeplin canny|cannyio capsulecrm copper salesflare nethunt delighted qualaroo "
                "surveysparrow simplesat survicate zonka helpscout groovehq liveagent happyscribe hive_api "
                "mavenlink humanity deputy everhour timecamp tmetric paymo cashboard bugherd codemagic uploadcare "
                "filestack imagekit pdfshift pdflayer html2pdf bannerbear craftmypdf apitemplate restpack urlbox "
                "swiftype simplybook thinkific eventbrite guru_api",
            ),
            (
                uuid(),
                "apacta apptivo uploadcareio veevavault box_api nylas vyte juro eversign teamworkdesk|teamwork "
                "fibery integromat meistertask mindmeister dynalist nozbe zenkit wrike",
            ),
            (
                alnum(20, 64),
                "aha_io companyhub karmacrm onepagecrm clinchpad kylas prospectcrm sugester smartsheets airship "
                "autopilot autoklose salesblink mixmax cloze streak front_api kontent contentstack graphcms hygraph "
                "prismic dato|datocms strapi ghost_admin webengage formio gocanvas shotstack gyazo",
            ),
        ),
    ),
)
