/* What a verdict costs: bench_schema SCHEMA PAYLOAD [SECONDS]
 *
 * Prints parse alone and parse with validation, in microseconds per KB (1000 bytes) of payload, and
 * the cost of compiling the schema. One core, warm. */
#include "base/json.h"
#include "base/mem.h"
#include "schema/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct slice read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct bytes b = {0};
    char part[65536];
    size_t n;
    if (f == NULL) {
        perror(path);
        exit(2);
    }
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        bytes_add(&b, part, n);
    fclose(f);
    return bytes_slice(&b);
}

static struct schema *compile(struct slice text)
{
    struct schema *s = NULL;
    struct err err = {0};
    if (schema_compile(SCHEMA_JSON, text, NULL, 0, NULL, &s, NULL, &err) != 0) {
        fprintf(stderr, "schema refused: %s\n", err.msg);
        exit(2);
    }
    return s;
}

/* Microseconds per KB of the fastest of several slices of time: the machine is shared. */
static double measure(bool validate, struct schema *s, struct slice payload, double seconds)
{
    enum { SLICES = 10 };
    struct json_doc doc = {0};
    struct schema_scratch *scratch = schema_scratch_new();
    double best = 1e9;
    for (int k = 0; k < SLICES; k++) {
        double start = now_s();
        double spent;
        unsigned runs = 0;
        do {
            for (int i = 0; i < 50; i++, runs++) {
                if (validate)
                    schema_validate(s, payload, scratch, NULL);
                else
                    json_parse(&doc, payload, NULL, NULL);
            }
            spent = now_s() - start;
        } while (spent < seconds / SLICES);
        double us = spent * 1e6 / runs / ((double)payload.n / 1000);
        if (us < best)
            best = us;
    }
    json_free(&doc);
    schema_scratch_free(scratch);
    return best;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench_schema SCHEMA PAYLOAD [SECONDS]\n");
        return 2;
    }
    double seconds = argc > 3 ? atof(argv[3]) : 2;
    struct slice text = read_file(argv[1]);
    struct slice payload = read_file(argv[2]);
    double start = now_s();
    struct schema *s = compile(text);
    double compile_ms = (now_s() - start) * 1e3;
    struct schema_scratch *scratch = schema_scratch_new();
    struct schema_problem problem = {0};
    enum schema_verdict verdict = schema_validate(s, payload, scratch, &problem);
    double parse = measure(false, s, payload, seconds);
    double both = measure(true, s, payload, seconds);
    printf("{\"payload_bytes\":%zu,\"schema_bytes\":%zu,\"program_bytes\":%zu,\"compile_ms\":%.2f,"
           "\"valid\":%s,\"parse_us_per_kb\":%.3f,\"validate_us_per_kb\":%.3f}\n",
           payload.n, text.n, schema_memory_bytes(s), compile_ms,
           verdict == SCHEMA_VALID ? "true" : "false", parse, both);
    if (verdict != SCHEMA_VALID)
        printf("at %s: %s: %s\n", problem.path, problem.rule, problem.message);
    schema_scratch_free(scratch);
    schema_unref(s);
    mem_free((void *)(uintptr_t)text.p);
    mem_free((void *)(uintptr_t)payload.p);
    return 0;
}
