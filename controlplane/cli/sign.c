/* sign, verify: no server is needed. */
#include "cli/record.h"

#include "base/codec.h"

#include <sodium.h>
#include <stdlib.h>

int record_take(const struct cli *c, struct record *rec)
{
    const char *key = cli_value(c, "record-key"), *header;
    *rec = (struct record){0};
    rec->r.headers = rec->header;
    rec->r.key = key != NULL ? slice_str(key) : SLICE_NULL;
    for (size_t i = 0; (header = cli_value_at(c, "header", i)) != NULL; i++) {
        const char *equals = strchr(header, '=');
        if (i == CLI_HEADERS_MAX)
            return cli_usage(c, "more than %d headers", CLI_HEADERS_MAX);
        if (equals == NULL)
            return cli_usage(c, "--header is NAME=VALUE, as kcat's -H: %s", header);
        rec->header[i].name = slice_of(header, (size_t)(equals - header));
        rec->header[i].value = slice_str(equals + 1);
        rec->r.headers_n++;
    }
    return 0;
}

static int take_topic(const struct cli *c, struct record *rec)
{
    const char *topic = cli_value(c, "topic");
    if (topic == NULL)
        return cli_usage(c, "name the topic with --topic: a signature holds for one topic");
    rec->r.topic = slice_str(topic);
    return 0;
}

struct signer {
    struct key_file key;
    const char *kid;
    struct slice sh[SIGN_SH_MAX];
    size_t sh_n;
    int64_t time_ms; /* -1: now */
    struct record rec;
};

static int take_signer(const struct cli *c, struct signer *s)
{
    struct err err = {0};
    const char *path = cli_value(c, "key"), *name, *when = cli_value(c, "time");
    if (path == NULL)
        return cli_usage(c, "name the secret key's file with --key; writ key new makes one");
    int rc = record_take(c, &s->rec);
    if (rc == 0)
        rc = take_topic(c, &s->rec);
    if (rc != 0)
        return rc;
    if (key_file_read(path, &s->key, &err) != 0)
        return cli_fail(CLI_USAGE, "%s", err.msg);
    if (!s->key.has_secret)
        return cli_fail(CLI_USAGE, "%s holds a public key; signing needs the secret one", path);
    s->time_ms = -1;
    if (when != NULL && !time_parse(slice_str(when), &s->time_ms))
        return cli_usage(c, "--time is a time such as 2026-11-25T09:00:00Z, not %s", when);
    s->kid = cli_value(c, "kid") != NULL ? cli_value(c, "kid") : s->key.kid;
    if (strchr(s->kid, '/') == NULL)
        return cli_usage(c,
                         "name the key with --kid PRODUCER/KEY, as the producer's document does");
    for (size_t i = 0; (name = cli_value_at(c, "sign-header", i)) != NULL; i++) {
        if (i == SIGN_SH_MAX)
            return cli_usage(c, "a signature covers at most %d headers", SIGN_SH_MAX);
        s->sh[s->sh_n++] = slice_str(name);
    }
    return 0;
}

static int make(struct signer *s, struct bytes *out)
{
    uint8_t jti[SIGN_JTI_BYTES];
    struct err err = {0};
    randombytes_buf(jti, sizeof jti);
    bytes_clear(out);
    if (sign_make(&s->rec.r, slice_str(s->kid), s->key.secret,
                  s->time_ms >= 0 ? s->time_ms : clock_now_ms(), jti, s->sh, s->sh_n, out,
                  &err) != 0)
        return cli_fail(CLI_USAGE, "%s", err.msg);
    return 0;
}

/* The first line without its newline, as kcat reads values from standard input. */
static struct slice first_line(struct slice s)
{
    const uint8_t *end = s.n > 0 ? memchr(s.p, '\n', s.n) : NULL;
    return end != NULL ? slice_of(s.p, (size_t)(end - s.p)) : s;
}

static int take_value(const struct cli *c, struct bytes *input, struct slice *value)
{
    struct err err = {0};
    if (cli_flag(c, "null")) {
        *value = SLICE_NULL;
        return 0;
    }
    bytes_reserve(input, 1); /* an empty value is not null */
    if (file_read("-", CLI_VALUE_MAX_BYTES, input, &err) != 0)
        return cli_fail(CLI_USAGE, "%s", err.msg);
    *value = bytes_slice(input);
    if (cli_flag(c, "line"))
        *value = first_line(*value);
    return 0;
}

static int sign_one(const struct cli *c, struct signer *s)
{
    struct bytes input = {0}, out = {0};
    int rc = take_value(c, &input, &s->rec.r.value);
    if (rc == 0)
        rc = make(s, &out);
    if (rc == 0)
        (void)printf(SIGN_HEADER_NAME "=%s\n", bytes_cstr(&out));
    bytes_free(&input);
    bytes_free(&out);
    return rc;
}

