// Reshape: the same elements under another shape, one size of which may be left to the count.
#include "ops/lib/upgrade.h"
#include "ops/lib/view.h"

// Where the numbers of the target shape have their meaning: 0 copies the input's size, -1 is what remains.
static oq_status target_shape(const oq_run_context *context, const oq_shape *from, const int64_t *target,
                              size_t count, oq_shape *to, oq_error *err) {
    const bool allow_zero = oq_node_int(context->node, "allowzero", 0) != 0;
    if (count > OQ_MAX_RANK)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "Reshape to rank %zu, at most %d are supported", count,
                       OQ_MAX_RANK);
    *to = (oq_shape){.rank = (int)count};
    int open = -1;
    for (int d = 0; d < to->rank; ++d) {
        to->dim[d] = target[d];
        if (target[d] == 0 && !allow_zero) {
            if (d >= from->rank)
                return oq_fail(err, ONNXQ_BAD_MODEL, "Reshape copies size %d of an input of rank %d", d,
                               from->rank);
            to->dim[d] = from->dim[d];
        } else if (target[d] == -1) {
            if (open >= 0) return oq_fail(err, ONNXQ_BAD_MODEL, "Reshape has more than one size -1");
            open = d;
            to->dim[d] = 1;
        } else if (target[d] < 0) {
            return oq_fail(err, ONNXQ_BAD_MODEL, "Reshape to size %lld", (long long)target[d]);
        }
    }
    OQ_TRY(oq_shape_check(to, 1, NULL, err));
    if (open < 0) return ONNXQ_OK;
    const int64_t rest = oq_shape_count(to), total = oq_shape_count(from);
    if (rest ? total % rest : total != 0) {
        char text[128];
        return oq_fail(err, ONNXQ_BAD_MODEL, "Reshape cannot divide the %lld elements of %s by %lld",
                       (long long)total, oq_shape_format(from, text, sizeof text), (long long)rest);
    }
    to->dim[open] = rest ? total / rest : 0;
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    const int64_t *target;
    size_t count;
    oq_shape shape;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_list_input_or_attr(context, 1, "shape", &target, &count, err));
    OQ_TRY(target_shape(context, &data->shape, target, count, &shape, err));
    return oq_out_view(context, 0, data, &shape, err);
}

// What remains for the -1: sizes that occur on both sides cancel (but 0, which tells nothing), the rest must
// be numbers but for one symbol.
static oq_dim remaining(const oq_type *in, const oq_dim *target, int rank, int open) {
    bool used[OQ_MAX_RANK] = {false};
    oq_dim left[OQ_MAX_RANK], taken[OQ_MAX_RANK];
    size_t left_count = 0, taken_count = 0;
    for (int d = 0; d < rank; ++d) {
        if (d == open) continue;
        int match = -1;
        for (int k = 0; k < in->rank && match < 0; ++k)
            if (!used[k] && target[d].size != 0 && oq_dim_same(in->dim[k], target[d])) match = k;
        if (match >= 0)
            used[match] = true;
        else
            taken[taken_count++] = target[d];
    }
    for (int k = 0; k < in->rank; ++k)
        if (!used[k]) left[left_count++] = in->dim[k];
    int64_t divisor;
    if (!oq_dim_is_number(oq_dims_product(taken, taken_count), &divisor)) return OQ_DIM_ANONYMOUS;
    return oq_dim_divide(oq_dims_product(left, left_count), divisor);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    const oq_dtype dtype = oq_infer_dtype(context, 0);
    const bool allow_zero = oq_node_int(context->node, "allowzero", 0) != 0;
    size_t count = 0;
    oq_dim dims[OQ_MAX_RANK];
    const oq_dim *elements = oq_infer_elements(context, 1, &count);
    int64_t values[OQ_INFER_MAX_DIMS];
    if (!oq_infer_given(context, 1)) {
        if (oq_infer_list(context, SIZE_MAX, "shape", values, &count) != OQ_LIST_KNOWN) return ONNXQ_OK;
    } else if (!elements) {
        const int64_t length = oq_infer_length(context, 1);
        oq_infer_set(context, 0, dtype, length >= 0 && length <= OQ_MAX_RANK ? (int)length : -1, NULL);
        return ONNXQ_OK;
    }
    if (count > OQ_MAX_RANK) return oq_fail(err, ONNXQ_UNSUPPORTED, "Reshape to rank %zu", count);
    int open = -1;
    for (int d = 0; d < (int)count; ++d) {
        dims[d] = elements ? elements[d] : oq_dim_number(values[d]);
        int64_t value;
        if (!oq_dim_is_number(dims[d], &value)) continue;
        if (value == 0 && !allow_zero) dims[d] = oq_infer_dim(context, 0, d);
        if (value == -1 && open >= 0)
            return oq_fail(err, ONNXQ_BAD_MODEL, "Reshape has more than one size -1");
        if (value == -1) open = d;
        if (value < -1) return oq_fail(err, ONNXQ_BAD_MODEL, "Reshape to size %lld", (long long)value);
    }
    if (open >= 0) {
        dims[open] = OQ_DIM_ANONYMOUS;
        if (in && in->rank >= 0) dims[open] = remaining(in, dims, (int)count, open);
    }
    oq_infer_set(context, 0, dtype, (int)count, dims);
    oq_infer_pass_elements(context);
    return ONNXQ_OK;
}

static oq_status upgrade_5(oq_upgrade_context *context, oq_error *err) {
    oq_node_remove_attr(context->node, "consumed_inputs");
    return oq_upgrade_ints(context, "shape", 1, err);
}

#define VERSION(SINCE, SET, ...)                                                                             \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, shape:int64 -> reshaped:T", .types = OQ_TYPES({"T", SET}),     \
        .infer = infer, .run = run, __VA_ARGS__                                                              \
    }
#define ALLOW_ZERO .attrs = OQ_ATTRS({"allowzero", OQ_ATTR_INT, false})

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "data:T -> reshaped:T",
     .types = OQ_TYPES({"T", OQ_T_FLOATS3}),
     .attrs = OQ_ATTRS({"consumed_inputs", OQ_ATTR_INTS, false}, {"shape", OQ_ATTR_INTS, false}),
     .infer = infer,
     .run = run},
    VERSION(5, OQ_T_ALL1, .upgrade = upgrade_5),
    VERSION(13, OQ_T_ALL13, .attrs = NULL),
    VERSION(14, OQ_T_ALL13, ALLOW_ZERO),
    VERSION(19, OQ_T_ALL19, ALLOW_ZERO),
    VERSION(21, OQ_T_ALL21, ALLOW_ZERO),
    VERSION(23, OQ_T_ALL23, ALLOW_ZERO),
    VERSION(24, OQ_T_ALL24, ALLOW_ZERO),
    VERSION(25, OQ_T_ALL25, ALLOW_ZERO),
};

OQ_ONNX_OP(Reshape, versions);
