// Clip: min(max(x, low), high); low and high were attributes before opset 11. NaN stays NaN.
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <float.h>
#include <math.h>

static void f32(const void *from, void *into, size_t n, const oq_parameter *p) {
    oq_rows_clamp(from, (float)p[0].f, (float)p[1].f, into, n);
}

#define CLAMP(name, type, low, high)                                                                         \
    static void name(const void *from, void *into, size_t n, const oq_parameter *p) {                        \
        for (size_t i = 0; i < n; i++) {                                                                     \
            const type x = ((const type *)from)[i], t = x < (low) ? (low) : x;                               \
            ((type *)into)[i] = t > (high) ? (high) : t;                                                     \
        }                                                                                                    \
    }
CLAMP(f64, double, p[0].f, p[1].f)
CLAMP(i64, int64_t, p[0].i, p[1].i)
CLAMP(u64, uint64_t, p[0].u, p[1].u)

static const oq_unary formula = {
    .loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64, [OQ_WORK_I64] = i64, [OQ_WORK_U64] = u64}};

static oq_status run_1(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, oq_node_float(context->node, "min", -FLT_MAX),
                        oq_node_float(context->node, "max", FLT_MAX), err);
}

// The bound in input `i` (one element of the type of x), or `otherwise` when it is left out.
static oq_status read_bound(const oq_run_context *context, size_t i, oq_parameter otherwise,
                            oq_parameter *out, oq_error *err) {
    const oq_tensor *const x = oq_in(context, 0), *const bound = oq_in(context, i);
    *out = otherwise;
    if (!bound) return ONNXQ_OK;
    if (oq_tensor_count(bound) != 1 || bound->dtype != x->dtype)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Clip: input %zu must be one element of the type of input 0", i);
    switch (oq_work_of(bound->dtype)) {
    case OQ_WORK_I64: oq_load_i64(bound->dtype, bound->data, &out->i, 1); break;
    case OQ_WORK_U64: oq_load_u64(bound->dtype, bound->data, &out->u, 1); break;
    default: oq_load_f64(bound->dtype, bound->data, &out->f, 1); break;
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x;
    OQ_TRY(oq_need(context, 0, &x, err));
    const oq_work_type work = oq_work_of(x->dtype);
    oq_parameter low = {.f = -(double)INFINITY}, high = {.f = (double)INFINITY}, p[2];
    if (work == OQ_WORK_I64) low.i = INT64_MIN, high.i = INT64_MAX;
    if (work == OQ_WORK_U64) low.u = 0, high.u = UINT64_MAX;
    OQ_TRY(read_bound(context, 1, low, &p[0], err));
    OQ_TRY(read_bound(context, 2, high, &p[1], err));
    return oq_unary_run_with(context, &formula, p, err);
}

// One attribute becomes an input; it may be left out, then so is the input.
static oq_status move_bound(oq_upgrade_context *context, const char *name, size_t index, oq_dtype dtype,
                            oq_error *err) {
    const oq_attr *attr = oq_node_attr(context->node, name);
    if (!attr) return ONNXQ_OK;
    if (dtype == ONNXQ_UNDEFINED)
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "Clip needs the type of its input to become version 11: run shape inference first");
    const float value = attr->f;
    oq_node_remove_attr(context->node, name);
    return oq_upgrade_number_input(context, index, name, dtype, value, err);
}

static oq_status upgrade_11(oq_upgrade_context *context, oq_error *err) {
    const oq_type *type = &oq_graph_value(context->graph, context->node->inputs[0])->type;
    OQ_TRY(move_bound(context, "min", 1, type->dtype, err));
    return move_bound(context, "max", 2, type->dtype, err);
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_12[] = {{"T", OQ_T_NUMERIC3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_NUMERIC4}, {0}};
static const oq_attr_spec attrs_1[] = {{"consumed_inputs", OQ_ATTR_INTS, false},
                                       {"max", OQ_ATTR_FLOAT, false},
                                       {"min", OQ_ATTR_FLOAT, false},
                                       {0}};
static const oq_attr_spec attrs_6[] = {{"max", OQ_ATTR_FLOAT, false}, {"min", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "input:T -> output:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_unary,
     .run = run_1},
    {.since = 6,
     .signature = "input:T -> output:T",
     .types = types_1,
     .attrs = attrs_6,
     .infer = oq_infer_unary,
     .run = run_1,
     .upgrade = oq_upgrade_consumed},
    {.since = 11,
     .signature = "input:T, min?:T, max?:T -> output:T",
     .types = types_1,
     .infer = oq_infer_unary,
     .run = run,
     .upgrade = upgrade_11},
    {.since = 12,
     .signature = "input:T, min?:T, max?:T -> output:T",
     .types = types_12,
     .infer = oq_infer_unary,
     .run = run},
    {.since = 13,
     .signature = "input:T, min?:T, max?:T -> output:T",
     .types = types_13,
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(Clip, versions);
