// QLinearAveragePool: the mean of each window of an 8-bit tensor, with channels second or last.
#include "kernels/rows.h"
#include "ops/lib/infer.h"
#include "ops/lib/move.h"
#include "ops/lib/qlinear.h"
#include "ops/lib/sum_pool.h"

#include <string.h>

enum { X, X_SCALE, X_ZERO, Y_SCALE, Y_ZERO };

// Where axis `i` of [images, channels, in...] stands in [images, in..., channels].
static int last_axis(int i, int rank) { return i == 0 ? 0 : i == 1 ? rank - 1 : i - 1; }

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, X);
    const bool last = oq_node_int(context->node, "channels_last", 0) != 0;
    if (!x || x->rank < 0) return ONNXQ_OK;
    oq_type usual = *x;
    oq_type pooled;
    for (int i = 0; i < x->rank && last; i++) usual.dim[i] = x->dim[last_axis(i, x->rank)];
    OQ_TRY(oq_window_pool_type(context->node, &usual, &pooled, err));
    oq_type out = pooled;
    for (int i = 0; i < x->rank && last; i++) out.dim[last_axis(i, x->rank)] = pooled.dim[i];
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

// x as float32 [images, channels, in...] in scratch.
static oq_status dequantized(oq_run_context *context, bool last, oq_tensor *out, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    const size_t count = (size_t)oq_tensor_count(x);
    oq_qlinear p;
    void *values = NULL;
    OQ_TRY(oq_qlinear_read(context, X_SCALE, X_ZERO, "X", &p, err));
    OQ_TRY(oq_scratch_array(context, count, sizeof(float), &values, err));
    oq_rows_dequantize_8(x->data, p.scale, p.zero, x->dtype == ONNXQ_INT8, values, count);
    *out = (oq_tensor){.dtype = ONNXQ_FLOAT, .shape = x->shape, .data = values};
    if (!last) return ONNXQ_OK;
    int64_t strides[OQ_MAX_RANK];
    int64_t from[OQ_MAX_RANK];
    oq_shape_strides(&x->shape, strides);
    for (int i = 0; i < x->shape.rank; i++) {
        const int at = last_axis(i, x->shape.rank);
        out->shape.dim[i] = x->shape.dim[at];
        from[i] = strides[at];
    }
    OQ_TRY(oq_scratch_array(context, count, sizeof(float), &out->data, err));
    oq_move_dense(out->data, values, from, sizeof(float), out->shape.rank, out->shape.dim);
    return ONNXQ_OK;
}

// Output 0 from float32 means [images, channels, out...].
static oq_status quantized(oq_run_context *context, bool last, const oq_tensor *means, oq_error *err) {
    const oq_dtype dtype = oq_in(context, X)->dtype;
    const size_t count = (size_t)oq_tensor_count(means);
    float *values = means->data;
    oq_qlinear p;
    oq_shape shape = means->shape;
    oq_tensor *y = NULL;
    OQ_TRY(oq_qlinear_read(context, Y_SCALE, Y_ZERO, "Y", &p, err));
    for (int i = 0; i < shape.rank && last; i++) shape.dim[last_axis(i, shape.rank)] = means->shape.dim[i];
    OQ_TRY(oq_out(context, 0, dtype, &shape, &y, err));
    void *bytes = y->data;
    if (last) OQ_TRY(oq_scratch_array(context, count, 1, &bytes, err));
    for (size_t i = 0; i < count; i++) values[i] = values[i] / p.scale + (float)p.zero;
    oq_qlinear_store(dtype, values, bytes, count);
    if (!last) return ONNXQ_OK;
    int64_t strides[OQ_MAX_RANK];
    int64_t to[OQ_MAX_RANK];
    int64_t from[OQ_MAX_RANK];
    oq_shape_strides(&shape, strides);
    oq_shape_strides(&means->shape, from);
    for (int i = 0; i < shape.rank; i++) to[i] = strides[last_axis(i, shape.rank)];
    oq_move(y->data, to, bytes, from, 1, shape.rank, means->shape.dim);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const bool last = oq_node_int(context->node, "channels_last", 0) != 0;
    const bool include_pad = oq_node_int(context->node, "count_include_pad", 0) != 0;
    const oq_sum_pool pool = {.count_all = include_pad};
    oq_tensor x;
    oq_tensor y = {.dtype = ONNXQ_FLOAT};
    oq_window window;
    OQ_TRY(dequantized(context, last, &x, err));
    OQ_TRY(oq_window_plan_pool(context->node, &x.shape, &window, &y.shape, err));
    OQ_TRY(oq_scratch_array(context, (size_t)oq_tensor_count(&y), sizeof(float), &y.data, err));
    OQ_TRY(oq_sum_pool_apply(context, &pool, &window, &x, &y, err));
    return quantized(context, last, &y, err);
}

static const oq_type_set types[] = {{"T", OQ_QLINEAR_T8}, {0}};
static const oq_attr_spec attrs[] = {
    {"auto_pad", OQ_ATTR_STRING, false},   {"ceil_mode", OQ_ATTR_INT, false},
    {"channels_last", OQ_ATTR_INT, false}, {"count_include_pad", OQ_ATTR_INT, false},
    {"kernel_shape", OQ_ATTR_INTS, true},  {"pads", OQ_ATTR_INTS, false},
    {"strides", OQ_ATTR_INTS, false},      {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T, x_scale:float32, x_zero_point?:T, y_scale:float32, y_zero_point?:T -> Y:T",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run},
};
OQ_MICROSOFT_OP(QLinearAveragePool, versions);
