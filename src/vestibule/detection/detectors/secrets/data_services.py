"""Keys of services for maps, weather, markets, money changers and other data."""

from vestibule.detection.rule_builders import (
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
from vestibule.detection.validation.placeholders import is_random, is_varied

DETECTORS = (
    vendor(
        "API_KEY",
        "https://io.adafruit.com/api/docs/#authentication",
        key("adafruit-key", "aio_", alnum(28)),
        named("adafruit-named-key", "adafruit", of("[a-z0-9_-]", 32)),
    ),
    vendor(
        "API_KEY",
        "https://docs.mapbox.com/help/getting-started/access-tokens/",
        key("mapbox-token", one_of("pk.", "sk.", "tk."), of("[A-Za-z0-9]", 60, 200), ".", url64(22), check=is_random),
    ),
    vendor(
        "API_KEY",
        "https://support.maxmind.com/",
        key("maxmind-license-key", alnum(6), "_", alnum(29), "_mmk"),
        named("maxmind-legacy-key", "maxmind|geolite", alnum(16)),
    ),
    vendor(
        "API_KEY",
        "https://docs.rapidapi.com/docs/keys",
        named("rapidapi-key", "rapidapi|x-mashape", of("[a-z0-9_-]", 50)),
    ),
    vendor("API_KEY", "https://finnhub.io/docs/api/authentication", named("finnhub-token", "finnhub", lower(20))),
    vendor(
        "API_KEY",
        "https://docs.cdp.coinbase.com/",
        named("coinbase-token", "coinbase", of("[a-z0-9_-]", 64)),
        named("coinbase-key", "coinbase", alnum(16, 32)),
        key("coinbase-key-name", "organizations/", uuid(), "/apiKeys/", uuid(), not_after=r"\w"),
    ),
    vendor(
        "API_KEY",
        "https://docs.kraken.com/api/",
        named("kraken-token", "kraken", of("[a-z0-9/=_+-]", 80, 90)),
        named("kraken-key", "kraken", of("[A-Za-z0-9/+]", 56)),
    ),
    vendor("API_KEY", "https://bittrex.github.io/api/v3", named("bittrex-key", "bittrex", alnum(32))),
    vendor(
        "API_KEY",
        "https://www.kucoin.com/docs/",
        named("kucoin-key", "kucoin", hexa(24)),
        named("kucoin-secret", "kucoin", uuid()),
    ),
    vendor("API_KEY", "https://developers.binance.com/docs/", named("binance-key", "binance", alnum(64))),
    vendor(
        "API_KEY",
        "https://docs.bitfinex.com/",
        named("bitfinex-key", "bitfinex", url64(43)),
        named("bitmex-key", "bitmex", url64(24)),
        named("bitmex-secret", "bitmex", url64(48)),
        named("bybit-key", "bybit", alnum(18, 36)),
        named("okx-key", "okx_|okex", uuid()),
        named("poloniex-key", "poloniex", upper(8), "-", upper(8), "-", upper(8), "-", upper(8)),
    ),
    vendor("API_KEY", "https://docs.etherscan.io/", named("etherscan-key", "etherscan|bscscan|polygonscan", upper(34))),
    vendor(
        "API_KEY",
        "https://docs.infura.io/",
        named("infura-key", "infura", hexa(32)),
        named("alchemy-key", "alchemy|alchemyapi", url64(32)),
        named("quicknode-key", "quicknode", hexa(40)),
        named("moralis-key", "moralis", alnum(64)),
    ),
    vendor(
        "API_KEY",
        "https://docs.alpaca.markets/",
        key("alpaca-key", one_of("AKFZ", "PKFZ"), upper(16)),
        named("alpaca-secret", "alpaca|apca", alnum(40)),
        named("alpaca-key-id", "alpaca|apca", upper(20)),
    ),
    vendor("API_KEY", "https://www.oanda.com/", named("oanda-token", "oanda", hexa(32), "-", hexa(32))),
    vendor("API_KEY", "https://api.nasa.gov/", named("data-gov-key", "data.gov|datagov|nasa_api", alnum(40))),
    vendor(
        "API_KEY",
        "https://developers.amadeus.com/",
        named("amadeus-key", "amadeus", alnum(32)),
        named("amadeus-secret", "amadeus", alnum(16)),
    ),
    vendor("API_KEY", "https://developer.here.com/", named("here-key", "here_|hereapi", url64(43))),
    vendor(
        "API_KEY",
        "https://wakatime.com/developers",
        key("wakatime-key", one_of("waka_", "waka_tok_", "waka_sec_"), uuid()),
        named("wakatime-legacy-key", "wakatime", uuid()),
    ),
    vendor(
        "API_KEY",
        "https://developer.accuweather.com/",
        named("accuweather-key", "accuweather", of("[A-Za-z0-9%]", 32, 35)),
    ),
    vendor(
        "API_KEY",
        "https://www.alphavantage.co/documentation/",
        named("alphavantage-key", "alphavantage|alpha_vantage", upper(16)),
    ),
    vendor(
        "API_KEY",
        "https://iexcloud.io/docs/",
        key("iexcloud-key", one_of("sk_", "pk_", "Tsk_", "Tpk_"), hexa(32), check=is_random),
    ),
    vendor(
        "API_KEY",
        "https://github.com/trufflesecurity/trufflehog",
        named("avaza-token", "avaza", digits(4, 8), "-", hexa(40)),
        named("zipcodeapi-key", "zipcodeapi", alnum(64)),
        named("adzuna-key", "adzuna", hexa(32)),
        named("adzuna-id", "adzuna", hexa(8), check=is_varied),
    ),
    vendor(
        "API_KEY",
        "https://github.com/trufflesecurity/trufflehog",
        key("rockset-key", "rs2:", alnum(40, 80)),
        named("uber-token", "uber_", url64(40)),
        named("lyft-token", "lyft", url64(40)),
        named("sendle-key", "sendle", alnum(24)),
    ),
    vendor(
        "API_KEY",
        "https://dev.samsara.com/",
        key("samsara-token", "samsara_api_", alnum(30)),
        named("nutritionix-key", "nutritionix", hexa(32)),
    ),
    vendor(
        "API_KEY",
        "https://docs.pinata.cloud/",
        named("pinata-key", "pinata", hexa(20)),
        named("pinata-secret", "pinata", hexa(64)),
    ),
    vendor(
        "API_KEY",
        "https://ubidots.com/docs/",
        key("ubidots-key", "BBFF-", hexa(30)),
        key("ubidots-token", "BBUS-", alnum(30)),
    ),
    vendor(
        "API_KEY", "https://www.thethingsnetwork.org/docs/", key("thethings-key", "NNSXS.", upper(39), ".", upper(52))
    ),
    vendor(
        "API_KEY",
        "https://docs.particle.io/",
        named("particle-token", "particle", hexa(40)),
        named("blynk-token", "blynk", url64(32)),
    ),
    *by_name(
        "https://github.com/trufflesecurity/trufflehog/tree/main/pkg/detectors",
        (
            (
                hexa(32),
                "openweather|openweathermap weatherstack weatherbit fixerio|fixer_io currencylayer aviationstack "
                "mediastack marketstack positionstack userstack numverify languagelayer coinlayer vatlayer "
                "screenshotlayer serpstack scrapestack zenserp countrylayer apilayer newsapi|news_api "
                "detectlanguage cryptocompare exchangerate|exchangerates geocodio pdfcrowd ipgeolocation "
                "calendarific timezoneapi opencage visualcrossing stormglass openuv worldweather geoapify geocodify "
                "rawg spoonacular edamam tatum ambee airvisual aerisweather roaring bulbul axonaut billomat audd "
                "alegra commodities",
            ),
            (
                alnum(32),
                "coinapi tomtom mapquest tomorrowio locationiq graphhopper polygon|polygonio twelvedata tiingo "
                "finage intrinio tradier quandl|nasdaqdatalink benzinga marketaux stockdata scraperapi scrapingbee "
                "scrapingdog scrapingant scraperbox scrapeowl scrapfly zenrows proxycrawl webscraper webscraping "
                "diggernaut captchas twocaptcha|2captcha anticaptcha bulksms clearbit fullcontact rocketreach "
                "uplead leadfeeder peopledatalabs hunter_api|hunter_io snov debounce verimail neutrinoapi "
                "cloudmersive ocrspace parallelldots text2data sentiment_api moderatecontent sportsmonk sportradar "
                "theoddsapi allsports pandascore ticketmaster travelpayouts flightstats flightaware impala_api "
                "distribusion blablabus",
            ),
            (
                uuid(),
                "exchangerateapi glassnode messari nicehash smartystreets walkscore onwater metaapi coinlib fmfw "
                "dfuse guardianapi currentsapi newscatcher happi wordsapi owlbot stockx walmart_api bestbuy "
                "upcdatabase",
            ),
            (hexa(64), "boostnote nftport opensea blockcypher cexio coinmarketcap luno huobi gateio cryptopanic"),
        ),
    ),
)
