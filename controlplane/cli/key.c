/* key new|add|list|revoke, and key files. */
#include "cli/record.h"

#include "base/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

static bool take_member(const cJSON *json, const char *name, uint8_t out[32])
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
    size_t n;
    return text != NULL && base64url_get(slice_str(text), out, 32, &n) && n == 32;
}

int key_file_read(const char *path, struct key_file *k, struct err *err)
{
    struct bytes text = {0};
    uint8_t seed[32];
    *k = (struct key_file){0};
    int rc = file_read(path, CLI_KEY_FILE_MAX_BYTES, &text, err);
    if (rc != 0) {
        bytes_free(&text);
        return rc;
    }
    cJSON *json = cJSON_ParseWithLength((const char *)text.p, text.n);
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "kty"));
    const char *curve = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "crv"));
    const char *kid = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "kid"));
    if (type == NULL || strcmp(type, "OKP") != 0 || curve == NULL ||
        strcmp(curve, "Ed25519") != 0 || !take_member(json, "x", k->public_key)) {
        rc = err_set(err, ERR_INVALID,
                     "%s is not an Ed25519 key (a JWK, RFC 8037): writ key new makes one", path);
    } else if (cJSON_GetObjectItemCaseSensitive(json, "d") != NULL) {
        uint8_t derived[32];
        k->has_secret = take_member(json, "d", seed);
        if (k->has_secret)
            crypto_sign_ed25519_seed_keypair(derived, k->secret, seed);
        if (!k->has_secret || memcmp(derived, k->public_key, sizeof derived) != 0)
            rc =
                err_set(err, ERR_CORRUPT, "%s: the secret part does not fit the public part", path);
    }
    if (kid != NULL && strlen(kid) < sizeof k->kid)
        (void)snprintf(k->kid, sizeof k->kid, "%s", kid);
    sodium_memzero(seed, sizeof seed);
    if (text.n > 0)
        sodium_memzero(text.p, text.n);
    cJSON_Delete(json);
    bytes_free(&text);
    return rc;
}

int public_key_read(const char *text, struct key_file *k, struct err *err)
{
    size_t n;
    *k = (struct key_file){0};
    if (base64url_get(slice_str(text), k->public_key, sizeof k->public_key, &n) && n == 32)
        return 0;
    return key_file_read(text, k, err);
}

static void put_jwk(struct bytes *out, const char *kid, const uint8_t seed[32],
                    const uint8_t public_key[32])
{
    struct json_writer w;
    struct bytes text = {0};
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "kty");
    json_put_cstr(&w, "OKP");
    json_name(&w, "crv");
    json_put_cstr(&w, "Ed25519");
    if (kid != NULL) {
        json_name(&w, "kid");
        json_put_cstr(&w, kid);
    }
    json_name(&w, "x");
    base64url_add(&text, slice_of(public_key, 32));
    json_put_string(&w, bytes_slice(&text));
    json_name(&w, "d");
    bytes_clear(&text);
    base64url_add(&text, slice_of(seed, 32));
    json_put_string(&w, bytes_slice(&text));
    json_end_object(&w);
    bytes_add_u8(out, '\n');
    sodium_memzero(text.p, text.n);
    bytes_free(&text);
}

/* A secret is never written over another file, nor readable by others at any moment. */
static int write_secret(const char *path, const struct bytes *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return cli_fail(CLI_REFUSED, "%s exists; a key is never overwritten: choose another --out",
                        path);
    if (fd < 0)
        return cli_fail(CLI_USAGE, "%s: %s", path, strerror(errno));
    bool ok = write(fd, text->p, text->n) == (ssize_t)text->n && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    return ok ? 0 : cli_fail(CLI_USAGE, "%s: %s", path, strerror(errno));
}

static void print_new(const struct cli *c, const char *path, const char *kid, const char *key)
{
    const char *slash = kid != NULL ? strchr(kid, '/') : NULL;
    if (c->format != CLI_TABLE) {
        struct bytes out = {0};
        struct json_writer w;
        json_writer_init(&w, &out);
        json_begin_object(&w);
        json_name(&w, "file");
        json_put_cstr(&w, path);
        json_name(&w, "kid");
        json_put_cstr(&w, kid);
        json_name(&w, "public_key");
        json_put_cstr(&w, key);
        json_end_object(&w);
        (void)output_value(c, bytes_slice(&out));
        bytes_free(&out);
        return;
    }
    (void)printf("# The secret key is in %s: give it to the application and to nobody else.\n"
                 "# The public key goes into the producer's document:\n"
                 "kind: Producer\nname: %.*s\nteam: TEAM\nkeys:\n  - id: %s\n    public_key: %s\n"
                 "topics: [TOPIC]\n",
                 path, slash != NULL ? (int)(slash - kid) : 8, slash != NULL ? kid : "PRODUCER",
                 slash != NULL ? slash + 1 : "k1", key);
}

