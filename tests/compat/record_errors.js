// record_errors.js WRIT: what npm @confluentinc/kafka-javascript (librdkafka 2) shows of a refusal.
//
// Runs against a governing node (WRIT_KAFKA, WRIT_DATA): a batch of five orders, two of which break the
// contract. The culprits must be told apart by record_errors (KIP-467), the others must say that another
// record was at fault, nothing of the batch may be stored, and the corrected batch must be accepted.
"use strict";
const { execFileSync } = require("child_process");
const fs = require("fs");
const os = require("os");
const path = require("path");
const kafka = require("@confluentinc/kafka-javascript");

const writ = process.argv[2];
const topic = "shop.orders";
const CONTRACTS = `
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
`;
let passed = 0, failed = 0;
function check(ok, what) {
    if (ok) passed++; else failed++;
    console.log((ok ? "ok   " : "FAILED ") + what);
}

function send(totals) { // one batch; resolves to each record's error or null, in order
    return new Promise((resolve, reject) => {
        const producer = new kafka.Producer({
            "bootstrap.servers": process.env.WRIT_KAFKA, "linger.ms": 500, "acks": "all",
            "message.timeout.ms": 15000, "enable.idempotence": true, "dr_msg_cb": true,
        });
        const errors = new Array(totals.length).fill(undefined);
        let left = totals.length;
        producer.setPollInterval(20);
        producer.on("event.error", () => {});
        producer.on("delivery-report", (err, report) => {
            errors[report.opaque] = err || null;
            if (--left === 0) producer.disconnect(() => resolve(errors));
        });
        producer.on("ready", () => totals.forEach((total, i) =>
            producer.produce(topic, 0, Buffer.from(`{"total":${total}}`), null, Date.now(), i)));
        producer.connect({}, (err) => err && reject(err));
    });
}

function stored() {
    return new Promise((resolve, reject) => {
        const producer = new kafka.Producer({ "bootstrap.servers": process.env.WRIT_KAFKA });
        producer.on("ready", () => producer.queryWatermarkOffsets(topic, 0, 10000, (err, offsets) => {
            producer.disconnect(() => err ? reject(err) : resolve(offsets.highOffset - offsets.lowOffset));
        }));
        producer.connect({}, (err) => err && reject(err));
    });
}

async function main() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "writ-"));
    fs.writeFileSync(path.join(folder, "all.yaml"), CONTRACTS);
    execFileSync(writ, ["apply", "-f", folder, "--data", process.env.WRIT_DATA]);
    fs.rmSync(folder, { recursive: true });
    console.log("librdkafka", kafka.librdkafkaVersion);
    const errors = await send(["1", "2", "-3", "\"4\"", "5"]);
    errors.forEach((e, i) => console.log("  record", i, e ? `${e.code} ${e.message}` : "stored"));
    // This interface shows each code, not the words; tests/system/refusal.c reads those off the wire.
    const code = (i) => errors[i] && errors[i].code;
    check(code(2) === 87 && code(3) === 87, "the culprits are told apart (87)");
    check([0, 1, 4].every((i) => code(i) === kafka.CODES.ERRORS.ERR__INVALID_DIFFERENT_RECORD || code(i) === -138),
        "the others fail for another's fault");
    check(await stored() === 0, "nothing of the batch is stored");
    check((await send(["1", "2", "3", "4", "5"])).every((e) => e === null), "the corrected batch is accepted");
    check(await stored() === 5, "and stored once");
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed || !passed ? 1 : 0);
}
main().catch((e) => { console.error(e); process.exit(1); });
