"""Reduces definitions of other programs' objects to what `deploy/kubernetes` uses of them; run where that changes.

    python tests/house/schemas/reduce.py DEFINITION... < objects.yaml

`DEFINITION` is a file of a CustomResourceDefinition. Each becomes one schema beside this script. At every level that an
object uses, all members keep their names, and others are errors; of what no object uses nothing but the name is kept.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

KEPT = ("type", "required", "enum", "pattern", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum")
Schema = dict[str, Any]


def reduce(schema: Schema, used: list[Any]) -> Schema:
    """Return the schema with what `used`, all values at its place, need of it."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    kept = {name: schema[name] for name in KEPT if name in schema}
    if "properties" in schema:
        members = {name: [one[name] for one in used if name in one] for name in schema["properties"]}
        kept["properties"] = {
            name: reduce(schema["properties"][name], values) if values else {} for name, values in members.items()
        }
        kept["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    elif isinstance(schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = reduce(schema["additionalProperties"], [v for one in used for v in one.values()])
    if "items" in schema:
        kept["items"] = reduce(schema["items"], [v for one in used for v in one])
    return kept


def main() -> None:
    objects = [one for one in yaml.safe_load_all(sys.stdin) if one]
    for path in map(Path, sys.argv[1:]):
        (definition,) = [one for one in yaml.safe_load_all(path.read_text()) if one]
        spec = definition["spec"]
        kind = spec["names"]["kind"]
        used = [one for one in objects if one["kind"] == kind and one["apiVersion"].startswith(f"{spec['group']}/")]
        (version,) = {one["apiVersion"].partition("/")[2] for one in used}
        (full,) = [one["schema"]["openAPIV3Schema"] for one in spec["versions"] if one["name"] == version]
        schema = reduce(full, used)
        schema["properties"]["metadata"] = {"type": "object"}
        schema["properties"]["apiVersion"] = {"const": f"{spec['group']}/{version}"}
        target = Path(__file__).with_name(f"{kind}.json")
        target.write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
