/* A folder on disk that fails: hands through to real files until the n-th change; that one and all
 * later ones fail, or wait. */
#ifndef TEST_RAFT_FAULTY_H
#define TEST_RAFT_FAULTY_H

#include "raft/files.h"

#include <stdatomic.h>

struct faulty {
    struct raft_files files; /* first */
    struct raft_files *real;
    atomic_uint changes, fail_at; /* 0: never */
    int error;
    atomic_bool hang;
    bool only_growth; /* fail what needs new space, nothing else */
};

/* Opens the folder; close x->real with raft_files_close. */
int faulty_open_folder(struct faulty *x, const char *path, struct err *e);

#endif
