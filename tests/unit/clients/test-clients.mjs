// The JavaScript helper against the shared vectors: test-clients.mjs FOLDER (governance/clients).
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

const folder = path.resolve(process.argv[2]);
const {Refused, Signer, verify} = await import(
  pathToFileURL(path.join(folder, 'javascript/writ-sign.mjs')).href
);
const vectors = JSON.parse(fs.readFileSync(path.join(folder, 'vectors.json'), 'utf8'));
const plain = (x) => (x === null ? null : Buffer.from(x, 'base64'));
const record = (r) => ({
  topic: r.topic,
  key: plain(r.key),
  value: plain(r.value),
  headers: r.headers.map(([n, v]) => [n, plain(v)]),
});
const keys = new Map(vectors.keys.map((k) => [k.kid, k]));
const find = (kid) => (keys.has(kid) ? Buffer.from(keys.get(kid).public, 'base64url') : null);
const signer = (kid) => {
  const {seed: d, public: x} = keys.get(kid);
  return new Signer(kid, {kty: 'OKP', crv: 'Ed25519', d, x});
};

function status(header, r, findKey) {
  try {
    verify(header, record(r), findKey);
    return 'ok';
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return error.code;
  }
}

let checks = 0;
for (const v of vectors.accept) {
  assert.equal(status(v.header, v.record, find), 'ok', v.name);
  assert.equal(status(v.header, v.record, () => null), 'key-unknown', v.name);
  if (v.exact) {
    const made = signer(v.kid).sign(record(v.record), v.sh, {
      iat: v.iat,
      jti: Buffer.from(v.jti, 'base64url'),
    });
    assert.equal(made, v.header, v.name);
  }
  checks++;
}
for (const v of vectors.refuse) {
  const got = status(v.header, v.record, find);
  assert.ok(got === v.status || (v.lax && got === 'ok'), `${v.name}: ${got}`);
  checks++;
}

// What it makes with its own clock and randomness holds, and never twice alike.
const r = {topic: 't', key: 'k', value: 'v', headers: [['a', '1']]};
const [one, two] = [0, 1].map(() => signer('shop/main').sign(r, ['a']));
assert.notEqual(one, two);
assert.equal(verify(one, r, find).kid, 'shop/main');
assert.ok(checks > 75);
console.log(`${checks} vectors`);
