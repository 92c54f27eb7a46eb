/* The contract that the tests of governed topics share: shop.orders, signed JSON. */
#ifndef TEST_GOVERNED_H
#define TEST_GOVERNED_H

#include "harness/client.h"

#include "base/codec.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ORDERS "shop.orders"
#define NOTES  "shop.notes" /* unsigned; "anonymous" may write */

struct shop {
    struct world *w;
    uint64_t conn;
    uint8_t public_key[32], secret_key[64];
};

static inline void shop_apply(struct shop *s, const char *extra)
{
    struct bytes doc = {0}, key = {0};
    base64url_add(&key, slice_of(s->public_key, 32));
    bytes_printf(&doc,
                 "[{\"kind\":\"Team\",\"name\":\"orders\"},"
                 "{\"kind\":\"Producer\",\"name\":\"shop\",\"team\":\"orders\",\"keys\":[{\"id\":"
                 "\"main\",\"public_key\":\"%s\"}],\"topics\":[\"shop.*\"],\"principals\":["
                 "\"anonymous\"]},"
                 "{\"kind\":\"Topic\",\"name\":\"" ORDERS "\",\"team\":\"orders\",\"value\":{"
                 "\"format\":\"json\",\"schema\":{\"type\":\"object\",\"required\":[\"id\","
                 "\"total\"],\"properties\":{\"id\":{\"type\":\"string\"},\"total\":{\"type\":"
                 "\"number\",\"minimum\":0}}}},\"signing\":{\"required\":true,\"window\":\"2m\"},"
                 "\"limits\":{\"record\":\"4KiB\"},\"partitions\":2},"
                 "{\"kind\":\"Topic\",\"name\":\"" NOTES "\",\"team\":\"orders\",\"value\":{"
                 "\"format\":\"bytes\"},\"key\":{\"format\":\"string\",\"required\":true},"
                 "\"headers\":{\"required\":[\"traceparent\"]},\"limits\":{\"record\":\"100\"}}"
                 "%s]",
                 bytes_cstr(&key), extra);
    world_apply(s->w, bytes_cstr(&doc));
    bytes_free(&doc);
    bytes_free(&key);
}

static inline struct shop shop_open(const struct world_options *options)
{
    struct shop s = {.w = world_new(options)};
    client_key(7, s.public_key, s.secret_key);
    shop_apply(&s, "");
    s.conn = world_connect(s.w);
    return s;
}

static inline struct shop shop_open_seed(uint64_t seed)
{
    return shop_open(&(struct world_options){.seed = seed});
}

/* A signed record of shop.orders. header must live as long as the record is used. */
static inline struct client_record shop_record(struct shop *s, const char *value,
                                               struct wire_record_header header[1])
{
    struct client_record r = {.value = slice_str(value)};
    client_sign(s->w, ORDERS, "shop/main", s->secret_key, &r, header);
    return r;
}

static inline struct client_outcome shop_send(struct shop *s, int32_t partition, const char *value)
{
    struct client_producer none = CLIENT_PRODUCER_NONE;
    struct wire_record_header header[1];
    struct client_record r = shop_record(s, value, header);
    return client_produce(s->w, s->conn, ORDERS, partition, &none, &r, 1);
}

static inline enum verdict_code shop_last_code(struct shop *s)
{
    const struct world_rejection *r;
    size_t n = world_rejections(s->w, &r);
    return n ? r[n - 1].code : VERDICT_ACCEPTED;
}

#endif
