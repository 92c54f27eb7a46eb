// Compares Writ's verdict on each of GitHub's example events with ajv's, with and without formats.
// usage: NODE_PATH=.../node_modules node octokit_verdicts.js VALIDATE_FILES FOLDER
// FOLDER is what octokit_extract.py wrote. Every refusal of ours must name a place that ajv names too.
"use strict";
const fs = require("fs");
const path = require("path");
const { spawnSync } = require("child_process");
const Ajv = require("ajv");
const addFormats = require("ajv-formats");

const [, , program, folder] = process.argv;
const files = fs.readdirSync(folder).sort();
const events = files.filter((f) => f.endsWith(".schema.json")).map((f) => f.slice(0, -12));
let passed = 0;
let failed = 0;

function fail(what) {
    failed++;
    console.log("FAILED " + what);
}

// file -> [pointer, rule, message], or null when it is valid
function oursOf(schema, examples, formats) {
    const args = [...(formats ? ["--formats"] : []), schema, ...examples];
    const run = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28 });
    if (run.status !== 0 && run.status !== 1)
        throw new Error(`${schema}: ${run.stderr || run.error}`);
    const verdicts = new Map();
    for (const line of run.stdout.split("\n").filter((l) => l)) {
        const [verdict, file, ...rest] = line.split("\t");
        verdicts.set(file, verdict === "valid" ? null : rest);
    }
    return verdicts;
}

function compare(event, formats, counts) {
    const schemaFile = path.join(folder, event + ".schema.json");
    const examples = files
        .filter((f) => f.startsWith(event + ".") && /^\d+\.json$/.test(f.slice(event.length + 1)))
        .map((f) => path.join(folder, f));
    const ajv = new Ajv({ strict: false, allErrors: true, logger: false, validateFormats: formats });
    if (formats) addFormats(ajv);
    const validate = ajv.compile(JSON.parse(fs.readFileSync(schemaFile, "utf8")));
    const ours = oursOf(schemaFile, examples, formats);
    for (const file of examples) {
        const valid = validate(JSON.parse(fs.readFileSync(file, "utf8")));
        const name = path.basename(file) + (formats ? " with formats" : "");
        const problem = ours.get(file);
        counts[valid ? "accepted" : "refused"]++;
        if (problem === undefined) fail(`${name}: no verdict`);
        else if (valid !== (problem === null))
            fail(`${name}: ajv says ${valid}, we say ${problem === null} ${problem || ""}`);
        else if (problem && !validate.errors.some((e) => e.instancePath === problem[0]))
            fail(`${name}: we name '${problem[0]}' (${problem[2]}), ajv does not`);
        else passed++;
    }
}

for (const formats of [false, true]) {
    const counts = { accepted: 0, refused: 0 };
    for (const event of events) compare(event, formats, counts);
    console.log(`${formats ? "with" : "without"} formats: ajv accepts ${counts.accepted}, ` +
        `refuses ${counts.refused}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
