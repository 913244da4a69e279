"""Words that name a number which belongs to a thing or a moment rather than to a person.

Right before a value they speak against every detector that does not list them among its own labels.
"""

REFERENCE_WORDS = (
    # things
    *(
        "order",
        "invoice",
        "ticket",
        "tracking",
        "shipment",
        "parcel",
        "sku",
        "item",
        "product",
        "article",
        "part",
        "batch",
    ),
    *("serial", "lot", "case", "issue", "bug", "bestellung", "rechnung", "auftrag", "pedido", "factura", "commande"),
    *("facture", "ordine", "fattura", "encomenda", "fatura", "bestelling", "factuur", "zamówienie", "faktura"),
    *("замовлення", "рахунок", "isbn", "issn", "ean", "upc", "gtin", "barcode", "doi", "model", "revision"),
    # machines
    *("version", "ver", "build", "commit", "hash", "sha", "md5", "checksum", "digest", "uuid", "guid", "etag", "trace"),
    *(
        "span",
        "request",
        "correlation",
        "session",
        "seq",
        "sequence",
        "offset",
        "index",
        "pid",
        "tid",
        "thread",
        "port",
    ),
    *(
        "block",
        "blk",
        "node",
        "job",
        "task",
        "row",
        "rows",
        "line",
        "page",
        "count",
        "total",
        "size",
        "bytes",
        "length",
    ),
    *("latency", "duration", "elapsed", "progress", "percent", "ratio", "weight", "height", "width", "price", "amount"),
    # moments
    *(
        "timestamp",
        "epoch",
        "time",
        "ts",
        "date",
        "datum",
        "fecha",
        "created",
        "updated",
        "expires",
        "exp",
        "iat",
        "nbf",
    ),
)