/* KEY delimiter VALUE, as kcat's -K; without a delimiter in it the record has no key. */
static void split_key(struct signer *s, const char *delimiter, struct slice record)
{
    size_t n = strlen(delimiter);
    const uint8_t *at = n > 0 && record.n > 0 ? memmem(record.p, record.n, delimiter, n) : NULL;
    s->rec.r.key = SLICE_NULL;
    s->rec.r.value = record;
    if (at == NULL)
        return;
    s->rec.r.key = slice_of(record.p, (size_t)(at - record.p));
    s->rec.r.value = slice_of(at + n, record.n - s->rec.r.key.n - n);
}

/* One value per line (or per NUL), one header value per line. */
static int sign_batch(const struct cli *c, struct signer *s)
{
    const char *delimiter = cli_value(c, "key-delimiter");
    char end = cli_flag(c, "null-separated") ? '\0' : '\n';
    char *line = NULL;
    size_t cap = 0;
    uint64_t done = 0;
    struct bytes out = {0};
    struct progress p;
    int rc = 0;
    progress_start(&p, "signing records");
    for (ssize_t n; rc == 0 && (n = getdelim(&line, &cap, end, stdin)) >= 0; done++) {
        struct slice record = slice_of(line, (size_t)n);
        if (n > 0 && line[n - 1] == end)
            record.n--;
        if (delimiter != NULL)
            split_key(s, delimiter, record);
        else
            s->rec.r.value = record;
        rc = make(s, &out);
        if (rc == 0)
            (void)printf("%s\n", bytes_cstr(&out));
        progress_step(&p, done, 0);
    }
    progress_end(&p);
    free(line);
    bytes_free(&out);
    if (rc == 0 && fflush(stdout) != 0)
        rc = cli_fail(CLI_USAGE, "the output was not taken");
    return rc;
}

int cli_sign(struct cli *c)
{
    struct signer s = {0};
    int rc = take_signer(c, &s);
    if (rc == 0)
        rc = cli_flag(c, "batch") ? sign_batch(c, &s) : sign_one(c, &s);
    sodium_memzero(&s.key, sizeof s.key);
    return rc;
}

static int refused(const char *code, const char *why)
{
    (void)printf("refused: %s: %s\n", code, why);
    return CLI_REFUSED;
}

static int judge(const struct cli *c, const struct record *rec, struct slice header,
                 const struct key_file *key)
{
    struct sign_envelope e;
    char detail[128] = "", when[TIME_TEXT_SIZE];
    const char *kid = cli_value(c, "kid");
    switch (sign_decode(header, &e, detail)) {
    case SIGN_OK:
        break;
    case SIGN_ALGORITHM:
        return refused("signature.algorithm", detail);
    default:
        return refused("signature.malformed", detail);
    }
    if (!sign_public_key_ok(key->public_key))
        return refused("key.invalid", "the public key is of small order or not canonical");
    if (kid != NULL && !slice_eq_str(e.kid, kid))
        return refused("signature.key-unknown", "it was made by another key than --kid says");
    if (sign_check_context(&e, &rec->r) != SIGN_OK)
        return refused("signature.context",
                       "it was made for another topic, key or header value (or null value)");
    if (sign_verify(&e, rec->r.value, key->public_key) != SIGN_OK)
        return refused("signature.invalid", "it does not fit the value and the key");
    time_text(e.iat_ms, when);
    (void)printf("ok: signed by %.*s at %s", SLICE_FMT(e.kid), when);
    for (size_t i = 0; i < e.sh_n; i++)
        (void)printf("%s%.*s", i == 0 ? ", covering " : ", ", SLICE_FMT(e.sh[i]));
    (void)putchar('\n');
    return CLI_DONE;
}

int cli_verify(struct cli *c)
{
    const char *public_text = cli_value(c, "public"), *signature = cli_value(c, "signature");
    struct record rec;
    struct key_file key;
    struct err err = {0};
    struct bytes input = {0};
    int rc = record_take(c, &rec);
    if (rc == 0)
        rc = take_topic(c, &rec);
    if (rc != 0)
        return rc;
    if (public_text == NULL || signature == NULL)
        return cli_usage(c, "--public KEY (or FILE) and --signature VALUE are needed");
    if (public_key_read(public_text, &key, &err) != 0)
        return cli_fail(CLI_USAGE, "%s", err.msg);
    if (strncmp(signature, SIGN_HEADER_NAME "=", sizeof SIGN_HEADER_NAME) == 0)
        signature += sizeof SIGN_HEADER_NAME; /* the whole line that writ sign prints */
    rc = take_value(c, &input, &rec.r.value);
    if (rc == 0)
        rc = judge(c, &rec, slice_str(signature), &key);
    sodium_memzero(&key, sizeof key);
    bytes_free(&input);
    return rc;
}
