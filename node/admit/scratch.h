/* Working memory of one thread; only files of this room include it. */
#ifndef ADMIT_SCRATCH_H
#define ADMIT_SCRATCH_H

#include "admit/admit.h"

struct admit_scratch {
    struct judge_scratch *judge;
    struct wire_codec_scratch *codec;
    struct bytes
        records[2]; /* decompressed; two, to compare a record of one batch with another's */
    struct sign_header header[ADMIT_HEADERS_MAX];
};

#endif
