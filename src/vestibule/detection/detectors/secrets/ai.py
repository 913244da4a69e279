"""Keys of services for artificial intelligence."""

from vestibule.detection.rule_builders import (
    alnum,
    by_name,
    hexa,
    key,
    lower,
    named,
    of,
    one_of,
    url64,
    uuid,
    vendor,
)

DETECTORS = (
    vendor(
        "API_KEY",
        "https://platform.openai.com/docs/api-reference/authentication",
        key("openai-key", "sk-", one_of("proj-", "svcacct-", "admin-", "None-"), url64(40, 200)),
        key("openai-legacy-key", "sk-", alnum(20), "T3BlbkFJ", alnum(20)),
        key("openai-plain-key", "sk-", alnum(32, 64)),
    ),
    vendor(
        "API_KEY",
        "https://docs.anthropic.com/en/api/getting-started",
        key("anthropic-key", "sk-ant-", one_of("api03-", "admin01-", "sid01-", "oat01-", "ort01-"), url64(80, 120)),
    ),
    vendor(
        "ACCESS_TOKEN",
        "https://huggingface.co/docs/hub/security-tokens",
        key("huggingface-token", "hf_", of("[A-Za-z]", 34, 40)),
        key("huggingface-organization-token", "api_org_", of("[A-Za-z]", 34)),
    ),
    vendor(
        "API_KEY",
        "https://docs.cohere.com/reference/about",
        named("cohere-key", "cohere|co_api_key", alnum(40)),
    ),
    vendor(
        "API_KEY", "https://docs.perplexity.ai/guides/getting-started", key("perplexity-key", "pplx-", alnum(40, 64))
    ),
    vendor("API_KEY", "https://console.groq.com/docs/quickstart", key("groq-key", "gsk_", alnum(52))),
    vendor(
        "API_KEY",
        "https://replicate.com/docs/reference/http#authentication",
        key("replicate-token", "r8_", alnum(37, 40)),
    ),
    vendor("API_KEY", "https://docs.x.ai/docs/overview", key("xai-key", "xai-", alnum(80))),
    vendor(
        "API_KEY",
        "https://openrouter.ai/docs/api-reference/authentication",
        key("openrouter-key", "sk-or-v1-", hexa(64)),
    ),
    vendor(
        "API_KEY", "https://docs.fireworks.ai/api-reference/introduction", key("fireworks-key", "fw_", alnum(22, 24))
    ),
    vendor("API_KEY", "https://docs.nvidia.com/nim/", key("nvidia-key", "nvapi-", url64(64))),
    vendor(
        "API_KEY",
        "https://docs.smith.langchain.com/",
        key("langsmith-key", "lsv2_", one_of("pt_", "sk_"), hexa(32), "_", hexa(10)),
        key("langsmith-legacy-key", "ls__", alnum(32, 48)),
    ),
    vendor("API_KEY", "https://langfuse.com/docs/get-started", key("langfuse-key", "sk-lf-", uuid())),
    vendor(
        "API_KEY",
        "https://docs.pinecone.io/guides/get-started/authentication",
        key("pinecone-key", "pcsk_", alnum(5, 6), "_", alnum(60, 66)),
    ),
    vendor("API_KEY", "https://inference-docs.cerebras.ai/", key("cerebras-key", "csk-", alnum(48))),
    vendor("API_KEY", "https://docs.jina.ai/", key("jina-key", "jina_", alnum(60, 64))),
    vendor("API_KEY", "https://docs.tavily.com/", key("tavily-key", "tvly-", url64(28, 48))),
    vendor("API_KEY", "https://docs.firecrawl.dev/", key("firecrawl-key", "fc-", hexa(32))),
    vendor(
        "API_KEY",
        "https://docs.wandb.ai/",
        named("wandb-key", "wandb|weights_and_biases", hexa(40)),
        key("wandb-v1-key", "wandb_v1_", url64(60, 100)),
    ),
    vendor("API_KEY", "https://docs.assemblyai.com/", named("assemblyai-key", "assemblyai", hexa(32))),
    vendor(
        "API_KEY", "https://elevenlabs.io/docs/api-reference/authentication", key("elevenlabs-key", "sk_", hexa(48))
    ),
    vendor("API_KEY", "https://api-docs.deepseek.com/", key("deepseek-key", "sk-", hexa(32))),
    vendor(
        "API_KEY",
        "https://docs.together.ai/",
        key("together-key", "tgp_v1_", url64(43)),
        named("together-legacy-key", "together|togetherai", hexa(64)),
    ),
    vendor("API_KEY", "https://ai.google.dev/gemini-api/docs/api-key", key("gemini-key", "AQ.Ab8", url64(44, 52))),
    vendor("API_KEY", "https://docs.voyageai.com/", key("voyage-key", "pa-", url64(43))),
    vendor("API_KEY", "https://fal.ai/docs", named("fal-key", "fal_|falai", uuid(), ":", hexa(32))),
    *by_name(
        "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors",
        (
            (alnum(32), "mistral clarifai stabilityai deepai edenai monkeylearn diffbot privateai"),
            (hexa(40), "deepgram nlpcloud"),
            (lower(32), "rosette meaningcloud aylien"),
        ),
    ),
)
