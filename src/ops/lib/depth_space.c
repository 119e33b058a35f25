// DepthToSpace and SpaceToDepth: blocks between channels and pixels.
#include "ops/lib/depth_space.h"

#include "ops/lib/mover.h"
#include "ops/lib/work.h"

#include <string.h>

static oq_status read_attrs(const oq_node *node, int64_t *block, bool *crd, oq_error *err) {
    const char *mode = oq_node_string(node, "mode", "DCR");
    *block = oq_node_int(node, "blocksize", 0);
    *crd = !strcmp(mode, "CRD");
    if (*block < 1 || *block > INT32_MAX)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s with blocksize %lld", node->op_type, (long long)*block);
    if (!*crd && strcmp(mode, "DCR") != 0)
        return oq_fail(err, ONNXQ_BAD_MODEL, "mode '%.64s' of %s is not known", mode, node->op_type);
    return ONNXQ_OK;
}

static oq_status no_fit(const oq_node *node, int64_t block, oq_error *err) {
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s needs an input of rank 4 that divides by blocksize %lld",
                   node->op_type, (long long)block);
}

static oq_status move(oq_run_context *context, const oq_tensor *data, const oq_shape *shape,
                      const int64_t sizes[6], const int64_t strides[6], oq_error *err) {
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, shape, &data, 1, err));
    oq_move_dense(m.to, m.from[0], strides, m.element, 6, sizes);
    return oq_mover_close(&m, err);
}

oq_status oq_run_depth_to_space(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    int64_t b;
    bool crd;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(read_attrs(context->node, &b, &crd, err));
    const int64_t *dim = data->shape.dim;
    if (data->shape.rank != 4 || dim[1] % (b * b)) return no_fit(context->node, b, err);
    const int64_t c = dim[1] / (b * b), h = dim[2], w = dim[3], plane = h * w;
    // Output axes [N, c, h, row, w, column]; the channel of the input is [row, column, c], or [c, row,
    // column].
    const int64_t row = crd ? b * plane : b * c * plane, column = crd ? plane : c * plane;
    const int64_t strides[6] = {dim[1] * plane, crd ? b * b * plane : plane, w, row, 1, column};
    const int64_t sizes[6] = {dim[0], c, h, b, w, b};
    oq_shape shape = OQ_SHAPE(dim[0], c, 0, 0);
    if (!oq_mul_i64(h, b, &shape.dim[2]) || !oq_mul_i64(w, b, &shape.dim[3]))
        return no_fit(context->node, b, err);
    return move(context, data, &shape, sizes, strides, err);
}

oq_status oq_run_space_to_depth(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    int64_t b;
    bool crd;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(read_attrs(context->node, &b, &crd, err));
    const int64_t *dim = data->shape.dim;
    if (data->shape.rank != 4 || dim[2] % b || dim[3] % b) return no_fit(context->node, b, err);
    const int64_t c = dim[1], h = dim[2] / b, w = dim[3] / b, line = dim[3];
    const int64_t channel = dim[2] * line;
    // The channel of the output is [row, column, c], or [c, row, column].
    const int64_t dcr_sizes[6] = {dim[0], b, b, c, h, w},
                  dcr[6] = {c * channel, line, 1, channel, b * line, b};
    const int64_t crd_sizes[6] = {dim[0], c, b, b, h, w},
                  crd_strides[6] = {c * channel, channel, line, 1, b * line, b};
    oq_shape shape = OQ_SHAPE(dim[0], 0, h, w);
    if (!oq_mul_i64(c, b * b, &shape.dim[1])) return no_fit(context->node, b, err);
    return move(context, data, &shape, crd ? crd_sizes : dcr_sizes, crd ? crd_strides : dcr, err);
}

static oq_status infer(oq_infer_context *context, bool to_space, oq_error *err) {
    int64_t b;
    bool crd;
    oq_dim dims[4];
    OQ_TRY(read_attrs(context->node, &b, &crd, err));
    const int rank = oq_infer_rank(context, 0);
    if (rank >= 0 && rank != 4) return no_fit(context->node, b, err);
    const oq_dim block = oq_dim_of(b);
    for (int d = 0; d < 4; ++d) {
        const oq_dim dim = oq_infer_dim(context, 0, d);
        const bool shrinks = to_space ? d == 1 : d > 1;
        const int64_t divisor = d == 1 ? b * b : b;
        if (d == 0)
            dims[d] = dim;
        else if (shrinks)
            dims[d] = oq_dim_divide(dim, divisor);
        else
            dims[d] = oq_dim_multiply(dim, d == 1 ? oq_dim_of(divisor) : block);
        if (shrinks && d && oq_dim_known(dim) && dim.size % divisor) return no_fit(context->node, b, err);
    }
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), 4, dims);
    return ONNXQ_OK;
}

oq_status oq_infer_depth_to_space(oq_infer_context *context, oq_error *err) {
    return infer(context, true, err);
}
oq_status oq_infer_space_to_depth(oq_infer_context *context, oq_error *err) {
    return infer(context, false, err);
}
