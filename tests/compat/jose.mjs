// What the vectors accept, jose's verifier takes, and its signer writes the same bytes. What is refused
// because of its algorithm or its signature, jose refuses too; the rest (ctx, kid, jti, ...) is Writ's
// own and nothing that JOSE knows.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import {FlattenedSign, flattenedVerify, importJWK} from 'jose';

const vectors = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const value = (x) => (x.record.value === null ? new Uint8Array() : Buffer.from(x.record.value, 'base64'));
const keys = new Map();
for (const {kid, public: x, seed: d} of vectors.keys) {
  const jwk = {kty: 'OKP', crv: 'Ed25519', x};
  keys.set(kid, {public: await importJWK(jwk, 'EdDSA'), secret: await importJWK({...jwk, d}, 'EdDSA')});
}

function verify(x) {
  const [protectedHeader, signature] = x.header.split('..');
  return flattenedVerify(
    {protected: protectedHeader, payload: value(x), signature},
    keys.get(x.kid).public,
  );
}

let checks = 0;
for (const x of vectors.accept) {
  await verify(x);
  if (x.exact) {
    const p = JSON.parse(Buffer.from(x.header.split('..')[0], 'base64url').toString('utf8'));
    const made = await new FlattenedSign(value(x)).setProtectedHeader(p).sign(keys.get(x.kid).secret);
    assert.equal(`${made.protected}..${made.signature}`, x.header, x.name);
  }
  checks++;
}
for (const x of vectors.refuse.filter((r) => ['algorithm', 'invalid'].includes(r.status))) {
  await assert.rejects(verify(x), x.name);
  checks++;
}
assert.ok(checks >= 25);
console.log(`${checks} passed, 0 failed`);
