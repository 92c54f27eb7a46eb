#include "main/auditlog.h"

#include "base/codec.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 8 << 20, /* a record may hold a whole plan */
    CHUNK_BYTES = 64 * 1024,
    FIND_SCAN_MAX_BYTES = 64 << 20, /* read for one page; the cursor goes on behind it */
};

/* Every record starts so (audit/audit.c). */
static const char seq_prefix[] = "{\"seq\":";

static bool line_seq(struct slice line, uint64_t *seq)
{
    if (!slice_starts(line, slice_str(seq_prefix)))
        return false;
    uint64_t v = 0;
    size_t i = sizeof seq_prefix - 1;
    for (; i < line.n && line.p[i] >= '0' && line.p[i] <= '9'; i++)
        v = v * 10 + (uint64_t)(line.p[i] - '0');
    *seq = v;
    return i < line.n && line.p[i] == ',';
}

/* ---- Lines backward and forward ---- */

/* The part [start, end) of the file. */
static int read_range(int fd, uint64_t start, uint64_t end, struct bytes *out)
{
    bytes_clear(out);
    bytes_reserve(out, (size_t)(end - start));
    while (out->n < end - start) {
        ssize_t n =
            pread(fd, out->p + out->n, (size_t)(end - start) - out->n, (off_t)(start + out->n));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        out->n += (size_t)n;
    }
    return 0;
}

struct backward {
    int fd;
    uint64_t start;    /* of what is in hand, in the file */
    struct bytes hand; /* [start, ...); the lines behind `end` have been given */
    size_t end;
};

/* The line before what was given, without its newline; false at the file's beginning. A line that
 * is longer than LINE_MAX_BYTES ends it too. */
static bool line_before(struct backward *b, struct slice *line)
{
    while (b->end || b->start) {
        size_t i = b->end ? b->end - 1 : 0; /* the newline of the line that is wanted */
        while (i > 0 && b->hand.p[i - 1] != '\n')
            i--;
        if (b->end && (i > 0 || !b->start)) {
            *line = slice_of(b->hand.p + i, b->end - 1 - i);
            b->end = i;
            return true;
        }
        if (b->end > LINE_MAX_BYTES)
            return false;
        uint64_t more = b->start < CHUNK_BYTES ? b->start : CHUNK_BYTES;
        if (more < b->end && b->start > b->end)
            more = b->end; /* a long line: grow by doubling */
        struct bytes wider = {0};
        if (read_range(b->fd, b->start - more, b->start + b->end, &wider)) {
            bytes_free(&wider);
            return false;
        }
        bytes_free(&b->hand);
        b->hand = wider;
        b->start -= more;
        b->end += (size_t)more;
    }
    return false;
}

struct forward {
    int fd;
    uint64_t offset; /* of the next byte to read */
    uint64_t size;
    struct bytes hand;
    size_t at;
};

static bool line_after(struct forward *f, struct slice *line)
{
    for (;;) {
        uint8_t *p = f->hand.n > f->at ? f->hand.p + f->at : NULL;
        uint8_t *nl = p ? memchr(p, '\n', f->hand.n - f->at) : NULL;
        if (nl) {
            *line = slice_of(p, (size_t)(nl - p));
            f->at += line->n + 1;
            return true;
        }
        if (f->offset >= f->size || f->hand.n - f->at > LINE_MAX_BYTES)
            return false;
        if (f->at)
            memmove(f->hand.p, f->hand.p + f->at, f->hand.n - f->at);
        f->hand.n -= f->at;
        f->at = 0;
        bytes_reserve(&f->hand, CHUNK_BYTES);
        ssize_t n = pread(f->fd, f->hand.p + f->hand.n, CHUNK_BYTES, (off_t)f->offset);
        if (n <= 0)
            return false;
        f->hand.n += (size_t)n;
        f->offset += (uint64_t)n;
    }
}

/* ---- Writing ---- */

