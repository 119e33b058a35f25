// LpNormalization: vectors along one axis divided by their 1- or 2-norm; zero vectors stay zero.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"

#include <math.h>

static void normalize(const double *x, double *y, size_t count, size_t stride, bool squares) {
    double norm = 0;
    for (size_t i = 0; i < count; i++) {
        const double value = x[i * stride];
        norm += squares ? value * value : fabs(value);
    }
    if (squares) norm = sqrt(norm);
    for (size_t i = 0; i < count; i++) y[i * stride] = norm == 0 ? 0 : x[i * stride] / norm;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const int64_t p = oq_node_int(context->node, "p", 2);
    const int64_t asked = oq_node_int(context->node, "axis", -1);
    int axis = 0;
    if (p != 1 && p != 2) return oq_fail(err, ONNXQ_BAD_MODEL, "p is %lld; it must be 1 or 2", (long long)p);
    if (!oq_axis_normalize(asked, x->shape.rank, &axis)) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "axis %lld is out of range for rank %d", (long long)asked,
                       x->shape.rank);
    }
    const void *in = NULL;
    oq_array_target y;
    OQ_TRY(oq_array_in(context, x, OQ_WORK_F64, &in, err));
    OQ_TRY(oq_array_out(context, 0, x->dtype, &x->shape, OQ_WORK_F64, &y, err));
    const size_t size = (size_t)x->shape.dim[axis];
    const size_t inner = (size_t)oq_shape_range_count(&x->shape, axis + 1, x->shape.rank);
    const size_t outer = (size_t)oq_shape_range_count(&x->shape, 0, axis);
    for (size_t i = 0; i < outer * inner; i++) {
        const size_t first = i / inner * size * inner + i % inner;
        normalize((const double *)in + first, (double *)y.data + first, size, inner, p == 2);
    }
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs[] = {{"axis", OQ_ATTR_INT, false}, {"p", OQ_ATTR_INT, false}, {0}};

#define RUNS .signature = "input:T -> output:T", .attrs = attrs, .infer = oq_infer_unary, .run = run
static const oq_op_version versions[] = {
    {.since = 1, .types = types_1, RUNS},
    {.since = 22, .types = types_22, RUNS},
};
OQ_ONNX_OP(LpNormalization, versions);