int cli_key_new(struct cli *c)
{
    uint8_t seed[32], public_key[32], secret[64];
    const char *kid = cli_value(c, "kid"), *path = cli_value(c, "out");
    struct bytes jwk = {0}, text = {0};
    if (path == NULL)
        path = "writ.key";
    if (kid != NULL && (strchr(kid, '/') == NULL || strlen(kid) > 128))
        return cli_usage(c, "--kid is PRODUCER/KEY, such as shop/k1");
    randombytes_buf(seed, sizeof seed);
    crypto_sign_ed25519_seed_keypair(public_key, secret, seed);
    put_jwk(&jwk, kid, seed, public_key);
    int rc = write_secret(path, &jwk);
    base64url_add(&text, slice_of(public_key, sizeof public_key));
    if (rc == 0)
        print_new(c, path, kid, bytes_cstr(&text));
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(jwk.p, jwk.n);
    bytes_free(&jwk);
    bytes_free(&text);
    return rc;
}

static void put_member(struct json_writer *w, const char *name, const char *value)
{
    if (value == NULL)
        return;
    json_name(w, name);
    json_put_cstr(w, value);
}

static const struct column key_columns[] = {{"KID", "kid"},
                                            {"STATE", "state"},
                                            {"PUBLIC KEY", "public_key"},
                                            {"NOT BEFORE", "not_before"},
                                            {"NOT AFTER", "not_after"},
                                            {"REVOKED", "revoked_at"},
                                            {"REASON", "reason"}};

static int call(struct cli *c, const char *method, const struct bytes *path,
                const struct bytes *body)
{
    struct answer a;
    struct bytes copy = {0};
    bytes_add_slice(&copy, bytes_slice(path));
    int rc = answer_get(c, method, bytes_cstr(&copy), body, &a);
    if (rc == 0 && c->format != CLI_TABLE) {
        rc = output_value(c, bytes_slice(&a.body));
    } else if (rc == 0) {
        cJSON *list = cJSON_CreateArray();
        cJSON_AddItemReferenceToArray(list, a.json);
        output_table(list, key_columns, sizeof key_columns / sizeof key_columns[0]);
        cJSON_Delete(list);
    }
    answer_free(&a);
    bytes_free(&copy);
    return rc;
}

static void keys_path(struct cli *c, struct bytes *path)
{
    bytes_add_str(path, "/v1/producers");
    path_add(path, c->argument[0]);
    bytes_add_str(path, "/keys");
}

int cli_key_add(struct cli *c)
{
    const char *public_text = cli_value(c, "public");
    struct key_file key;
    struct err err = {0};
    struct bytes path = {0}, body = {0}, text = {0};
    struct json_writer w;
    if (public_text == NULL)
        return cli_usage(c,
                         "name the public key with --public KEY, or the key's file with --public "
                         "FILE (only its public part is sent)");
    if (public_key_read(public_text, &key, &err) != 0)
        return cli_fail(CLI_USAGE, "%s", err.msg);
    sodium_memzero(key.secret, sizeof key.secret);
    base64url_add(&text, slice_of(key.public_key, sizeof key.public_key));
    json_writer_init(&w, &body);
    json_begin_object(&w);
    put_member(&w, "id", c->argument[1]);
    put_member(&w, "public_key", bytes_cstr(&text));
    put_member(&w, "not_before", cli_value(c, "not-before"));
    put_member(&w, "not_after", cli_value(c, "not-after"));
    json_end_object(&w);
    keys_path(c, &path);
    int rc = call(c, "POST", &path, &body);
    bytes_free(&path);
    bytes_free(&body);
    bytes_free(&text);
    return rc;
}

int cli_key_revoke(struct cli *c)
{
    const char *reason = cli_value(c, "reason");
    struct bytes path = {0}, body = {0};
    struct json_writer w;
    if (reason == NULL || reason[0] == '\0')
        return cli_usage(c, "say why with --reason; it stands in the audit record");
    json_writer_init(&w, &body);
    json_begin_object(&w);
    put_member(&w, "reason", reason);
    json_end_object(&w);
    keys_path(c, &path);
    path_add(&path, c->argument[1]);
    bytes_add_str(&path, "/revoke");
    int rc = call(c, "POST", &path, &body);
    bytes_free(&path);
    bytes_free(&body);
    return rc;
}

int cli_key_list(struct cli *c)
{
    struct bytes path = {0}, items = {0};
    keys_path(c, &path);
    int rc = answer_list(c, bytes_cstr(&path), &items);
    if (rc == 0 && c->format != CLI_TABLE) {
        rc = output_value(c, bytes_slice(&items));
    } else if (rc == 0) {
        cJSON *list = cJSON_ParseWithLength((const char *)items.p, items.n);
        output_table(list, key_columns, sizeof key_columns / sizeof key_columns[0]);
        cJSON_Delete(list);
    }
    bytes_free(&path);
    bytes_free(&items);
    return rc;
}
