"""A contract from its registration to a refusal in the ledger, over restarts."""
import json
import sys

import node

TOPIC = {
    "kind": "Topic", "name": "shop.orders", "team": "orders", "description": "An order was placed.",
    "event": "event", "type": "com.example.Order",
    "value": {"format": "json", "compatibility": "NONE",
              "schema": {"type": "object", "required": ["total"],
                         "properties": {"total": {"type": "number", "minimum": 0}}}},
    "partitions": 1, "replicas": 1, "min_insync_replicas": 1, "mode": "enforce",
}
TEAM = {"kind": "Team", "name": "orders", "description": "Order handling", "contact": "orders@example.com"}
PRODUCER = {"kind": "Producer", "name": "shop", "team": "orders", "topics": ["shop.orders"],
            "principals": ["anonymous"]}


def register(n):
    status, body, _ = n.http("POST", "/v1/apply", {"documents": [TEAM, PRODUCER, TOPIC]})
    assert status == 200, (status, body)
    return body


def test_contract_is_law_at_the_answer():
    with node.Node() as n:
        unknown = n.produce("shop.orders", ['{"total": 1}'], "-X", "message.timeout.ms=2000", check=False)
        assert unknown.returncode != 0
        first = register(n)
        n.produce("shop.orders", ['{"total": 1}'])
        assert n.produce("shop.orders", ['{"total": -5}'], check=False).returncode != 0
        assert n.consume("shop.orders") == ['{"total": 1}']
        status, page, _ = n.http("GET", "/v1/rejections?topic=shop.orders&code=payload.invalid")
        assert status == 200 and len(page["items"]) == 1, page
        entry = page["items"][0]
        assert entry["code"] == "payload.invalid" and entry["path"] == "/total", entry
        again = register(n)
        assert again.get("version") == first.get("version"), (first, again)


def test_everything_is_there_after_kill():
    with node.Node() as n:
        register(n)
        n.produce("shop.orders", ['{"total": 1}'])
        n.produce("shop.orders", ['{}'], check=False)
        before = n.http("GET", "/v1/catalogue")[1]
        n.kill()
        n.start()
        after = n.http("GET", "/v1/catalogue")[1]
        assert before["documents"] == after["documents"]
        assert n.produce("shop.orders", ['{"total": -5}'], check=False).returncode != 0
        assert n.consume("shop.orders") == ['{"total": 1}']
        assert len(n.http("GET", "/v1/rejections")[1]["items"]) == 2
        verdict = n.http("GET", "/v1/audit/verify")[1]
        assert verdict["ok"] is True, verdict
        audit = n.http("GET", "/v1/audit?order=asc")[1]["items"]
        assert [a["seq"] for a in audit] == list(range(1, len(audit) + 1))


def test_pages_of_the_ledger():
    with node.Node() as n:
        register(n)
        for i in range(25):
            n.produce("shop.orders", [json.dumps({"total": -1 - i})], check=False)
        for order in ("", "&order=asc"):
            ids, cursor = [], ""
            while True:
                _, page, _ = n.http("GET", f"/v1/rejections?limit=10{order}{cursor}")
                ids += [x["id"] for x in page["items"]]
                if page["next"] is None:
                    break
                cursor = "&cursor=" + page["next"]
            assert len(ids) == len(set(ids)) == 25, ids
            assert ids == sorted(ids, reverse=not order), ids


if __name__ == "__main__":
    node.main(sys.modules[__name__])
