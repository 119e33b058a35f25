// QLinearSigmoid: 1 / (1 + e^-x) of an 8-bit tensor by table.
#include "kernels/rows.h"
#include "ops/lib/infer.h"
#include "ops/lib/qlinear.h"

static void sigmoid(const float *x, float *y, size_t n, float parameter) {
    (void)parameter;
    oq_rows_sigmoid(x, y, n);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_qlinear_unary_run(context, sigmoid, 0, err);
}

static const oq_type_set types[] = {{"T", OQ_QLINEAR_T8}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = OQ_QLINEAR_UNARY_SIGNATURE,
     .types = types,
     .infer = oq_infer_unary,
     .run = run},
};
OQ_MICROSOFT_OP(QLinearSigmoid, versions);
