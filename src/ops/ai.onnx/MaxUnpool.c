// MaxUnpool: pooled values back to where MaxPool found them, zeros elsewhere.
#include "ops/lib/infer.h"
#include "ops/lib/window.h"
#include "ops/lib/work.h"

#include <string.h>

// Size before pooling along each spatial axis.
static oq_status sizes(const oq_node *node, const oq_shape *x, oq_shape *out, oq_error *err) {
    oq_window w;
    OQ_TRY(oq_window_read(node, x->rank - 2, NULL, &w, err));
    *out = *x;
    for (int i = 0; i < w.spatial; i++) {
        int64_t size = 0;
        const bool fits =
            oq_mul_i64(x->dim[2 + i] - 1, w.stride[i], &size) && oq_add_i64(size, w.kernel[i], &size);
        size -= w.pad_begin[i] + w.pad_end[i];
        if (!fits || size < 0)
            return oq_fail(err, ONNXQ_BAD_MODEL, "pads are larger than the unpooled image");
        out->dim[2 + i] = size;
    }
    return oq_shape_check(out, 8, NULL, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    if (!x) return ONNXQ_OK;
    oq_type out = oq_type_tensor(x->dtype, x->rank, NULL);
    oq_shape shape;
    size_t count = 0;
    const oq_dim *asked = oq_infer_elements(context, 2, &count);
    if (oq_infer_given(context, 2)) {
        if (asked && x->rank >= 0 && (int)count == x->rank) {
            for (int i = 0; i < x->rank; i++) out.dim[i] = oq_dim_as_size(asked[i]);
        }
    } else if (x->rank >= 3 && !oq_type_static(x, &shape)) {
        for (int i = 0; i < 2; i++) out.dim[i] = x->dim[i]; // images and channels stay
    } else if (x->rank >= 3) {
        OQ_TRY(sizes(context->node, &shape, &shape, err));
        for (int i = 0; i < x->rank; i++) out.dim[i] = oq_dim_of(shape.dim[i]);
    }
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

// Indices count in the image that the attributes give; with an explicit output_shape that is larger, the
// positions keep their coordinates.
static oq_status scatter(const oq_tensor *x, const int64_t *indices, const oq_shape *image, oq_tensor *y,
                         oq_error *err) {
    const size_t size = oq_dtype_bytes(x->dtype);
    const int64_t limit = oq_shape_count(image);
    int64_t strides[OQ_MAX_RANK];
    oq_shape_strides(&y->shape, strides);
    for (int64_t i = 0; i < oq_tensor_count(x); i++) {
        int64_t rest = indices[i];
        int64_t offset = 0;
        bool inside = rest >= 0 && rest < limit;
        for (int axis = image->rank - 1; axis >= 0 && inside; axis--) {
            const int64_t at = rest % image->dim[axis];
            inside = at < y->shape.dim[axis];
            offset += at * strides[axis];
            rest /= image->dim[axis];
        }
        if (!inside) {
            return oq_fail(err, ONNXQ_BAD_DATA, "index %lld lies outside the unpooled image",
                           (long long)indices[i]);
        }
        memcpy(oq_at_mutable(y->data, (size_t)offset, size), oq_at(x->data, (size_t)i, size), size);
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_tensor *indices = oq_in(context, 1);
    const oq_tensor *asked = oq_in(context, 2);
    oq_shape image;
    if (x->shape.rank < 3 || !oq_shape_equal(&x->shape, &indices->shape)) {
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "MaxUnpool needs values and indices of one shape of rank 3 or more");
    }
    OQ_TRY(sizes(context->node, &x->shape, &image, err));
    oq_shape shape = image;
    if (asked && oq_tensor_count(asked) != x->shape.rank) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "output_shape has %lld numbers, not %d",
                       (long long)oq_tensor_count(asked), x->shape.rank);
    }
    for (int i = 0; asked && i < shape.rank; i++) {
        shape.dim[i] = oq_tensor_get_i64(asked, i);
        if (shape.dim[i] < 0) return oq_fail(err, ONNXQ_BAD_MODEL, "output_shape holds a negative size");
    }
    oq_tensor *y = NULL;
    OQ_TRY(oq_out(context, 0, x->dtype, &shape, &y, err));
    memset(y->data, 0, oq_tensor_bytes(y));
    return scatter(x, indices->data, &image, y, err);
}

static const oq_type_set types_9[] = {{"T1", OQ_T_FLOATS3}, {"T2", OQ_T(INT64)}, {0}};
static const oq_type_set types_22[] = {{"T1", OQ_T_FLOATS4}, {"T2", OQ_T(INT64)}, {0}};
static const oq_attr_spec attrs[] = {{"kernel_shape", OQ_ATTR_INTS, true},
                                     {"pads", OQ_ATTR_INTS, false},
                                     {"strides", OQ_ATTR_INTS, false},
                                     {0}};

#define SIGNATURE "X:T1, I:T2, output_shape?:T2 -> output:T1"
#define RUNS      .signature = SIGNATURE, .attrs = attrs, .infer = infer, .run = run
static const oq_op_version versions[] = {
    {.since = 9, .types = types_9, RUNS},
    {.since = 11, .types = types_9, RUNS},
    {.since = 22, .types = types_22, RUNS},
};
OQ_ONNX_OP(MaxUnpool, versions);
