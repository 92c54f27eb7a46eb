/* Writes the fuzzers' corpora, made from the message tables and the builders of the wire room:
 *   wire_seeds FOLDER          writes FOLDER/{message,frame,batch,codec}/corpus
 *   wire_seeds --check FOLDER  compares instead; exit 1 when a file is missing or different
 *                              (what a compression library made only has to be there) */
#include "message_tools.h"

#include "wire/api.h"
#include "wire/batch.h"
#include "wire/header.h"
#include "wire/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool check;
static const char *folder;
static int written, different;

static bool same_file(const char *path, struct slice s, bool exact)
{
    FILE *f = fopen(path, "rb");
    if (f && !exact) {
        fclose(f);
        return true;
    }
    uint8_t *have = malloc(s.n + 1);
    bool same = f && have && fread(have, 1, s.n + 1, f) == s.n && slice_eq(slice_of(have, s.n), s);
    free(have);
    if (f)
        fclose(f);
    return same;
}

static void keep(const char *fuzzer, const char *name, struct slice s, bool exact)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s/corpus", folder, fuzzer);
    if (!check && mkdir(path, 0777) != 0 && errno != EEXIST) {
        perror(path);
        exit(2);
    }
    snprintf(path, sizeof(path), "%s/%s/corpus/%s", folder, fuzzer, name);
    written++;
    if (check) {
        if (!same_file(path, s, exact)) {
            fprintf(stderr, "%s is not what the tables give\n", path);
            different++;
        }
        return;
    }
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(s.p, 1, s.n, f) != s.n || fclose(f) != 0) {
        perror(path);
        exit(2);
    }
}

static void make_batch(int codec, int n, struct bytes *out)
{
    struct err e = {0};
    struct wire_batch_builder bb;
    struct wire_record_header header = {SLICE_LIT("h"), SLICE_LIT("1")};
    wire_batch_builder_init(&bb, codec);
    for (int i = 0; i < n; i++)
        wire_batch_builder_add(&bb, 1700000000000 + i, i % 2 ? SLICE_LIT("k") : SLICE_NULL,
                               SLICE_LIT("{\"id\":1}"), &header, (size_t)(i % 2));
    if (wire_batch_builder_finish(&bb, out, &e) != 0)
        exit(3);
    wire_batch_builder_free(&bb);
}

static void seed_message(size_t index, int16_t version, bool response)
{
    const struct wire_api *api = &wire_api[index];
    struct test_random r = {(uint64_t)api->key * 1000 + (uint64_t)version * 2 + response};
    struct arena a;
    struct bytes out = {0};
    char name[64];
    arena_init(&a, 0);
    void *m = message_fill(&r, wire_describe(api->key, response), version, 2, &a);
    bytes_add_u8(&out, (uint8_t)index);
    bytes_add_u8(&out, (uint8_t)((version - api->codec_first) << 1 | response));
    if ((response ? wire_encode_response : wire_encode_request)(api->key, version, m, &out) != 0)
        exit(3);
    snprintf(name, sizeof(name), "%s-%d-%s", api->name, version, response ? "response" : "request");
    keep("message", name, bytes_slice(&out), true);
    bytes_clear(&out);
    if (!response && wire_api_serves(api->key, version)) {
        struct wire_request_header h = {api->key, version, 1, SLICE_LIT("seed")};
        wire_begin_request(&out, &h);
        if (wire_encode_request(api->key, version, m, &out) != 0)
            exit(3);
        keep("frame", name, slice_of(out.p + 4, out.n - 4), true); /* without the length */
    }
    bytes_free(&out);
    arena_free(&a);
}

static void seed_batches(void)
{
    for (int codec = 0; codec < WIRE_CODECS_N; codec++) {
        struct bytes out = {0}, only = {0};
        struct err e = {0};
        make_batch(codec, 3, &out);
        keep("batch", wire_codec_name(codec), bytes_slice(&out), codec == WIRE_CODEC_NONE);
        bytes_add_u8(&only, (uint8_t)codec);
        if (wire_compress(codec, SLICE_LIT("aaaaaaaaaaaaaaaaaaaaabcaaaaaaaaaaa"), &only, &e) != 0)
            exit(3);
        keep("codec", wire_codec_name(codec), bytes_slice(&only), codec == WIRE_CODEC_NONE);
        bytes_free(&out);
        bytes_free(&only);
    }
    struct bytes raw = {0};
    struct err e = {0};
    bytes_add_u8(&raw, WIRE_CODEC_SNAPPY);
    if (wire_compress_snappy_raw(SLICE_LIT("aaaaaaaaaaaaaaaabc"), &raw, &e) != 0)
        exit(3);
    keep("codec", "snappy-raw", bytes_slice(&raw), false);
    bytes_free(&raw);
}

int main(int argc, char **argv)
{
    check = argc == 3 && !strcmp(argv[1], "--check");
    if (argc != 2 && !check)
        return 2;
    folder = argv[argc - 1];
    for (size_t i = 0; i < wire_apis_n; i++) {
        for (int16_t v = wire_api[i].codec_first; v <= wire_api[i].codec_last; v++) {
            seed_message(i, v, false);
            seed_message(i, v, true);
        }
    }
    seed_batches();
    printf("%d seeds%s\n", written, check ? " compared" : " written");
    return different ? 1 : 0;
}
