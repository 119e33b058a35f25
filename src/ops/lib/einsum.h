// Equations of Einsum ("bij,bjk->bik", "...ii->...i") taken apart into labels.
#ifndef OQ_OPS_LIB_EINSUM_H
#define OQ_OPS_LIB_EINSUM_H

#include "ops/ops.h"

#define OQ_EINSUM_MAX_INPUTS 16
#define OQ_EINSUM_LABELS     (52 + OQ_MAX_RANK) // letters, then the axes of the ellipsis, last one last

// The labels of one operand's axes (or of the output's).
typedef struct oq_einsum_term {
    int rank;
    int label[OQ_MAX_RANK];
} oq_einsum_term;

typedef struct oq_einsum {
    size_t count;
    oq_einsum_term in[OQ_EINSUM_MAX_INPUTS], out;
} oq_einsum;

// Parses `equation` for operands of these ranks.
oq_status oq_einsum_parse(const char *equation, size_t count, const int *ranks, oq_einsum *out,
                          oq_error *err);

#endif
