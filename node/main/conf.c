#include "main/conf.h"

#include "base/check.h"
#include "base/codec.h"
#include "main/conf_key.h"
#include "main/conf_table.h"
#include "runtime/logger.h"

#include <stdio.h>
#include <stdlib.h>

#define FIELD_SIZE(field) sizeof(((struct config *)0)->field)
#define NO_SECTION(title)
#define AS_KEY(key_, field_, type_, default_, least_, most_, sample_, help_)                       \
    {.key = (key_),                                                                                \
     .type = CONFIG_##type_,                                                                       \
     .offset = offsetof(struct config, field_),                                                    \
     .size = FIELD_SIZE(field_),                                                                   \
     .fallback = (default_),                                                                       \
     .least = (least_),                                                                            \
     .most = (most_),                                                                              \
     .sample = (sample_),                                                                          \
     .help = (help_)},
#define AS_SECTION(title_) {.section = (title_)},

const struct conf_key conf_keys[] = {CONFIG_KEYS(AS_SECTION, AS_KEY)};
const size_t conf_keys_n = sizeof conf_keys / sizeof *conf_keys;

static const struct conf_key *find(struct slice key)
{
    for (size_t i = 0; i < conf_keys_n; i++)
        if (conf_keys[i].key && slice_eq_str(key, conf_keys[i].key))
            return &conf_keys[i];
    return NULL;
}

static int unknown(struct slice key, struct err *err)
{
    const char *nearest = NULL;
    unsigned least = 0;
    for (size_t i = 0; i < conf_keys_n; i++) {
        if (!conf_keys[i].key)
            continue;
        unsigned d = text_distance(key, slice_str(conf_keys[i].key));
        if (!nearest || d < least) {
            nearest = conf_keys[i].key;
            least = d;
        }
    }
    return err_set(err, ERR_INVALID, "unknown key %.*s; did you mean %s?", SLICE_FMT(key), nearest);
}

static bool parse_bool(struct slice v, bool *out)
{
    static const char *const yes[] = {"on", "true", "yes"}, *const no[] = {"off", "false", "no"};
    for (size_t i = 0; i < 3; i++) {
        if (slice_eq_str(v, yes[i]) || slice_eq_str(v, no[i])) {
            *out = slice_eq_str(v, yes[i]);
            return true;
        }
    }
    return false;
}

static bool parse_number(struct slice v, int64_t *out)
{
    char text[24], *end;
    if (!v.n || v.n >= sizeof text)
        return false;
    memcpy(text, v.p, v.n);
    text[v.n] = 0;
    long long n = strtoll(text, &end, 10);
    *out = n;
    return *end == 0;
}

static void bound_text(const struct conf_key *k, int64_t v, char out[TIME_TEXT_SIZE])
{
    if (k->type == CONFIG_SIZE)
        size_text(v, out);
    else if (k->type == CONFIG_DURATION)
        duration_text(v, out);
    else
        snprintf(out, TIME_TEXT_SIZE, "%lld", (long long)v);
}

static int set_number(struct config *c, const struct conf_key *k, struct slice v, struct err *err)
{
    static const char *const what[] = {[CONFIG_NUMBER] = "a whole number",
                                       [CONFIG_SIZE] = "a size such as 64KiB or 1GiB",
                                       [CONFIG_DURATION] = "a duration such as 500ms, 30s or 7d"};
    int64_t n;
    bool ok = k->type == CONFIG_SIZE       ? size_parse(v, &n)
              : k->type == CONFIG_DURATION ? duration_parse(v, &n)
                                           : parse_number(v, &n);
    if (!ok)
        return err_set(err, ERR_INVALID, "%s: \"%.*s\" is not %s", k->key, SLICE_FMT(v),
                       what[k->type]);
    if (n < k->least || n > k->most) {
        char least[TIME_TEXT_SIZE], most[TIME_TEXT_SIZE];
        bound_text(k, k->least, least);
        bound_text(k, k->most, most);
        return err_set(err, ERR_INVALID, "%s: %.*s is out of bounds: %s to %s", k->key,
                       SLICE_FMT(v), least, k->most == INT64_MAX ? "any" : most);
    }
    memcpy((char *)c + k->offset, &n, sizeof n);
    return 0;
}

static int set_text(struct config *c, const struct conf_key *k, struct slice v, struct err *err)
{
    if ((int64_t)v.n < k->least || (int64_t)v.n > k->most || v.n >= k->size)
        return err_set(err, ERR_INVALID, "%s: the text is %s", k->key,
                       (int64_t)v.n < k->least ? "empty" : "too long");
    char *to = (char *)c + k->offset;
    memcpy(to, v.p, v.n);
    to[v.n] = 0;
    char host[256];
    int port;
    if (k->type == CONFIG_ADDRESS && *to && !conf_address(to, host, &port))
        return err_set(err, ERR_INVALID, "%s: \"%s\" is not host:port or [address]:port", k->key,
                       to);
    return 0;
}

