// Sequences and optionals: values, positions, types.
#include "ops/lib/sequence.h"

#include "ops/lib/lists.h"
#include "ops/lib/move.h"

#include <string.h>

#define MAX_NESTING 8 // of containers in one another; files hold at most optional(sequence(tensor))

oq_status oq_need_sequence(const oq_run_context *context, size_t i, const oq_list **out, oq_error *err) {
    const oq_value *value = i < context->input_count ? context->in[i] : NULL;
    if (!value || value->kind != OQ_VALUE_SEQUENCE)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s needs a sequence as input %zu", context->node->op_type, i);
    *out = value->list;
    return ONNXQ_OK;
}

oq_status oq_position_input(oq_run_context *context, size_t i, int64_t count, bool end, int64_t otherwise,
                            int64_t *out, oq_error *err) {
    int64_t given;
    OQ_TRY(oq_int_input(context, i, otherwise, &given, err));
    *out = given < 0 ? given + count : given;
    if (*out >= 0 && *out < count + end) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_DATA, "position %lld of %s is outside a sequence of %lld", (long long)given,
                   context->node->op_type, (long long)count);
}

oq_status oq_out_sequence(oq_run_context *context, size_t out, const oq_value *const *items, size_t count,
                          oq_error *err) {
    oq_list *list = oq_list_new(context->mem, count, err);
    if (!list) return ONNXQ_NO_MEMORY;
    for (size_t k = 0; k < count; ++k) list->items[k] = oq_value_retain(items[k]);
    oq_out_take(context, out, (oq_value){.kind = OQ_VALUE_SEQUENCE, .list = list});
    return ONNXQ_OK;
}

static oq_status strings_part(oq_mem *mem, const oq_tensor *data, const oq_shape *shape,
                              const oq_shape *dropped, const int64_t *strides, int64_t offset, oq_tensor *out,
                              oq_error *err) {
    const size_t count = (size_t)oq_shape_count(shape), total = (size_t)oq_tensor_count(data);
    int64_t *all = oq_mem_calloc(mem, total + count + 1, sizeof *all, err);
    const char **texts = oq_mem_calloc(mem, count + 1, sizeof *texts, err);
    size_t *lengths = oq_mem_calloc(mem, count + 1, sizeof *lengths, err);
    oq_status status = all && texts && lengths ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK) {
        int64_t *taken = all + total;
        for (size_t i = 0; i < total; ++i) all[i] = (int64_t)i;
        oq_move_dense(taken, all + offset, strides, sizeof *all, shape->rank, shape->dim);
        for (size_t k = 0; k < count; ++k) texts[k] = oq_tensor_string(data, taken[k], &lengths[k]);
        status = oq_tensor_new_strings(mem, dropped, texts, lengths, out, err);
    }
    oq_mem_free(mem, all);
    oq_mem_free(mem, texts);
    oq_mem_free(mem, lengths);
    return status;
}

oq_status oq_tensor_part(oq_mem *mem, const oq_tensor *data, int axis, int64_t from, int64_t size,
                         bool squeeze, oq_tensor *out, oq_error *err) {
    int64_t strides[OQ_MAX_RANK];
    oq_shape shape = data->shape, dropped;
    oq_shape_strides(&data->shape, strides);
    shape.dim[axis] = size;
    dropped = shape;
    if (squeeze) {
        for (int d = axis; d < shape.rank - 1; ++d) dropped.dim[d] = shape.dim[d + 1];
        --dropped.rank;
    }
    const int64_t offset = from * strides[axis];
    if (data->dtype == ONNXQ_STRING)
        return strings_part(mem, data, &shape, &dropped, strides, offset, out, err);
    OQ_TRY(oq_tensor_new(mem, data->dtype, &dropped, out, err));
    const size_t element = oq_dtype_bytes(data->dtype);
    if (oq_shape_count(&shape))
        oq_move_dense(out->data, oq_at(data->data, (size_t)offset, element), strides, element, shape.rank,
                      shape.dim);
    return ONNXQ_OK;
}

static oq_status copy_elem(oq_infer_context *context, oq_type *type, const oq_type *elem, oq_error *err) {
    type->elem = oq_arena_memdup(&context->model->arena, elem, sizeof *elem, err);
    return type->elem ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static oq_status join(oq_infer_context *context, oq_type *type, const oq_type *other, int depth,
                      oq_error *err) {
    if (other->kind == OQ_TYPE_UNKNOWN || depth > MAX_NESTING) return ONNXQ_OK;
    if (type->kind == OQ_TYPE_UNKNOWN) {
        *type = *other;
        return ONNXQ_OK;
    }
    if (type->kind != other->kind || (type->dtype && other->dtype && type->dtype != other->dtype))
        return oq_fail(err, ONNXQ_BAD_MODEL, "values of different types meet in %s", context->node->op_type);
    if (!type->dtype) type->dtype = other->dtype;
    if (type->elem && other->elem) {
        oq_type elem = *type->elem;
        OQ_TRY(join(context, &elem, other->elem, depth + 1, err));
        return copy_elem(context, type, &elem, err);
    }
    if (type->kind != OQ_TYPE_TENSOR) return ONNXQ_OK;
    if (type->rank != other->rank) type->rank = -1;
    for (int d = 0; d < type->rank; ++d)
        if (!oq_dim_same(type->dim[d], other->dim[d])) type->dim[d] = OQ_DIM_ANONYMOUS;
    return ONNXQ_OK;
}

oq_status oq_infer_union(oq_infer_context *context, oq_type *type, const oq_type *other, oq_error *err) {
    return join(context, type, other, 0, err);
}

oq_status oq_infer_set_container(oq_infer_context *context, size_t out, oq_type_kind kind,
                                 const oq_type *elem, oq_error *err) {
    if (out >= context->output_count) return ONNXQ_OK;
    oq_type type = {.kind = kind};
    OQ_TRY(copy_elem(context, &type, elem, err));
    context->out[out] = type;
    return ONNXQ_OK;
}

static oq_status forget(oq_infer_context *context, oq_type *type, int depth, oq_error *err) {
    if (type->kind == OQ_TYPE_TENSOR) type->rank = -1;
    if (!type->elem || depth > MAX_NESTING) return ONNXQ_OK;
    oq_type elem = *type->elem;
    OQ_TRY(forget(context, &elem, depth + 1, err));
    return copy_elem(context, type, &elem, err);
}

oq_status oq_infer_shapeless(oq_infer_context *context, oq_type *type, oq_error *err) {
    return forget(context, type, 0, err);
}
