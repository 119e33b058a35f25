// Shape inference that the elementwise families share.
#include "ops/lib/elementwise.h"

static const oq_type *tensor_type(const oq_infer_context *context, size_t i) {
    const oq_type *type = i < context->input_count ? context->in[i] : NULL;
    return type && type->kind == OQ_TYPE_TENSOR ? type : NULL;
}

oq_status oq_infer_unary(oq_infer_context *context, oq_error *err) {
    (void)err;
    if (context->input_count && context->output_count && context->in[0]) context->out[0] = *context->in[0];
    return ONNXQ_OK;
}

oq_status oq_infer_test(oq_infer_context *context, oq_error *err) {
    OQ_TRY(oq_infer_unary(context, err));
    if (context->output_count && context->out[0].kind == OQ_TYPE_TENSOR) context->out[0].dtype = ONNXQ_BOOL;
    return ONNXQ_OK;
}

bool oq_dim_broadcast(oq_dim a, oq_dim b, oq_dim *out) {
    if (a.size == 1) {
        *out = b;
    } else if (b.size == 1 || oq_dim_same(a, b)) {
        *out = a;
    } else if (oq_dim_known(a) && oq_dim_known(b)) {
        return false;
    } else if (oq_dim_known(a) || oq_dim_known(b)) {
        *out = oq_dim_known(a) ? a : b; // the unknown one can only be 1 or the same
    } else {
        *out = OQ_DIM_ANONYMOUS;
    }
    return true;
}

// *into = *into broadcast with *other; rank -1 when either is unknown.
static oq_status join(const oq_infer_context *context, oq_type *into, const oq_type *other, oq_error *err) {
    if (into->rank < 0 || other->rank < 0) {
        into->rank = -1;
        return ONNXQ_OK;
    }
    const int rank = into->rank > other->rank ? into->rank : other->rank;
    oq_dim dims[OQ_MAX_RANK];
    for (int axis = 0; axis < rank; axis++) {
        const int i = axis - (rank - into->rank), j = axis - (rank - other->rank);
        const oq_dim a = i < 0 ? oq_dim_of(1) : into->dim[i], b = j < 0 ? oq_dim_of(1) : other->dim[j];
        if (!oq_dim_broadcast(a, b, &dims[axis]))
            return oq_fail(err, ONNXQ_BAD_MODEL, "%s: sizes %lld and %lld of axis %d do not broadcast",
                           context->node->op_type, (long long)a.size, (long long)b.size, axis);
    }
    into->rank = rank;
    for (int axis = 0; axis < rank; axis++) into->dim[axis] = dims[axis];
    return ONNXQ_OK;
}

oq_status oq_infer_broadcast(oq_infer_context *context, size_t first, oq_dtype dtype, oq_error *err) {
    if (!context->output_count) return ONNXQ_OK;
    oq_type type = oq_type_tensor(dtype, 0, NULL);
    for (size_t i = first; i < context->input_count; i++) {
        const oq_type *in = tensor_type(context, i);
        if (in)
            OQ_TRY(join(context, &type, in, err));
        else
            type.rank = -1;
    }
    context->out[0] = type;
    return ONNXQ_OK;
}

// The element type that the inputs have, as far as one of them is known.
static oq_dtype common_dtype(const oq_infer_context *context) {
    for (size_t i = 0; i < context->input_count; i++) {
        const oq_type *in = tensor_type(context, i);
        if (in && in->dtype != ONNXQ_UNDEFINED) return in->dtype;
    }
    return ONNXQ_UNDEFINED;
}

oq_status oq_infer_binary(oq_infer_context *context, oq_error *err) {
    if (context->opset < 7) return oq_infer_unary(context, err);
    const oq_type *in = tensor_type(context, 0);
    return oq_infer_broadcast(context, 0, in ? in->dtype : ONNXQ_UNDEFINED, err);
}

oq_status oq_infer_relation(oq_infer_context *context, oq_error *err) {
    if (context->opset < 7) return oq_infer_test(context, err);
    return oq_infer_broadcast(context, 0, ONNXQ_BOOL, err);
}

oq_status oq_infer_variadic(oq_infer_context *context, oq_error *err) {
    if (context->opset < 8) return oq_infer_unary(context, err);
    return oq_infer_broadcast(context, 0, common_dtype(context), err);
}

oq_status oq_infer_dims(oq_infer_context *context, oq_dim_rule rule, oq_error *err) {
    if (context->input_count < 2 || !context->output_count || !context->in_dims[0] || !context->in_dims[1])
        return ONNXQ_OK;
    const size_t a_count = context->in_dims_count[0], b_count = context->in_dims_count[1];
    if (a_count != b_count && a_count != 1 && b_count != 1) return ONNXQ_OK;
    const size_t count = a_count == 1 ? b_count : a_count;
    oq_dim *dims = oq_arena_calloc(&context->model->arena, count ? count : 1, sizeof *dims, err);
    if (!dims) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const oq_dim a = context->in_dims[0][a_count == 1 ? 0 : i];
        const oq_dim b = context->in_dims[1][b_count == 1 ? 0 : i];
        if (!rule(a, b, &dims[i])) dims[i] = OQ_DIM_ANONYMOUS;
    }
    context->out_dims[0] = dims;
    context->out_dims_count[0] = count;
    return ONNXQ_OK;
}

oq_status oq_infer_same_dims(oq_infer_context *context, oq_error *err) {
    if (!context->input_count || !context->output_count || !context->in_dims[0]) return ONNXQ_OK;
    const size_t count = context->in_dims_count[0];
    oq_dim *dims = oq_arena_calloc(&context->model->arena, count ? count : 1, sizeof *dims, err);
    if (!dims) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) dims[i] = context->in_dims[0][i];
    context->out_dims[0] = dims;
    context->out_dims_count[0] = count;
    return ONNXQ_OK;
}

oq_status oq_infer_copy(oq_infer_context *context, oq_error *err) {
    OQ_TRY(oq_infer_unary(context, err));
    return oq_infer_same_dims(context, err);
}
