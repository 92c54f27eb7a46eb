/* Signs and verifies Kafka records for Writ (docs/signatures.md): one detached JWS in the record
 * header SIGNATURE_HEADER. One file to copy into an application; needs nothing but node (>= 18).
 * SPDX-License-Identifier: Apache-2.0
 *
 *   const signer = Signer.fromFile('shop.key');                 // made by `writ key new --out`
 *   const headers = [['traceparent', trace]];
 *   const signature = signer.sign({topic, key, value, headers}, ['traceparent']);
 *   await producer.send({topic, messages: [
 *     {key, value, headers: {traceparent: trace, [SIGNATURE_HEADER]: signature}}]});
 *
 * Sign when sending: the broker compares the signature's time with its own. */
import crypto from 'node:crypto';
import fs from 'node:fs';

export const SIGNATURE_HEADER = 'x-jws-signature';

/** The signature does not hold. code: malformed, algorithm, key-unknown, context or invalid. */
export class Refused extends Error {
  constructor(code, why) {
    super(`${code}: ${why}`);
    this.code = code;
  }
}

const refuse = (code, why) => {
  throw new Refused(code, why);
};

// Text counts as UTF-8; undefined is null.
const bytes = (x) => (x === null || x === undefined ? null : Buffer.from(x));

const unb64 = (text) => {
  const data = Buffer.from(text, 'base64url');
  if (data.toString('base64url') !== text) refuse('malformed', 'not base64url');
  return data;
};

const u32 = (n) => {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(n);
  return b;
};

const lp = (x) => {
  const b = bytes(x);
  return b === null ? u32(0xffffffff) : Buffer.concat([u32(b.length), b]);
};

/** SHA-256 over topic, key, null-ness and the covered headers. A record is {topic, key, value,
 * headers}, headers an array of [name, value] in record order. */
export function context({topic, key, value, headers = []}, cover) {
  const h = crypto.createHash('sha256');
  h.update('ctx1').update(lp(topic)).update(lp(key));
  h.update(Buffer.from([bytes(value) === null ? 1 : 0]));
  for (const name of cover) {
    const values = headers.filter(([n]) => n === name);
    h.update(lp(name)).update(u32(values.length));
    for (const [, v] of values) h.update(lp(v));
  }
  return h.digest();
}

const message = (head, value) =>
  Buffer.concat([Buffer.from(`${head}.`), bytes(value) ?? Buffer.alloc(0)]);

/** Signs with one Ed25519 key. kid is "<producer>/<key>"; jwk a secret key (RFC 8037). */
export class Signer {
  #key;

  constructor(kid, jwk) {
    this.kid = kid;
    this.#key = crypto.createPrivateKey({key: jwk, format: 'jwk'});
    if (this.#key.asymmetricKeyType !== 'ed25519') throw new Error('not an Ed25519 key');
  }

  static fromFile(path, kid) {
    const jwk = JSON.parse(fs.readFileSync(path, 'utf8'));
    return new Signer(kid ?? jwk.kid, jwk);
  }

  /** The header's value. cover: header names that the signature binds. */
  sign(record, cover = [], {iat = Date.now(), jti = crypto.randomBytes(12)} = {}) {
    const text = Buffer.from(
      JSON.stringify({
        alg: 'EdDSA',
        b64: false,
        crit: ['b64'],
        kid: this.kid,
        iat,
        jti: jti.toString('base64url'),
        ctx: context(record, cover).toString('base64url'),
        ...(cover.length > 0 ? {sh: cover} : {}),
      }),
    );
    if (text.length > 512) throw new Error('key id and covered header names are too long');
    const head = text.toString('base64url');
    const sig = crypto.sign(null, message(head, record.value), this.#key);
    return `${head}..${sig.toString('base64url')}`;
  }
}

function parse(text) {
  try {
    return JSON.parse(new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(text));
  } catch (error) {
    return refuse('malformed', `the protected header: ${error.message}`);
  }
}

function decode(signature) {
  const match = /^([A-Za-z0-9_-]+)\.\.([A-Za-z0-9_-]{86})$/.exec(signature);
  if (match === null || match[0].length !== signature.length || signature.length > 1024)
    refuse('malformed', 'not a detached JWS: protected..signature');
  const text = unb64(match[1]);
  const p = parse(text);
  const isText = (x, least, most) =>
    typeof x === 'string' && x.length >= least && x.length <= most;
  if (p === null || typeof p !== 'object' || Array.isArray(p) || text.length > 512)
    refuse('malformed', 'the protected header is no object of at most 512 bytes');
  const has = (name) => Object.hasOwn(p, name);
  if (has('alg') && typeof p.alg === 'string' && p.alg !== 'EdDSA' && p.alg !== 'Ed25519')
    refuse('algorithm', p.alg);
  const sh = has('sh') ? p.sh : [];
  if (
    !['alg', 'b64', 'crit', 'kid', 'iat', 'jti', 'ctx'].every(has) ||
    typeof p.alg !== 'string' ||
    p.b64 !== false ||
    !Array.isArray(p.crit) || p.crit.length !== 1 || p.crit[0] !== 'b64' ||
    !isText(p.kid, 1, 128) ||
    !Number.isSafeInteger(p.iat) || p.iat < 0 ||
    !isText(p.jti, 16, 16) ||
    !isText(p.ctx, 43, 43) ||
    !Array.isArray(sh) || sh.length > 16 || new Set(sh).size !== sh.length ||
    !sh.every((name) => typeof name === 'string')
  )
    refuse('malformed', 'a member of the protected header is missing or wrong');
  unb64(p.jti);
  return {protected: p, head: match[1], sig: unb64(match[2]), ctx: unb64(p.ctx), sh};
}

/** Throws Refused, or returns the protected header (kid, iat, jti, ...). signature: the header's
 * value as text; findKey(kid, iatMs) returns the 32 bytes of the public key that was valid at that
 * time, or null. */
export function verify(signature, record, findKey) {
  const e = decode(String(signature));
  const key = findKey(e.protected.kid, e.protected.iat);
  if (!key) refuse('key-unknown', e.protected.kid);
  if (!e.ctx.equals(context(record, e.sh)))
    refuse('context', 'made for another topic, key or header value');
  const jwk = {kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key).toString('base64url')};
  const publicKey = crypto.createPublicKey({key: jwk, format: 'jwk'});
  if (!crypto.verify(null, message(e.head, record.value), publicKey, e.sig))
    refuse('invalid', 'does not fit the value and the key');
  return e.protected;
}
