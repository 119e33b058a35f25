// DFT: Fourier transform of real or complex signals along one axis, and its inverse.
#include "ops/lib/dft.h"
#include "ops/lib/infer.h"

// What a node asks for, once axis and length are known. The last axis holds real and imaginary parts.
typedef struct request {
    int axis;
    size_t length, bins;
    bool inverse, onesided;
} request;

static oq_status read_axis(int64_t asked, int rank, int *axis, oq_error *err) {
    if (rank >= 2 && oq_axis_normalize(asked, rank, axis) && *axis != rank - 1) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "axis %lld of DFT is no signal axis of an input of rank %d",
                   (long long)asked, rank);
}

// `length` < 0: as the standard has it for a signal of `size`.
static oq_status finish(const oq_node *node, int64_t size, int64_t length, request *r, oq_error *err) {
    r->inverse = oq_node_int(node, "inverse", 0) != 0;
    r->onesided = oq_node_int(node, "onesided", 0) != 0;
    if (length < 0) length = r->inverse && r->onesided ? 2 * (size - 1) : size;
    if (length < 1 || length > INT32_MAX) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "a DFT of length %lld is not possible", (long long)length);
    }
    r->length = (size_t)length;
    r->bins = r->onesided && !r->inverse ? r->length / 2 + 1 : r->length;
    return ONNXQ_OK;
}