/* Whole lines only: what follows the last newline is a write that a crash has cut. */
static int cut_torn_line(struct auditlog *a)
{
    struct bytes tail = {0};
    uint64_t end = a->size_bytes;
    while (end) {
        uint64_t start = end < CHUNK_BYTES ? 0 : end - CHUNK_BYTES;
        int rc = read_range(a->fd, start, end, &tail);
        if (rc) {
            bytes_free(&tail);
            return rc;
        }
        uint8_t *nl = memrchr(tail.p, '\n', tail.n);
        end = nl ? start + (uint64_t)(nl - tail.p) + 1 : start;
        if (nl)
            break;
    }
    bytes_free(&tail);
    if (end == a->size_bytes)
        return 0;
    if (ftruncate(a->fd, (off_t)end) < 0)
        return -errno;
    a->size_bytes = end;
    return 0;
}

int auditlog_open(struct auditlog *a, int dir_fd, struct err *err)
{
    *a = (struct auditlog){.fd = -1};
    struct stat st;
    if (mkdirat(dir_fd, "audit", 0750) < 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "cannot make the folder audit: %s", strerror(errno));
    a->fd = openat(dir_fd, AUDITLOG_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (a->fd < 0 || fstat(a->fd, &st) < 0)
        return err_set(err, ERR_IO, "cannot open " AUDITLOG_PATH ": %s", strerror(errno));
    a->size_bytes = (uint64_t)st.st_size;
    int rc = cut_torn_line(a);
    if (rc) {
        auditlog_close(a);
        return err_set(err, ERR_IO, "cannot repair " AUDITLOG_PATH ": %s", strerror(-rc));
    }
    struct backward b = {.fd = a->fd, .start = a->size_bytes};
    struct slice line;
    if (line_before(&b, &line) && !line_seq(line, &a->last_seq))
        a->damaged = true;
    bytes_free(&b.hand);
    return 0;
}

void auditlog_mark_damaged(struct auditlog *a, uint64_t seq, const char *why)
{
    if (!a->damaged)
        log_event(LOG_ERROR, "main", "audit log is damaged", LOG_I("seq", seq), LOG_T("why", why),
                  LOG_T("do", "run writ audit verify and restore " AUDITLOG_PATH " from a backup"));
    a->damaged = true;
}

void auditlog_append(struct auditlog *a, uint64_t seq, struct slice line)
{
    if (seq <= a->last_seq)
        return; /* applied again after a start */
    if (seq != a->last_seq + 1)
        auditlog_mark_damaged(a, seq, "records before this one are missing");
    struct bytes text = {0};
    bytes_add_slice(&text, line);
    bytes_add_u8(&text, '\n');
    size_t done = 0;
    while (done < text.n) {
        ssize_t n = pwrite(a->fd, text.p + done, text.n - done, (off_t)(a->size_bytes + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            auditlog_mark_damaged(a, seq, strerror(errno));
            break;
        }
        done += (size_t)n;
    }
    if (done == text.n)
        a->size_bytes += text.n;
    else if (ftruncate(a->fd, (off_t)a->size_bytes) < 0)
        auditlog_mark_damaged(a, seq, strerror(errno));
    a->last_seq = seq;
    bytes_free(&text);
}

int auditlog_sync(struct auditlog *a)
{
    return fdatasync(a->fd) < 0 ? -errno : 0;
}

void auditlog_close(struct auditlog *a)
{
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
}

/* ---- Reading ---- */

static int open_reader(int dir_fd, uint64_t *size, struct err *err)
{
    struct stat st;
    int fd = openat(dir_fd, AUDITLOG_PATH, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        err_set(err, ERR_IO, "cannot read " AUDITLOG_PATH ": %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *size = (uint64_t)st.st_size;
    return fd;
}

static bool has_text(const struct json_doc *doc, const char *name, struct slice want)
{
    if (!want.p)
        return true;
    uint32_t i = json_get(doc, 0, name);
    return i != JSON_NONE && json_string_is(doc, i, want);
}

static bool in_time(const struct json_doc *doc, const struct auditlog_query *q, struct arena *arena)
{
    if (!q->since_ms && !q->until_ms)
        return true;
    uint32_t i = json_get(doc, 0, "time");
    int64_t ms;
    return i != JSON_NONE && time_parse(json_string(doc, i, arena), &ms) && ms >= q->since_ms &&
           (!q->until_ms || ms < q->until_ms);
}

static bool matches(struct slice line, const struct auditlog_query *q)
{
    struct json_doc doc = {0};
    struct arena arena;
    arena_init(&arena, 0);
    bool ok = json_parse(&doc, line, NULL, NULL) == 0 && json_type(&doc, 0) == JSON_OBJECT &&
              has_text(&doc, "principal", q->principal) && has_text(&doc, "action", q->action) &&
              has_text(&doc, "target", q->target) &&
              has_text(&doc, "correlation_id", q->correlation_id) && in_time(&doc, q, &arena);
    arena_free(&arena);
    json_free(&doc);
    return ok;
}

struct found {
    const struct auditlog_query *q;
    struct bytes *out;
    int32_t n;
    uint64_t last; /* number of the last line looked at */
    uint64_t scanned;
};

/* False: the page is full. */
static bool look_at(struct found *f, struct slice line)
{
    uint64_t seq;
    if (!line_seq(line, &seq))
        return true; /* verify tells; here it is passed over */
    const struct auditlog_query *q = f->q;
    bool seen =
        q->after >= 0 && (q->ascending ? seq <= (uint64_t)q->after : seq >= (uint64_t)q->after);
    if (seen)
        return true;
    if (f->n == q->limit || f->scanned > FIND_SCAN_MAX_BYTES)
        return false;
    f->last = seq;
    f->scanned += line.n;
    if (matches(line, q)) {
        if (f->n++)
            bytes_add_u8(f->out, ',');
        bytes_add_slice(f->out, line);
    }
    return true;
}

int auditlog_find(int dir_fd, const struct auditlog_query *q, struct bytes *out, int64_t *next,
                  struct err *err)
{
    uint64_t size;
    int fd = open_reader(dir_fd, &size, err);
    if (fd < 0)
        return err->code;
    struct found f = {.q = q, .out = out};
    struct backward b = {.fd = fd, .start = size};
    struct forward w = {.fd = fd, .size = size};
    struct slice line;
    bool more = false;
    while (!more && (q->ascending ? line_after(&w, &line) : line_before(&b, &line)))
        more = !look_at(&f, line);
    *next = more ? (int64_t)f.last : -1;
    bytes_free(&b.hand);
    bytes_free(&w.hand);
    close(fd);
    return 0;
}

static void put_verdict(struct bytes *out, const struct audit_head *at, const char *why)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "ok");
    json_put_bool(&w, why == NULL);
    json_name(&w, "records");
    json_put_int(&w, (int64_t)at->seq);
    struct bytes hex = {0};
    hex_add(&hex, slice_of(at->hash, sizeof at->hash));
    json_name(&w, "head");
    json_put_string(&w, bytes_slice(&hex));
    bytes_free(&hex);
    if (why) {
        json_name(&w, "error");
        json_put_cstr(&w, why);
    }
    json_end_object(&w);
}

int auditlog_verify(int dir_fd, const struct audit_head *head, bool *ok, struct bytes *out,
                    struct err *err)
{
    uint64_t size;
    int fd = open_reader(dir_fd, &size, err);
    if (fd < 0)
        return err->code;
    struct audit_head at = {0};
    struct forward w = {.fd = fd, .size = size};
    struct slice line;
    struct err why = {0};
    int rc = 0;
    /* Records that were added while this runs are none of its business. */
    while (at.seq < head->seq && !rc && line_after(&w, &line))
        rc = audit_check(&at, line, &why);
    if (!rc && at.seq < head->seq)
        rc = err_set(&why, ERR_CORRUPT,
                     "the file ends at record %" PRIu64 ", the catalogue has %" PRIu64, at.seq,
                     head->seq);
    if (!rc && memcmp(at.hash, head->hash, sizeof at.hash))
        rc = err_set(&why, ERR_CORRUPT,
                     "record %" PRIu64 " has another hash than the catalogue knows: the file was "
                     "rewritten",
                     at.seq);
    *ok = rc == 0;
    put_verdict(out, &at, rc ? why.msg : NULL);
    bytes_free(&w.hand);
    close(fd);
    return 0;
}
