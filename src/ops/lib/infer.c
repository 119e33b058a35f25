// Helpers of shape inference: inputs, outputs and rules that all operator families share.
#include "ops/lib/infer.h"

#include <string.h>

const oq_type *oq_infer_in(const oq_infer_context *context, size_t i) {
    if (i >= context->input_count || !context->in[i] || context->in[i]->kind != OQ_TYPE_TENSOR) return NULL;
    return context->in[i];
}

oq_dtype oq_infer_dtype(const oq_infer_context *context, size_t i) {
    const oq_type *type = oq_infer_in(context, i);
    return type ? type->dtype : ONNXQ_UNDEFINED;
}

int oq_infer_rank(const oq_infer_context *context, size_t i) {
    const oq_type *type = oq_infer_in(context, i);
    return type ? type->rank : -1;
}

oq_dim oq_infer_dim(const oq_infer_context *context, size_t i, int axis) {
    const oq_type *type = oq_infer_in(context, i);
    return type && axis >= 0 && axis < type->rank ? type->dim[axis] : OQ_DIM_ANONYMOUS;
}

const oq_dim *oq_infer_elements(const oq_infer_context *context, size_t i, size_t *count) {
    *count = 0;
    if (i >= context->input_count || !context->in_dims || !context->in_dims[i]) return NULL;
    *count = context->in_dims_count[i];
    return context->in_dims[i];
}

bool oq_infer_ints(const oq_infer_context *context, size_t i, int64_t *values, size_t capacity,
                   size_t *count) {
    size_t n;
    const oq_dim *elements = oq_infer_elements(context, i, &n);
    if (!elements || n > capacity) return false;
    for (size_t k = 0; k < n; ++k)
        if (!oq_dim_is_number(elements[k], &values[k])) return false;
    *count = n;
    return true;
}

bool oq_infer_int(const oq_infer_context *context, size_t i, int64_t *value) {
    size_t n;
    return oq_infer_ints(context, i, value, 1, &n) && n == 1;
}

int64_t oq_infer_length(const oq_infer_context *context, size_t i) {
    const oq_dim dim = oq_infer_dim(context, i, 0);
    return oq_infer_rank(context, i) == 1 && oq_dim_known(dim) ? dim.size : -1;
}

void oq_infer_set(oq_infer_context *context, size_t out, oq_dtype dtype, int rank, const oq_dim *dims) {
    if (out < context->output_count) context->out[out] = oq_type_tensor(dtype, rank, dims);
}

void oq_infer_set_type(oq_infer_context *context, size_t out, const oq_type *type) {
    if (out < context->output_count) context->out[out] = *type;
}

void oq_infer_set_dtype(oq_infer_context *context, size_t out, oq_dtype dtype) {
    oq_infer_set(context, out, dtype, -1, NULL);
}

void oq_infer_same(oq_infer_context *context, size_t out, size_t from) {
    if (out >= context->output_count || from >= context->input_count || !context->in[from]) return;
    context->out[out] = *context->in[from];
    // Elements in the arena live as long as the model, so both values may share them.
    if (context->out_dims && context->in_dims && context->in_dims[from]) {
        context->out_dims[out] = (oq_dim *)(uintptr_t)context->in_dims[from];
        context->out_dims_count[out] = context->in_dims_count[from];
    }
}

oq_status oq_infer_set_elements(oq_infer_context *context, size_t out, const oq_dim *elements, size_t count,
                                oq_error *err) {
    if (out >= context->output_count || !context->out_dims || count > OQ_INFER_MAX_DIMS) return ONNXQ_OK;
    oq_dim *kept = oq_arena_alloc(&context->model->arena, (count ? count : 1) * sizeof *kept, err);
    if (!kept) return ONNXQ_NO_MEMORY;
    if (count) memcpy(kept, elements, count * sizeof *kept);
    context->out_dims[out] = kept;
    context->out_dims_count[out] = count;
    return ONNXQ_OK;
}

oq_status oq_infer_axis(const oq_infer_context *context, int64_t axis, int rank, int *out, oq_error *err) {
    if (oq_axis_normalize(axis, rank, out)) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "axis %lld of %s is out of range for rank %d", (long long)axis,
                   context->node->op_type, rank);
}