static oq_status run_axis(oq_run_context *context, int64_t asked, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_tensor *length = oq_in(context, 1);
    const int rank = x->shape.rank;
    request r = {0};
    oq_dft dft;
    OQ_TRY(read_axis(asked, rank, &r.axis, err));
    const int64_t size = x->shape.dim[r.axis];
    const int64_t parts = x->shape.dim[rank - 1];
    if (parts != 1 && parts != 2) return oq_fail(err, ONNXQ_BAD_MODEL, "the last axis of DFT must be 1 or 2");
    if (length && oq_tensor_count(length) != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "dft_length must be a scalar");
    OQ_TRY(finish(context->node, size, length ? oq_tensor_get_i64(length, 0) : -1, &r, err));
    const bool real_result = r.inverse && r.onesided;
    oq_shape shape = x->shape;
    shape.dim[r.axis] = (int64_t)r.bins;
    shape.dim[rank - 1] = real_result ? 1 : 2;
    const void *values = NULL;
    void *pairs = NULL;
    oq_array_target y;
    OQ_TRY(oq_array_in(context, x, OQ_WORK_F64, &values, err));
    OQ_TRY(oq_array_out(context, 0, x->dtype, &shape, OQ_WORK_F64, &y, err));
    OQ_TRY(oq_scratch_array(context, r.bins, 2 * sizeof(double), &pairs, err));
    OQ_TRY(oq_dft_plan(context, r.length, r.inverse, real_result, &dft, err));
    const size_t inner = (size_t)oq_shape_range_count(&x->shape, r.axis + 1, rank - 1);
    const size_t outer = (size_t)oq_shape_range_count(&x->shape, 0, r.axis);
    const size_t out_parts = real_result ? 1 : 2;
    for (size_t i = 0; i < outer * inner; i++) {
        const size_t from = (i / inner * (size_t)size * inner + i % inner) * (size_t)parts;
        const size_t to = (i / inner * r.bins * inner + i % inner) * out_parts;
        oq_dft_run(&dft, (const double *)values + from, (size_t)size, inner * (size_t)parts, parts == 2,
                   pairs, r.bins, 2);
        for (size_t k = 0; k < r.bins * out_parts; k++) {
            ((double *)y.data)[to + k / out_parts * inner * out_parts + k % out_parts] =
                ((const double *)pairs)[k / out_parts * 2 + k % out_parts];
        }
    }
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static oq_status run_17(oq_run_context *context, oq_error *err) {
    return run_axis(context, oq_node_int(context->node, "axis", 1), err);
}
static oq_status run_20(oq_run_context *context, oq_error *err) {
    const oq_tensor *axis = oq_in(context, 2);
    if (axis && oq_tensor_count(axis) != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "axis of DFT must be a scalar");
    return run_axis(context, axis ? oq_tensor_get_i64(axis, 0) : -2, err);
}

static oq_status infer_axis(oq_infer_context *context, int64_t asked, bool known, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    int64_t length = -1;
    request r = {0};
    if (!x) return ONNXQ_OK;
    oq_type out = *x;
    if (x->rank >= 0) {
        const bool real_result =
            oq_node_int(context->node, "inverse", 0) && oq_node_int(context->node, "onesided", 0);
        const bool given = oq_infer_given(context, 1);
        if (x->rank < 2) return oq_fail(err, ONNXQ_BAD_MODEL, "DFT needs an input of rank 2 or more");
        out.dim[x->rank - 1] = oq_dim_of(real_result ? 1 : 2);
        // Without a length all sizes stay, whichever the axis; half a spectrum is shorter along it.
        const bool stays = !given && !oq_node_int(context->node, "onesided", 0);
        for (int i = 0; i < x->rank - 1 && !known && !stays; i++) out.dim[i] = OQ_DIM_ANONYMOUS;
        if (known) {
            OQ_TRY(read_axis(asked, x->rank, &r.axis, err));
            const oq_dim size = x->dim[r.axis];
            const bool has_length = given && oq_infer_int(context, 1, &length);
            out.dim[r.axis] = OQ_DIM_ANONYMOUS;
            if (stays) {
                out.dim[r.axis] = size;
            } else if (has_length || (!given && oq_dim_known(size))) {
                OQ_TRY(finish(context->node, size.size, has_length ? length : -1, &r, err));
                out.dim[r.axis] = oq_dim_of((int64_t)r.bins);
            }
        }
    }
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

static oq_status infer_17(oq_infer_context *context, oq_error *err) {
    return infer_axis(context, oq_node_int(context->node, "axis", 1), true, err);
}
static oq_status infer_20(oq_infer_context *context, oq_error *err) {
    int64_t axis = -2;
    const bool known = !oq_infer_given(context, 2) || oq_infer_int(context, 2, &axis);
    return infer_axis(context, axis, known, err);
}

// The axis became an input.
static oq_status upgrade_20(oq_upgrade_context *context, oq_error *err) {
    oq_model *model = context->graph->model;
    const oq_shape scalar = {0};
    oq_tensor axis = {0};
    oq_value_id id = OQ_NONE;
    OQ_TRY(oq_tensor_new(model->mem, ONNXQ_INT64, &scalar, &axis, err));
    *(int64_t *)axis.data = oq_node_int(context->node, "axis", 1);
    OQ_TRY(oq_graph_add_initializer(context->graph, "dft_axis", axis, &id, err));
    oq_node_remove_attr(context->node, "axis");
    return oq_node_set_input(context->graph, context->node, 2, id, err);
}

static const oq_type_set types[] = {{"T1", OQ_T_FLOATS4}, {"T2", OQ_T_INDEX}, {0}};
static const oq_attr_spec attrs_17[] = {
    {"axis", OQ_ATTR_INT, false}, {"inverse", OQ_ATTR_INT, false}, {"onesided", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_20[] = {
    {"inverse", OQ_ATTR_INT, false}, {"onesided", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 17,
     .signature = "input:T1, dft_length?:T2 -> output:T1",
     .types = types,
     .attrs = attrs_17,
     .infer = infer_17,
     .run = run_17},
    {.since = 20,
     .signature = "input:T1, dft_length?:T2, axis?:int64 -> output:T1",
     .types = types,
     .attrs = attrs_20,
     .infer = infer_20,
     .run = run_20,
     .upgrade = upgrade_20},
};
OQ_ONNX_OP(DFT, versions);
