/* For tests/compat/wire_kafka_python.py: reads one command a line, answers one line.
 *   request|response KEY VERSION HEX   decodes and encodes again: HEX and the dump
 *   batch HEX                          a record batch: header fields and records
 *   build CODEC RAW TIME N             a batch of N records, as hex (RAW 1: raw snappy)
 *   header HEX                         a request frame: header fields and the body as hex
 * An error is answered by "error" and its text. */
#include "message_tools.h"

#include "base/codec.h"
#include "base/mem.h"
#include "wire/batch.h"
#include "wire/header.h"
#include "wire/message.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int say_error(const struct err *e)
{
    return printf("error %s\n", e->msg);
}

static struct slice from_hex(const char *text, struct arena *a)
{
    size_t n = strlen(text);
    uint8_t *p = arena_alloc(a, n / 2 + 1);
    if (!hex_get(slice_of(text, n), p, n / 2, &n))
        exit(2);
    return slice_of(p, n);
}

static void recode(bool response, int16_t key, int16_t version, struct slice in, struct arena *a)
{
    struct err e = {0};
    struct bytes out = {0}, text = {0};
    void *message;
    int rv =
        (response ? wire_decode_response : wire_decode_request)(key, version, in, a, &message, &e);
    if (rv != 0) {
        say_error(&e);
        return;
    }
    rv = (response ? wire_encode_response : wire_encode_request)(key, version, message, &out);
    if (rv != 0)
        exit(3);
    hex_add(&text, bytes_slice(&out));
    message_dump(wire_describe(key, response), version, message, &text);
    puts(bytes_cstr(&text));
    bytes_free(&out);
    bytes_free(&text);
}

static void add_slice_text(struct bytes *out, const char *name, struct slice s)
{
    bytes_printf(out, " %s=%s", name, s.p ? "s:" : "null");
    hex_add(out, s);
}

static int dump_records(const struct wire_batch *b, struct bytes *text, struct err *e)
{
    struct wire_codec_scratch *codec = wire_codec_scratch_new();
    struct bytes scratch = {0};
    struct slice records;
    int rv = wire_batch_records(b, 64 << 20, codec, &scratch, &records, e);
    if (rv == 0) {
        struct wire_record_iter it;
        struct wire_record r;
        wire_record_iter_init(&it, records, b, true);
        while ((rv = wire_record_next(&it, &r, e)) == 1) {
            bytes_printf(text, " time=%" PRId64 " offset=%" PRId64,
                         b->base_timestamp + r.timestamp_delta, b->base_offset + r.offset_delta);
            add_slice_text(text, "key", r.key);
            add_slice_text(text, "value", r.value);
            struct wire_header_iter hit;
            struct wire_record_header h;
            wire_header_iter_init(&hit, &r);
            while (wire_header_next(&hit, &h)) {
                add_slice_text(text, "hkey", h.key);
                add_slice_text(text, "hvalue", h.value);
            }
        }
    }
    wire_codec_scratch_free(codec);
    bytes_free(&scratch);
    return rv;
}

static void show_batch(struct slice in)
{
    struct err e = {0};
    struct wire_batch b;
    struct bytes text = {0};
    int rv = wire_batch_parse(in, &b, &e);
    if (rv == 0)
        rv = wire_batch_check(&b, &e);
    if (rv == 0) {
        bytes_printf(&text,
                     "codec=%d count=%d base=%" PRId64 " max=%" PRId64 " pid=%" PRId64
                     " epoch=%d seq=%d size=%zu",
                     wire_batch_codec(&b), b.records_count, b.base_timestamp, b.max_timestamp,
                     b.producer_id, b.producer_epoch, b.base_sequence, b.bytes.n);
        rv = dump_records(&b, &text, &e);
    }
    if (rv != 0)
        say_error(&e);
    else
        puts(bytes_cstr(&text));
    bytes_free(&text);
}

static void build_batch(int codec, int raw, int64_t time_ms, int n)
{
    struct err e = {0};
    struct wire_batch_builder bb;
    struct bytes out = {0}, text = {0};
    wire_batch_builder_init(&bb, codec);
    bb.snappy_raw = raw != 0;
    for (int i = 0; i < n; i++) {
        char key[32], value[160];
        int kn = snprintf(key, sizeof(key), "key-%d", i);
        int vn = snprintf(value, sizeof(value), "value %d of a batch, and some more words", i);
        wire_batch_builder_add(&bb, time_ms + i, i % 3 ? slice_of(key, (size_t)kn) : SLICE_NULL,
                               i % 5 ? slice_of(value, (size_t)vn) : SLICE_NULL, NULL, 0);
    }
    if (wire_batch_builder_finish(&bb, &out, &e) != 0)
        exit(3);
    hex_add(&text, bytes_slice(&out));
    puts(bytes_cstr(&text));
    wire_batch_builder_free(&bb);
    bytes_free(&out);
    bytes_free(&text);
}

static void show_header(struct slice in)
{
    struct err e = {0};
    struct wire_request_header h;
    struct slice body;
    struct bytes text = {0};
    if (wire_decode_request_header(in, &h, &body, &e) != 0) {
        say_error(&e);
        return;
    }
    bytes_printf(&text, "key=%d version=%d id=%d", h.api_key, h.api_version, h.correlation_id);
    add_slice_text(&text, "client", h.client_id);
    add_slice_text(&text, "body", body);
    puts(bytes_cstr(&text));
    bytes_free(&text);
}

static void obey(char *line, struct arena *a)
{
    char *save, *word[5] = {0};
    int n = 0;
    for (char *w = strtok_r(line, " \n", &save); w && n < 5; w = strtok_r(NULL, " \n", &save))
        word[n++] = w;
    if (n >= 3 && (!strcmp(word[0], "request") || !strcmp(word[0], "response")))
        recode(!strcmp(word[0], "response"), (int16_t)atoi(word[1]), (int16_t)atoi(word[2]),
               from_hex(word[3] ? word[3] : "", a), a);
    else if (n == 2 && !strcmp(word[0], "batch"))
        show_batch(from_hex(word[1], a));
    else if (n == 5 && !strcmp(word[0], "build"))
        build_batch(atoi(word[1]), atoi(word[2]), atoll(word[3]), atoi(word[4]));
    else if (n == 2 && !strcmp(word[0], "header"))
        show_header(from_hex(word[1], a));
    else
        exit(2);
    fflush(stdout);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    struct arena a;
    arena_init(&a, 64 << 20);
    while (getline(&line, &cap, stdin) > 0) {
        obey(line, &a);
        arena_reset(&a);
    }
    free(line);
    arena_free(&a);
    return 0;
}
