// QLinearMul: the product of two 8-bit tensors, broadcast, on the output's grid.
#include "ops/lib/qlinear.h"

// c = (a - za) * (b - zb) * (sa * sb / sc) + zc; the product of the integers is exact in float32.
static void block(const oq_qlinear_pair *p, const float *a, const float *b, float *c, size_t n) {
    const float za = (float)p->a.zero;
    const float zb = (float)p->b.zero;
    const float zc = (float)p->c.zero;
    const float ratio = p->a.scale * p->b.scale / p->c.scale;
    for (size_t i = 0; i < n; i++) c[i] = (a[i] - za) * (b[i] - zb) * ratio + zc;
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
OQ_MICROSOFT_OP(QLinearMul, versions);