oq_status oq_infer_broadcast_dim(const oq_infer_context *context, oq_dim a, oq_dim b, oq_dim *out,
                                 oq_error *err) {
    const bool known = oq_dim_known(a) && oq_dim_known(b);
    if (known && a.size != b.size && a.size != 1 && b.size != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "sizes %lld and %lld of the inputs of %s do not broadcast",
                       (long long)a.size, (long long)b.size, context->node->op_type);
    if (oq_dim_same(a, b) || (oq_dim_known(b) && b.size == 1))
        *out = a;
    else if (oq_dim_known(a) && a.size == 1)
        *out = b;
    else if (oq_dim_known(a)) // the other one must be this size or 1
        *out = a;
    else if (oq_dim_known(b))
        *out = b;
    else
        *out = OQ_DIM_ANONYMOUS;
    return ONNXQ_OK;
}

oq_status oq_infer_broadcast(oq_infer_context *context, size_t first, size_t end, oq_dtype dtype,
                             oq_error *err) {
    int rank = 0;
    for (size_t i = first; i < end && i < context->input_count; ++i) {
        if (!oq_infer_given(context, i)) continue;
        const int r = oq_infer_rank(context, i);
        if (r < 0) {
            oq_infer_set_dtype(context, 0, dtype);
            return ONNXQ_OK;
        }
        if (r > rank) rank = r;
    }
    oq_dim dims[OQ_MAX_RANK];
    for (int d = 0; d < rank; ++d) dims[d] = oq_dim_of(1);
    for (size_t i = first; i < end && i < context->input_count; ++i) {
        const oq_type *type = oq_infer_in(context, i);
        if (!type) continue;
        for (int d = 0; d < type->rank; ++d) {
            oq_dim *into = &dims[rank - type->rank + d];
            OQ_TRY(oq_infer_broadcast_dim(context, *into, type->dim[d], into, err));
        }
    }
    oq_infer_set(context, 0, dtype, rank, dims);
    return ONNXQ_OK;
}

oq_status oq_infer_dtype_attr(const oq_infer_context *context, const char *name, oq_dtype otherwise,
                              oq_dtype *out, oq_error *err) {
    const oq_attr *attr = oq_node_attr(context->node, name);
    *out = otherwise;
    if (!attr || attr->kind != OQ_ATTR_INT) return ONNXQ_OK;
    if (attr->i <= ONNXQ_UNDEFINED || attr->i >= ONNXQ_DTYPE_COUNT)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "attribute '%s' of %s names data type %lld, which does not exist", name,
                       context->node->op_type, (long long)attr->i);
    *out = (oq_dtype)attr->i;
    return ONNXQ_OK;
}

oq_status oq_infer_unary(oq_infer_context *context, oq_error *err) {
    (void)err;
    if (context->input_count && context->in[0]) oq_infer_set_type(context, 0, context->in[0]);
    return ONNXQ_OK;
}

oq_status oq_infer_binary(oq_infer_context *context, oq_error *err) {
    return oq_infer_broadcast(context, 0, context->input_count, oq_infer_dtype(context, 0), err);
}

oq_status oq_infer_some(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    const oq_attr *attr = oq_node_attr(context->node, "axis");
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), attr ? -1 : 1, NULL);
    if (!attr || !in || in->rank < 0) return ONNXQ_OK;
    oq_type out = *in;
    int axis;
    OQ_TRY(oq_infer_axis(context, attr->i, in->rank, &axis, err));
    out.dim[axis] = OQ_DIM_ANONYMOUS;
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

oq_status oq_infer_compare(oq_infer_context *context, oq_error *err) {
    return oq_infer_broadcast(context, 0, context->input_count, ONNXQ_BOOL, err);
}

oq_status oq_infer_elements_binary(oq_infer_context *context, oq_dim (*f)(oq_dim a, oq_dim b),
                                   oq_error *err) {
    size_t na, nb;
    const oq_dim *a = oq_infer_elements(context, 0, &na), *b = oq_infer_elements(context, 1, &nb);
    if (!a || !b || (na != nb && na != 1 && nb != 1)) return ONNXQ_OK;
    const size_t n = !na || !nb ? 0 : na > nb ? na : nb;
    if (n > OQ_INFER_MAX_DIMS) return ONNXQ_OK;
    oq_dim result[OQ_INFER_MAX_DIMS];
    for (size_t k = 0; k < n; ++k) result[k] = f(a[na == 1 ? 0 : k], b[nb == 1 ? 0 : k]);
    return oq_infer_set_elements(context, 0, result, n, err);
}