int conf_set(struct config *c, struct slice key, struct slice value, struct err *err)
{
    const struct conf_key *k = find(key);
    if (!k)
        return unknown(key, err);
    switch (k->type) {
    case CONFIG_TEXT:
    case CONFIG_ADDRESS:
        return set_text(c, k, value, err);
    case CONFIG_BOOL:
        if (!parse_bool(value, (bool *)((char *)c + k->offset)))
            return err_set(err, ERR_INVALID, "%s: \"%.*s\" is neither on nor off", k->key,
                           SLICE_FMT(value));
        return 0;
    case CONFIG_NUMBER:
    case CONFIG_SIZE:
    case CONFIG_DURATION:
        return set_number(c, k, value, err);
    }
    UNREACHABLE();
}

void conf_defaults(struct config *c)
{
    *c = (struct config){0};
    for (size_t i = 0; i < conf_keys_n; i++) {
        const struct conf_key *k = &conf_keys[i];
        struct err err;
        if (!k->key || !*k->fallback)
            continue;
        int rc = conf_set(c, slice_str(k->key), slice_str(k->fallback), &err);
        ASSERT(rc == 0);
    }
}

/* The flag at argv[i]: its key and value; returns how many arguments it took, 0 on error. */
static int take_flag(int argc, char **argv, int i, struct slice *key, struct slice *value,
                     struct err *err)
{
    const char *arg = argv[i];
    if (strncmp(arg, "--", 2) || !arg[2]) {
        err_set(err, ERR_INVALID, "unexpected argument %s; flags are --key value", arg);
        return 0;
    }
    const char *equals = strchr(arg, '=');
    if (equals) {
        *key = slice_of(arg + 2, (size_t)(equals - arg - 2));
        *value = slice_str(equals + 1);
        return 1;
    }
    *key = slice_str(arg + 2);
    if (i + 1 >= argc) {
        err_set(err, ERR_INVALID, "%s needs a value", arg);
        return 0;
    }
    *value = slice_str(argv[i + 1]);
    return 2;
}

int conf_args(struct config *c, int argc, char **argv, struct err *err)
{
    /* Two passes: a flag beats the file wherever --config stands. */
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < argc;) {
            struct slice key, value;
            int took = take_flag(argc, argv, i, &key, &value, err);
            if (!took)
                return ERR_INVALID;
            bool file = slice_eq_str(key, "config");
            int rc = 0;
            if (file && pass == 0)
                rc = conf_load(c, (const char *)value.p, err);
            else if (!file && pass == 1 && (rc = conf_set(c, key, value, err)))
                err_wrap(err, "--%.*s", SLICE_FMT(key));
            if (rc)
                return rc;
            i += took;
        }
    }
    return 0;
}

bool conf_address(const char *text, char host[256], int *port)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1] || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    *port = atoi(colon + 1);
    size_t n = (size_t)(colon - text);
    if (*text == '[') {
        if (n < 3 || colon[-1] != ']')
            return false;
        text++;
        n -= 2;
    } else if (memchr(text, ':', n)) {
        return false;
    }
    if (n >= 256 || *port > 65535)
        return false;
    memcpy(host, text, n);
    host[n] = 0;
    return true;
}

/* The voters' list: this node must be in it, and alone (clustering comes later). */
static int check_voters(const struct config *c, struct err *err)
{
    int n = 0;
    bool mine = false;
    char text[CONFIG_TEXT_MAX], *rest = NULL;
    memcpy(text, c->voters, sizeof text);
    for (char *v = strtok_r(text, ",", &rest); v; v = strtok_r(NULL, ",", &rest), n++) {
        char host[256], *end;
        int port;
        long id = strtol(v, &end, 10);
        if (end == v || *end != '@' || id < 1 || id > INT32_MAX ||
            !conf_address(end + 1, host, &port))
            return err_set(err, ERR_INVALID, "voters: \"%s\" is not id@host:port", v);
        mine |= id == c->node;
    }
    if (n > 1)
        return err_set(err, ERR_UNSUPPORTED,
                       "voters: %d are named, but this version runs one node; clusters come with "
                       "the next version. Name this node alone, or leave the key empty",
                       n);
    if (n == 1 && !mine)
        return err_set(err, ERR_INVALID, "voters: node %lld is not among them", (long long)c->node);
    return 0;
}

int conf_check(const struct config *c, struct err *err)
{
    enum log_level level;
    if (!*c->data)
        return err_set(err, ERR_INVALID, "data: a data folder must be named");
    if (!logger_level(c->log_level, &level))
        return err_set(err, ERR_INVALID, "log-level: \"%s\" is not debug, info, warn or error",
                       c->log_level);
    if (c->request_max_bytes > c->memory_bytes / 2)
        return err_set(err, ERR_INVALID, "request-max must be at most half of memory");
    if (c->journal_bytes < 4 * c->journal_file_bytes)
        return err_set(err, ERR_INVALID, "journal-total must be at least four times journal-file");
    if (c->journal_group_bytes > c->journal_file_bytes / 2)
        return err_set(err, ERR_INVALID, "journal-group must be at most half of journal-file");
    return check_voters(c, err);
}
