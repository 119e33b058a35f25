// Col2Im: overlapping blocks summed back into an image.
#include "ops/lib/columns.h"
#include "ops/lib/infer.h"

#include <string.h>

// Reads a vector of `count` sizes.
static oq_status read_sizes(const oq_tensor *tensor, const char *what, int64_t count, int64_t *out,
                            oq_error *err) {
    if (oq_tensor_count(tensor) != count || count < 1 || count > OQ_WINDOW_MAX) {
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "image_shape and block_shape of Col2Im must have one size for each axis");
    }
    for (int64_t i = 0; i < count; i++) {
        out[i] = oq_tensor_get_i64(tensor, i);
        if (out[i] < 1)
            return oq_fail(err, ONNXQ_BAD_MODEL, "%s of Col2Im holds %lld", what, (long long)out[i]);
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_tensor *image_shape = oq_in(context, 1);
    const int64_t axes = oq_tensor_count(image_shape);
    int64_t image[OQ_WINDOW_MAX];
    int64_t block[OQ_WINDOW_MAX];
    oq_window window;
    if (oq_work_of(x->dtype) == OQ_WORK_NONE) return oq_no_loop(context, x->dtype, err);
    OQ_TRY(read_sizes(image_shape, "image_shape", axes, image, err));
    OQ_TRY(read_sizes(oq_in(context, 2), "block_shape", axes, block, err));
    OQ_TRY(oq_window_read(context->node, (int)axes, block, &window, err));
    OQ_TRY(oq_window_place(&window, image, err));
    const int64_t cells = oq_window_cells(&window);
    if (x->shape.rank != 3 || x->shape.dim[1] % cells != 0 ||
        x->shape.dim[2] != (int64_t)oq_window_out_plane(&window)) {
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "the input of Col2Im does not hold the %zu blocks of %lld elements",
                       oq_window_out_plane(&window), (long long)cells);
    }
    oq_shape shape = {.rank = (int)axes + 2, .dim = {x->shape.dim[0], x->shape.dim[1] / cells}};
    for (int64_t i = 0; i < axes; i++) shape.dim[2 + i] = image[i];
    const oq_work_type work = oq_work_of(x->dtype) == OQ_WORK_F32 ? OQ_WORK_F32 : OQ_WORK_F64;
    const void *values = NULL;
    oq_array_target y;
    OQ_TRY(oq_array_in(context, x, work, &values, err));
    OQ_TRY(oq_array_out(context, 0, x->dtype, &shape, work, &y, err));
    memset(y.data, 0, (size_t)oq_shape_count(&shape) * oq_work_bytes(work));
    oq_columns_to_image(&window, work, (size_t)(shape.dim[0] * shape.dim[1]), values, y.data);
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    int64_t image[OQ_WINDOW_MAX];
    int64_t block[OQ_WINDOW_MAX];
    size_t axes = 0;
    size_t count = 0;
    (void)err;
    oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
    const bool sized = oq_infer_ints(context, 1, image, OQ_WINDOW_MAX, &axes);
    const int64_t length = oq_infer_length(context, 1);
    if (!sized) axes = length > 0 && length <= OQ_WINDOW_MAX ? (size_t)length : 0;
    if (!axes) return ONNXQ_OK;
    oq_dim dims[OQ_MAX_RANK] = {oq_infer_dim(context, 0, 0), OQ_DIM_ANONYMOUS};
    int64_t cells = 1;
    bool known = oq_infer_ints(context, 2, block, OQ_WINDOW_MAX, &count) && count == axes;
    for (size_t i = 0; i < axes; i++) {
        dims[2 + i] = sized ? oq_dim_as_size(oq_dim_number(image[i])) : OQ_DIM_ANONYMOUS;
        known = known && block[i] > 0 && oq_mul_i64(cells, block[i], &cells);
    }
    if (known && oq_infer_rank(context, 0) == 3) dims[1] = oq_dim_divide(oq_infer_dim(context, 0, 1), cells);
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), (int)axes + 2, dims);
    return ONNXQ_OK;
}

static const oq_type_set types[] = {{"T", OQ_T_ALL13}, {0}};
static const oq_attr_spec attrs[] = {
    {"dilations", OQ_ATTR_INTS, false}, {"pads", OQ_ATTR_INTS, false}, {"strides", OQ_ATTR_INTS, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 18,
     .signature = "input:T, image_shape:int64, block_shape:int64 -> output:T",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run},
};
OQ_ONNX_OP(Col2Im, versions);
