// QLinearConcat: 8-bit tensors with a scale and zero point each, joined along one axis on the output's grid.
#include "ops/lib/concat.h"
#include "ops/lib/qlinear.h"

#include <string.h>

enum { Y_SCALE, Y_ZERO, PARTS, EACH = 3 }; // parts are (x, scale, zero point)

static void same(const float *x, float *y, size_t n, float parameter) {
    (void)parameter;
    if (x != y) memcpy(y, x, n * sizeof *x);
}

// Part `i` on the grid of the output: as it is when it lies there, else a copy through a table.
static oq_status take_part(oq_run_context *context, size_t i, oq_qlinear y, oq_tensor *out, oq_error *err) {
    const size_t at = PARTS + i * EACH;
    const oq_tensor *x;
    oq_qlinear p;
    OQ_TRY(oq_need(context, at, &x, err));
    if (x->dtype != oq_in(context, Y_ZERO)->dtype)
        return oq_fail(err, ONNXQ_BAD_MODEL, "QLinearConcat: part %zu is %s, but the output is %s", i,
                       onnxq_dtype_name(x->dtype), onnxq_dtype_name(oq_in(context, Y_ZERO)->dtype));
    OQ_TRY(oq_qlinear_read(context, at + 1, at + 2, "a part", &p, err));
    *out = *x;
    if (p.scale == y.scale && p.zero == y.zero) return ONNXQ_OK;
    const size_t count = (size_t)oq_tensor_count(x);
    const uint8_t *from = x->data;
    uint8_t table[256];
    OQ_TRY(oq_scratch_array(context, count, 1, &out->data, err));
    out->buffer = NULL;
    oq_qlinear_table(x->dtype, p, y, same, 0, table);
    for (size_t k = 0; k < count; k++) ((uint8_t *)out->data)[k] = table[from[k]];
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const size_t count = (context->input_count - PARTS) / EACH;
    oq_qlinear y;
    int axis = 0;
    if (!count || context->input_count != PARTS + count * EACH)
        return oq_fail(err, ONNXQ_BAD_MODEL, "QLinearConcat has %zu inputs, not 2 and 3 for each part",
                       context->input_count);
    OQ_TRY(oq_qlinear_read(context, Y_SCALE, Y_ZERO, "Y", &y, err));
    oq_tensor *parts = oq_scratch(context, count * sizeof *parts, err);
    const oq_tensor **pointers = oq_scratch(context, count * sizeof *pointers, err);
    if (!parts || !pointers) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        OQ_TRY(take_part(context, i, y, &parts[i], err));
        pointers[i] = &parts[i];
    }
    const int64_t asked = oq_node_int(context->node, "axis", 0);
    OQ_TRY(oq_axis(context, asked, parts[0].shape.rank, &axis, err));
    return oq_concat(context, 0, pointers, count, axis, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_concat_infer(context, PARTS, EACH, oq_node_int(context->node, "axis", 0), err);
}

static const oq_type_set types[] = {
    {"T8", OQ_QLINEAR_T8}, {"TF", OQ_T_FLOAT32}, {"TV", OQ_QLINEAR_T8 | OQ_T_FLOAT32}, {0}};
static const oq_attr_spec attrs[] = {{"axis", OQ_ATTR_INT, true}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "Y_scale:TF, Y_zero_point:T8, inputs+~:TV -> Y:T8",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run},
};
OQ_MICROSOFT_OP(QLinearConcat, versions);
