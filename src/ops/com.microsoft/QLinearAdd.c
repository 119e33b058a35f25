// QLinearAdd: the sum of two 8-bit tensors, broadcast, on the output's grid.
#include "kernels/rows.h"
#include "ops/lib/qlinear.h"

#include <math.h>

// c = a * ra + (b * rb + f), f = zc - (ra * za + rb * zb) with ra = sa / sc, rb = sb / sc. All but rb * zb
// are fused: ties are frequent here, and so they fall as in ONNX Runtime's kernel, which also lets an A that
// stands still take the part of B.
static void block(const oq_qlinear_pair *p, const float *a, const float *b, float *c, size_t n) {
    const bool turn = p->a_stands;
    const oq_qlinear first = turn ? p->b : p->a;
    const oq_qlinear second = turn ? p->a : p->b;
    const float ra = first.scale / p->c.scale;
    const float rb = second.scale / p->c.scale;
    const float fixed = (float)p->c.zero - fmaf(ra, (float)first.zero, rb * (float)second.zero);
    for (size_t i = 0; i < n; i++) c[i] = fixed;
    oq_rows_add_multiple(turn ? a : b, rb, c, n);
    oq_rows_add_multiple(turn ? b : a, ra, c, n);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_qlinear_binary_run(context, block, err);
}

static const oq_type_set types[] = {{"T", OQ_QLINEAR_T8}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = OQ_QLINEAR_BINARY_SIGNATURE,
     .types = types,
     .infer = oq_qlinear_binary_infer,
     .run = run},
};
OQ_MICROSOFT_OP(QLinearAdd, versions);
