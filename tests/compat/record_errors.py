#!/usr/bin/env python3
"""record_errors.py WRIT: what a client that reads record_errors (KIP-467) shows of a refusal.

Runs against a governing node (WRIT_KAFKA, WRIT_DATA) with PyPI confluent-kafka: a batch of five orders,
the third of which breaks the contract. The culprit must carry the reason with its place, the others
must say that another record was at fault, and nothing of the batch may be stored; the corrected batch
must be accepted.
"""
import os
import subprocess
import sys
import tempfile

import confluent_kafka as ck

writ, bootstrap, data = sys.argv[1], os.environ["WRIT_KAFKA"], os.environ["WRIT_DATA"]
TOPIC = "shop.orders"
passed = failed = 0
CONTRACTS = """\
kind: Team
name: orders
---
kind: Producer
name: web
team: orders
topics: [shop.*]
principals: [anonymous]
---
kind: Topic
name: shop.orders
team: orders
description: orders
type: Order
value: { format: json, schema: { type: object, required: [total], properties: { total: { type: number, minimum: 0 } } } }
"""


def check(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    print("ok  " if ok else "FAILED", what)


def send(totals):
    """One batch; the error (or None) of each record, in order."""
    producer = ck.Producer({"bootstrap.servers": bootstrap, "linger.ms": 500, "acks": "all",
                            "message.timeout.ms": 15000, "enable.idempotence": True})
    errors = [None] * len(totals)

    def delivered(i):
        def report(err, _):
            errors[i] = err
        return report
    for i, total in enumerate(totals):
        producer.produce(TOPIC, value='{"total":%s}' % total, partition=0, on_delivery=delivered(i))
    producer.flush(20)
    return errors


def stored():
    consumer = ck.Consumer({"bootstrap.servers": bootstrap, "group.id": "none",
                            "enable.auto.commit": False})
    low, high = consumer.get_watermark_offsets(ck.TopicPartition(TOPIC, 0), timeout=10)
    consumer.close()
    return high - low


with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "all.yaml"), "w", encoding="utf-8") as f:
        f.write(CONTRACTS)
    subprocess.run([writ, "apply", "-f", folder, "--data", data], check=True)

print("librdkafka", ck.libversion()[0])
errors = send(["1", "2", "-3", "4", "5"])
for i, e in enumerate(errors):
    print("  record", i, e.name() if e else "stored", "-", e.str() if e else "")
culprit = errors[2]
check(culprit and "payload.invalid at /total: must be >= 0" in culprit.str(),
      "the culprit carries code, place and reason")
check(culprit and "contract shop.orders v1" in culprit.str(), "and the contract")
check(culprit and not culprit.retriable(), "it is not retried")
check(all(e is not None and e.name() != culprit.name() for i, e in enumerate(errors) if i != 2),
      "the others fail for another's fault")
check(stored() == 0, "nothing of the batch is stored")
check(send(["1", "2", "3", "4", "5"]) == [None] * 5, "the corrected batch is accepted")
check(stored() == 5, "and stored once")
print("%d passed, %d failed" % (passed, failed))
sys.exit(1 if failed or not passed else 0)
