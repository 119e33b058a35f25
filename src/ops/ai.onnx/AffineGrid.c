// AffineGrid: the positions that GridSample reads for an affine transformation of an image.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"

// Coordinate of element i of n in [-1, 1]: of its centre, or with the corners at -1 and 1.
static double coordinate(int64_t i, int64_t n, bool align_corners) {
    if (!align_corners) return (2 * (double)i + 1) / (double)n - 1;
    return n > 1 ? -1 + 2 * (double)i / (double)(n - 1) : -1;
}

static oq_status read_sizes(const oq_tensor *theta, const oq_tensor *size, int64_t *sizes, int *axes,
                            oq_error *err) {
    const int64_t count = oq_tensor_count(size);
    *axes = (int)count - 2;
    const oq_shape needed = OQ_SHAPE(theta->shape.rank ? theta->shape.dim[0] : 0, count - 2, count - 1);
    if ((count != 4 && count != 5) || !oq_shape_equal(&theta->shape, &needed)) {
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "AffineGrid needs size of 4 or 5 numbers and theta of shape [N,2,3] or [N,3,4] with it");
    }
    for (int i = 0; i < *axes; i++) {
        sizes[i] = oq_tensor_get_i64(size, 2 + i);
        if (sizes[i] < 0) return oq_fail(err, ONNXQ_BAD_MODEL, "size of AffineGrid holds a negative number");
    }
    if (oq_tensor_get_i64(size, 0) != theta->shape.dim[0]) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "size and theta of AffineGrid have different batches");
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *theta = oq_in(context, 0);
    const bool align_corners = oq_node_int(context->node, "align_corners", 0) != 0;
    int64_t sizes[3] = {0};
    int axes = 0;
    OQ_TRY(read_sizes(theta, oq_in(context, 1), sizes, &axes, err));
    oq_shape shape = {.rank = axes + 2, .dim = {theta->shape.dim[0]}};
    for (int i = 0; i < axes; i++) shape.dim[1 + i] = sizes[i];
    shape.dim[axes + 1] = axes;
    const void *values = NULL;
    oq_array_target y;
    OQ_TRY(oq_array_in(context, theta, OQ_WORK_F64, &values, err));
    OQ_TRY(oq_array_out(context, 0, theta->dtype, &shape, OQ_WORK_F64, &y, err));
    const int64_t places = oq_shape_range_count(&shape, 1, axes + 1);
    for (int64_t i = 0; i < shape.dim[0] * places; i++) {
        const double *matrix = (const double *)values + i / places * axes * (axes + 1);
        double *to = (double *)y.data + i * axes;
        double at[3]; // x, y, z: from the last axis to the first
        int64_t rest = i % places;
        for (int k = 0; k < axes; k++) {
            const int64_t n = sizes[axes - 1 - k];
            at[k] = coordinate(rest % n, n, align_corners);
            rest /= n;
        }
        for (int row = 0; row < axes; row++) {
            to[row] = matrix[row * (axes + 1) + axes];
            for (int k = 0; k < axes; k++) to[row] += matrix[row * (axes + 1) + k] * at[k];
        }
    }
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    size_t count = 0;
    const oq_dim *size = oq_infer_elements(context, 1, &count);
    (void)err;
    oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
    if (!size && oq_infer_length(context, 1) > 0) count = (size_t)oq_infer_length(context, 1);
    if (count != 4 && count != 5) return ONNXQ_OK;
    oq_dim dims[5] = {size ? oq_dim_as_size(size[0]) : OQ_DIM_ANONYMOUS};
    for (size_t i = 2; i < count; i++) dims[i - 1] = size ? oq_dim_as_size(size[i]) : OQ_DIM_ANONYMOUS;
    dims[count - 1] = oq_dim_of((int64_t)count - 2);
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), (int)count, dims);
    return ONNXQ_OK;
}

static const oq_type_set types[] = {{"T1", OQ_T_FLOATS4}, {"T2", OQ_T(INT64)}, {0}};
static const oq_attr_spec attrs[] = {{"align_corners", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 20,
     .signature = "theta:T1, size:T2 -> grid:T1",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run},
};
OQ_ONNX_OP(AffineGrid, versions);
