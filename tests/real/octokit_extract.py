#!/usr/bin/env python3
"""Extracts GitHub's webhook events from two npm packages into one folder of plain files.

usage: octokit_extract.py NODE_MODULES OUT

Reads @octokit/webhooks-schemas/schema.json and @octokit/webhooks-examples/api.github.com/index.json
below NODE_MODULES. For each event type E it writes OUT/E.schema.json, a draft-07 schema that holds
the definition <E>_event (or <E>$event) and all that it references, and OUT/E.N.json, its examples.
"""
import json
import os
import sys


def references(value):
    """The names of the definitions that value refers to directly."""
    found = set()
    stack = [value]
    while stack:
        v = stack.pop()
        if isinstance(v, dict):
            ref = v.get("$ref")
            if isinstance(ref, str) and ref.startswith("#/definitions/"):
                found.add(ref[len("#/definitions/"):].replace("~1", "/").replace("~0", "~"))
            stack.extend(v.values())
        elif isinstance(v, list):
            stack.extend(v)
    return found


def contract_schema(definitions, name):
    """A schema of its own for the definition called name."""
    needed = {}
    todo = {name}
    while todo:
        n = todo.pop()
        if n not in needed:
            needed[n] = definitions[n]
            todo |= references(definitions[n])
    return {"$schema": "http://json-schema.org/draft-07/schema#",
            "$ref": "#/definitions/" + name,
            "definitions": {n: needed[n] for n in sorted(needed)}}


def main():
    modules, out = sys.argv[1], sys.argv[2]
    with open(os.path.join(modules, "@octokit/webhooks-schemas/schema.json")) as f:
        definitions = json.load(f)["definitions"]
    with open(os.path.join(modules, "@octokit/webhooks-examples/api.github.com/index.json")) as f:
        events = json.load(f)
    os.makedirs(out, exist_ok=True)
    total = 0
    for event in events:
        name = event["name"]
        definition = name + "_event" if name + "_event" in definitions else name + "$event"
        with open(os.path.join(out, name + ".schema.json"), "w") as f:
            json.dump(contract_schema(definitions, definition), f, separators=(",", ":"))
        for i, example in enumerate(event["examples"]):
            with open(os.path.join(out, f"{name}.{i}.json"), "w", encoding="utf-8") as f:
                json.dump(example, f, separators=(",", ":"), ensure_ascii=False)
            total += 1
    print(f"{len(events)} event types, {total} examples")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main()
