// Prints ajv's verdict (formats annotate) on each example that octokit_extract.py wrote:
// "valid<TAB>file" or "invalid<TAB>file".   usage: NODE_PATH=... node ajv_judge.js FOLDER
"use strict";
const fs = require("fs");
const path = require("path");
const Ajv = require("ajv");

const folder = process.argv[2];
const read = (file) => JSON.parse(fs.readFileSync(path.join(folder, file), "utf8"));
const files = fs.readdirSync(folder).sort();
for (const schema of files.filter((f) => f.endsWith(".schema.json"))) {
    const event = schema.slice(0, -12);
    const validate = new Ajv({ strict: false, logger: false, validateFormats: false })
        .compile(read(schema));
    for (const file of files)
        if (file.startsWith(event + ".") && /^\d+\.json$/.test(file.slice(event.length + 1)))
            console.log(`${validate(read(file)) ? "valid" : "invalid"}\t${file}`);
}
