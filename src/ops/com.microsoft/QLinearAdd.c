// QLinearAdd: the sum of two 8-bit tensors, broadcast, on the output's grid.
#include "ops/lib/qlinear.h"

// c = a * ra + b * rb + (zc - ra * za - rb * zb) with ra = sa / sc, rb = sb / sc: the order of ONNX Runtime.
static void block(const oq_qlinear_pair *p, const float *a, const float *b, float *c, size_t n) {
    const float ra = p->a.scale / p->c.scale;
    const float rb = p->b.scale / p->c.scale;
    const float fixed = (float)p->c.zero - (ra * (float)p->a.zero + rb * (float)p->b.zero);
    for (size_t i = 0; i < n; i++) c[i] = fixed + a[i] * ra + b[i] * rb;
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
