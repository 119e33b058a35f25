// QLinearGlobalAveragePool: the mean of each channel's 8-bit image, from exact sums.
#include "kernels/rows.h"
#include "ops/lib/axes.h"
#include "ops/lib/infer.h"
#include "ops/lib/qlinear.h"

#define LARGEST 0x800000 // elements of an image whose sum fits int32 for certain

enum { X, X_SCALE, X_ZERO, Y_SCALE, Y_ZERO };

// First spatial axis; the channels are before it, or last.
static int first_axis(const oq_node *node) { return oq_node_int(node, "channels_last", 0) ? 1 : 2; }

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, X);
    if (!x || x->rank < 0) return ONNXQ_OK;
    if (x->rank < 3)
        return oq_fail(err, ONNXQ_BAD_MODEL, "a global pool needs images and channels, not rank %d", x->rank);
    const int first = first_axis(context->node);
    oq_type out = *x;
    for (int i = 0; i < x->rank - 2; i++) out.dim[first + i] = oq_dim_of(1);
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

// sums[j] = sum over the axis of x[axis, j] - zero, j below `inner`.
static void sum_image(oq_dtype dtype, oq_axis_view view, const uint8_t *x, int32_t zero, int32_t *sums) {
    for (size_t j = 0; j < view.inner; j++) {
        const uint8_t *at = x + j;
        int32_t sum = 0;
        for (size_t i = 0; i < view.axis; i++) {
            const uint8_t q = at[i * view.inner];
            sum += dtype == ONNXQ_INT8 ? (int8_t)q : q;
        }
        sums[j] = sum - (int32_t)view.axis * zero;
    }
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    const int first = first_axis(context->node);
    const int rank = x->shape.rank;
    oq_qlinear in;
    oq_qlinear out;
    if (rank < 3)
        return oq_fail(err, ONNXQ_BAD_MODEL, "a global pool needs images and channels, not rank %d", rank);
    OQ_TRY(oq_qlinear_read(context, X_SCALE, X_ZERO, "X", &in, err));
    OQ_TRY(oq_qlinear_read(context, Y_SCALE, Y_ZERO, "Y", &out, err));
    const oq_axis_view view = {.outer = (size_t)oq_shape_range_count(&x->shape, 0, first),
                               .axis = (size_t)oq_shape_range_count(&x->shape, first, first + rank - 2),
                               .inner = (size_t)oq_shape_range_count(&x->shape, first + rank - 2, rank)};
    if (view.axis >= LARGEST)
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "QLinearGlobalAveragePool sums images of fewer than %d elements, not %zu: use float",
                       LARGEST, view.axis);
    oq_shape shape = x->shape;
    for (int i = 0; i < rank - 2; i++) shape.dim[first + i] = 1;
    oq_tensor *y = NULL;
    void *sums = NULL;
    OQ_TRY(oq_scratch_array(context, view.inner, sizeof(int32_t), &sums, err));
    OQ_TRY(oq_out(context, 0, x->dtype, &shape, &y, err));
    const float multiplier = in.scale / (out.scale * (float)view.axis);
    for (size_t i = 0; i < view.outer; i++) {
        const uint8_t *image = (const uint8_t *)x->data + i * view.axis * view.inner;
        sum_image(x->dtype, view, image, in.zero, sums);
        oq_rows_requantize_8(sums, &multiplier, 0, out.zero, x->dtype == ONNXQ_INT8,
                             (uint8_t *)y->data + i * view.inner, view.inner);
    }
    return ONNXQ_OK;
}

static const oq_type_set types[] = {{"T", OQ_QLINEAR_T8}, {0}};
static const oq_attr_spec attrs[] = {{"channels_last", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T, x_scale:float32, x_zero_point:T, y_scale:float32, y_zero_point:T -> Y:T",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run},
};
OQ_MICROSOFT_OP(QLinearGlobalAveragePool, versions);
