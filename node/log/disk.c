#include "log/disk.h"

#include "base/check.h"
#include "base/mem.h"

#include <string.h>

struct disk_op *disk_ops_add(struct disk_ops *ops, enum disk_queue queue, enum disk_op_kind kind,
                             const char *path)
{
    if (ops->n == ops->cap) {
        ops->cap = ops->cap ? ops->cap * 2 : 16;
        ops->op = mem_realloc(ops->op, ops->cap * sizeof *ops->op);
    }
    struct disk_op *op = &ops->op[ops->n++];
    *op = (struct disk_op){.queue = queue, .kind = kind};
    size_t n = strlen(path);
    ASSERT(n < DISK_PATH_MAX);
    memcpy(op->path, path, n + 1);
    return op;
}

void disk_op_add_part(struct disk_op *op, struct buf *b, struct slice bytes)
{
    /* The capacity is the next power of two: it needs no field of its own. */
    if ((op->parts_n & (op->parts_n - 1)) == 0) {
        size_t cap = op->parts_n ? op->parts_n * 2 : 1;
        op->part = mem_realloc(op->part, cap * sizeof *op->part);
    }
    op->part[op->parts_n++] = (struct buf_slice){.buf = b ? buf_ref(b) : NULL, .bytes = bytes};
}

void disk_op_release(struct disk_op *op)
{
    for (size_t i = 0; i < op->parts_n; i++) {
        buf_unref(op->part[i].buf);
    }
    mem_free(op->part);
    op->part = NULL;
    op->parts_n = 0;
}

void disk_ops_free(struct disk_ops *ops)
{
    for (size_t i = 0; i < ops->n; i++) {
        disk_op_release(&ops->op[i]);
    }
    mem_free(ops->op);
    *ops = (struct disk_ops){0};
}
