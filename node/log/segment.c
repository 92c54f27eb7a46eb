#include "log/state.h"

#include "base/mem.h"

const uint8_t log_zeros[16384] = {0};

static const char hex_digits[] = "0123456789abcdef";

static char *put_text(char *p, const char *text)
{
    size_t n = strlen(text);
    memcpy(p, text, n);
    return p + n;
}

static char *put_number(char *p, uint64_t v, int digits)
{
    char text[24];
    int n = 0;
    do {
        text[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    for (int i = n; i < digits; i++) {
        *p++ = '0';
    }
    while (n) {
        *p++ = text[--n];
    }
    return p;
}

static char *put_dir(char *p, const struct plog_id *id)
{
    p = put_text(p, "topics/");
    for (size_t i = 0; i < sizeof id->topic; i++) {
        *p++ = hex_digits[id->topic[i] >> 4];
        *p++ = hex_digits[id->topic[i] & 15];
    }
    *p++ = '-';
    return put_number(p, (uint64_t)(uint32_t)id->partition, 1);
}

void log_path_dir(const struct plog_id *id, char out[DISK_PATH_MAX])
{
    *put_dir(out, id) = 0;
}

void log_path_segment(const struct plog_id *id, int64_t base, const char *suffix,
                      char out[DISK_PATH_MAX])
{
    char *p = put_dir(out, id);
    *p++ = '/';
    p = put_number(p, (uint64_t)base, 20);
    *put_text(p, suffix) = 0;
}

void log_path_journal(int slot, char out[DISK_PATH_MAX])
{
    char *p = put_number(put_text(out, "journal/"), (uint64_t)slot, 4);
    *put_text(p, ".jnl") = 0;
}

void log_path_checkpoint(uint64_t seq, char out[DISK_PATH_MAX])
{
    *put_text(out, seq & 1 ? "journal/checkpoint.1" : "journal/checkpoint.0") = 0;
}

static int hex_value(char c)
{
    const char *at = c ? strchr(hex_digits, c) : NULL;
    return at ? (int)(at - hex_digits) : -1;
}

bool log_path_parse_dir(const char *name, struct plog_id *out)
{
    if (strlen(name) < 34 || name[32] != '-') {
        return false;
    }
    for (size_t i = 0; i < sizeof out->topic; i++) {
        int hi = hex_value(name[2 * i]), lo = hex_value(name[2 * i + 1]);
        if (hi < 0 || lo < 0) {
            return false;
        }
        out->topic[i] = (uint8_t)(hi << 4 | lo);
    }
    int64_t v = 0;
    for (const char *p = name + 33; *p; p++) {
        if (*p < '0' || *p > '9' || (v = v * 10 + (*p - '0')) > INT32_MAX) {
            return false;
        }
    }
    out->partition = (int32_t)v;
    return true;
}

struct log_segment *log_segment_add(struct plog *p, int64_t base)
{
    ASSERT(p->segments_n < LOG_SEGMENTS_MAX);
    if (p->segments_n == p->segments_cap) {
        p->segments_cap = p->segments_cap ? p->segments_cap * 2 : 1;
        p->segment = mem_realloc(p->segment, p->segments_cap * sizeof *p->segment);
    }
    struct log_segment *g = &p->segment[p->segments_n++];
    *g = (struct log_segment){.base = base, .max_timestamp = -1, .max_offset = -1};
    return g;
}

void log_segment_free(struct log_segment *g)
{
    log_index_free(g->index);
    g->index = NULL;
    mem_free(g->verified);
    g->verified = NULL;
}

uint32_t log_segment_at(const struct plog *p, int64_t offset)
{
    uint32_t lo = 0, hi = p->segments_n;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (p->segment[mid].base <= offset) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

struct log_segment *log_segment_find(const struct plog *p, int64_t base)
{
    if (!p->segments_n) {
        return NULL;
    }
    struct log_segment *g = &p->segment[log_segment_at(p, base)];
    return g->base == base ? g : NULL;
}

static void intervals_join(struct log_segment *g, uint8_t i)
{
    while (i + 1 < g->verified_n && g->verified[i + 1].lo <= g->verified[i].hi) {
        if (g->verified[i + 1].hi > g->verified[i].hi) {
            g->verified[i].hi = g->verified[i + 1].hi;
        }
        memmove(&g->verified[i + 1], &g->verified[i + 2],
                (size_t)(g->verified_n - i - 2) * sizeof *g->verified);
        g->verified_n--;
    }
}

void log_verified_add(struct log_segment *g, uint32_t lo, uint32_t hi)
{
    if (lo == hi) {
        return;
    }
    if (!g->verified) {
        g->verified = mem_alloc(sizeof *g->verified); /* most have one only */
        g->verified[0] = (struct log_interval){lo, hi};
        g->verified_n = 1;
        return;
    }
    uint8_t i = g->verified_n;
    while (i && g->verified[i - 1].lo > lo) {
        i--;
    }
    if (i && g->verified[i - 1].hi >= lo) {
        if (hi > g->verified[i - 1].hi) {
            g->verified[i - 1].hi = hi;
        }
        intervals_join(g, (uint8_t)(i - 1));
        return;
    }
    if (i < g->verified_n && g->verified[i].lo <= hi) {
        g->verified[i].lo = lo;
        if (hi > g->verified[i].hi) {
            g->verified[i].hi = hi;
        }
        intervals_join(g, i);
        return;
    }
    if (g->verified_n == LOG_INTERVALS_MAX) {
        return; /* forgetting costs a second check, never a missed one */
    }
    g->verified = mem_realloc(g->verified, LOG_INTERVALS_MAX * sizeof *g->verified);
    memmove(&g->verified[i + 1], &g->verified[i],
            (size_t)(g->verified_n - i) * sizeof *g->verified);
    g->verified[i] = (struct log_interval){lo, hi};
    g->verified_n++;
}

bool log_verified_has(const struct log_segment *g, uint32_t lo, uint32_t hi)
{
    for (uint8_t i = 0; i < g->verified_n; i++) {
        if (g->verified[i].lo <= lo && hi <= g->verified[i].hi) {
            return true;
        }
    }
    return lo == hi;
}
