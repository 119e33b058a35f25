// Tensors of random numbers: what RandomNormal, RandomUniform and their Like forms share.
#include "ops/lib/random_fill.h"

#include "ops/lib/convert.h"

double oq_random_draw_uniform(oq_random *random, double low, double high) {
    return low + oq_random_uniform(random) * (high - low);
}

double oq_random_draw_normal(oq_random *random, double mean, double scale) {
    return mean + oq_random_normal(random) * scale;
}

oq_status oq_random_fill(oq_run_context *context, oq_dtype dtype, const oq_shape *shape, oq_random_draw draw,
                         double a, double b, oq_error *err) {
    oq_tensor *y;
    oq_random *random = oq_scratch(context, sizeof *random, err);
    if (!random) return ONNXQ_NO_MEMORY;
    if (!oq_dtype_info(dtype)->is_float) return oq_no_loop(context, dtype, err);
    OQ_TRY(oq_out(context, 0, dtype, shape, &y, err));
    oq_random_seed(random, oq_random_seed_of(context->node));
    const size_t count = (size_t)oq_shape_count(shape);
    double block[OQ_BLOCK];
    for (size_t at = 0; at < count; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, count - at);
        for (size_t i = 0; i < n; i++) block[i] = draw(random, a, b);
        oq_convert_block(ONNXQ_DOUBLE, block, dtype, oq_at_mutable(y->data, at, oq_dtype_bytes(dtype)), n,
                         &(oq_convert_options){.saturate = true});
    }
    return ONNXQ_OK;
}

static oq_status read_dtype(const oq_run_context *context, oq_dtype otherwise, oq_dtype *out, oq_error *err) {
    const int64_t given = oq_node_int(context->node, "dtype", otherwise);
    *out = (oq_dtype)given;
    if (given > 0 && given < ONNXQ_DTYPE_COUNT) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s: attribute dtype names no data type", context->node->op_type);
}

static oq_status read_shape(const oq_node *node, oq_shape *out, oq_error *err) {
    size_t count;
    const int64_t *dims = oq_node_ints(node, "shape", &count);
    bool fits = count <= OQ_MAX_RANK;
    for (size_t i = 0; fits && i < count; i++) fits = dims[i] >= 0;
    if (!fits) return oq_fail(err, ONNXQ_BAD_MODEL, "%s: attribute shape is no shape", node->op_type);
    *out = oq_shape_of((int)count, dims);
    return ONNXQ_OK;
}

oq_status oq_random_fill_shape(oq_run_context *context, oq_random_draw draw, double a, double b,
                               oq_error *err) {
    oq_shape shape = {0};
    oq_dtype dtype = ONNXQ_UNDEFINED;
    OQ_TRY(read_shape(context->node, &shape, err));
    OQ_TRY(read_dtype(context, ONNXQ_FLOAT, &dtype, err));
    return oq_random_fill(context, dtype, &shape, draw, a, b, err);
}

oq_status oq_random_fill_like(oq_run_context *context, oq_random_draw draw, double a, double b,
                              oq_error *err) {
    const oq_tensor *like;
    oq_dtype dtype = ONNXQ_UNDEFINED;
    OQ_TRY(oq_need(context, 0, &like, err));
    OQ_TRY(read_dtype(context, like->dtype, &dtype, err));
    return oq_random_fill(context, dtype, &like->shape, draw, a, b, err);
}

oq_status oq_infer_random_shape(oq_infer_context *context, oq_error *err) {
    oq_shape shape = {0};
    oq_dtype dtype = ONNXQ_UNDEFINED;
    oq_dim dims[OQ_MAX_RANK];
    OQ_TRY(read_shape(context->node, &shape, err));
    OQ_TRY(oq_infer_dtype_attr(context, "dtype", ONNXQ_FLOAT, &dtype, err));
    for (int i = 0; i < shape.rank; i++) dims[i] = oq_dim_of(shape.dim[i]);
    oq_infer_set(context, 0, dtype, shape.rank, dims);
    return ONNXQ_OK;
}

oq_status oq_infer_random_like(oq_infer_context *context, oq_error *err) {
    oq_dtype dtype = ONNXQ_UNDEFINED;
    OQ_TRY(oq_infer_dtype_attr(context, "dtype", oq_infer_dtype(context, 0), &dtype, err));
    oq_infer_set_dtype(context, 0, dtype);
    const oq_type *like = oq_infer_in(context, 0);
    if (like && like->rank >= 0) oq_infer_set(context, 0, dtype, like->rank, like->dim);
    return ONNXQ_OK;
}
