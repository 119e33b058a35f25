// Unique: the distinct elements, or slices along an axis, with first places, inverse and counts.
#include "ops/lib/lists.h"
#include "ops/lib/mover.h"
#include "ops/lib/order.h"
#include "ops/lib/pick.h"
#include "ops/lib/schema.h"

#include <string.h>

// Items are slices [outer, item, inner] of the keys; `width` keys make one element (2 for complex).
typedef struct items {
    const uint64_t *keys;
    int64_t outer, count, inner;
    int64_t *first; // [count] the first item equal to this one, set when grouped
} items;

static int compare(const items *t, int64_t a, int64_t b) {
    for (int64_t o = 0; o < t->outer; ++o) {
        const uint64_t *x = t->keys + (o * t->count + a) * t->inner,
                       *y = t->keys + (o * t->count + b) * t->inner;
        for (int64_t i = 0; i < t->inner; ++i)
            if (x[i] != y[i]) return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

static bool item_before(void *self, int64_t a, int64_t b) { return compare(self, a, b) < 0; }

static bool first_before(void *self, int64_t a, int64_t b) {
    (void)self;
    return a < b;
}

static bool string_before(void *self, int64_t a, int64_t b) {
    const oq_tensor *tensor = self;
    size_t na, nb;
    const char *x = oq_tensor_string(tensor, a, &na), *y = oq_tensor_string(tensor, b, &nb);
    const int order = memcmp(x, y, oq_min_size(na, nb));
    return order ? order < 0 : na < nb;
}

// The key of a string is its rank among all of them.
static oq_status string_keys(oq_run_context *context, const oq_tensor *data, uint64_t *keys, oq_error *err) {
    const int64_t count = oq_tensor_count(data);
    int64_t *ids = oq_scratch(context, ((size_t)count + 1) * sizeof *ids, err);
    int64_t *spare = oq_scratch(context, ((size_t)count + 1) * sizeof *spare, err);
    if (!ids || !spare) return ONNXQ_NO_MEMORY;
    for (int64_t i = 0; i < count; ++i) ids[i] = i;
    oq_order_sort(ids, spare, (size_t)count, string_before, (void *)(uintptr_t)data);
    uint64_t rank = 0;
    for (int64_t i = 0; i < count; ++i) {
        if (i && string_before((void *)(uintptr_t)data, ids[i - 1], ids[i])) ++rank;
        keys[ids[i]] = rank;
    }
    return ONNXQ_OK;
}

static oq_status make_keys(oq_run_context *context, const oq_tensor *data, items *t, oq_error *err) {
    const bool complex = data->dtype == ONNXQ_COMPLEX64 || data->dtype == ONNXQ_COMPLEX128;
    const size_t width = complex ? 2 : 1, count = (size_t)oq_tensor_count(data) * width;
    uint64_t *keys = oq_scratch(context, (count + 1) * sizeof *keys, err);
    if (!keys) return ONNXQ_NO_MEMORY;
    t->keys = keys;
    t->inner *= (int64_t)width;
    if (data->dtype == ONNXQ_STRING) return string_keys(context, data, keys, err);
    const oq_dtype part = !complex                         ? data->dtype
                          : data->dtype == ONNXQ_COMPLEX64 ? ONNXQ_FLOAT
                                                           : ONNXQ_DOUBLE;
    if (oq_work_of(part) == OQ_WORK_NONE) return oq_no_loop(context, data->dtype, err);
    oq_order_keys(part, data->data, keys, count);
    return ONNXQ_OK;
}

// Groups equal items: t->first of each item, and the first items of all groups in output order into `groups`.
static oq_status group(oq_run_context *context, items *t, bool sorted, int64_t *groups, int64_t *group_count,
                       oq_error *err) {
    const size_t bytes = ((size_t)t->count + 1) * sizeof(int64_t);
    int64_t *ids = oq_scratch(context, bytes, err), *spare = oq_scratch(context, bytes, err);
    t->first = oq_scratch(context, bytes, err);
    if (!ids || !spare || !t->first) return ONNXQ_NO_MEMORY;
    for (int64_t i = 0; i < t->count; ++i) ids[i] = i;
    oq_order_sort(ids, spare, (size_t)t->count, item_before, t);
    int64_t n = 0;
    for (int64_t i = 0; i < t->count; ++i) {
        // Stable order: the first of equal items is the one that comes first.
        if (!i || compare(t, ids[i - 1], ids[i])) groups[n++] = ids[i];
        t->first[ids[i]] = groups[n - 1];
    }
    if (!sorted) oq_order_sort(groups, spare, (size_t)n, first_before, NULL);
    *group_count = n;
    return ONNXQ_OK;
}

static oq_status list_out(oq_run_context *context, size_t out, int64_t count, int64_t **values,
                          oq_error *err) {
    const oq_shape shape = OQ_SHAPE(count);
    oq_tensor *tensor;
    OQ_TRY(oq_out(context, out, ONNXQ_INT64, &shape, &tensor, err));
    *values = tensor->data;
    return ONNXQ_OK;
}

static oq_status write_lists(oq_run_context *context, const items *t, const int64_t *groups, int64_t count,
                             oq_error *err) {
    int64_t *list, *place = oq_scratch(context, ((size_t)t->count + 1) * sizeof *place, err);
    if (!place) return ONNXQ_NO_MEMORY;
    for (int64_t g = 0; g < count; ++g) place[groups[g]] = g;
    if (oq_wanted(context, 1)) {
        OQ_TRY(list_out(context, 1, count, &list, err));
        if (count) memcpy(list, groups, (size_t)count * sizeof *list);
    }
    if (oq_wanted(context, 2)) {
        OQ_TRY(list_out(context, 2, t->count, &list, err));
        for (int64_t i = 0; i < t->count; ++i) list[i] = place[t->first[i]];
    }
    if (oq_wanted(context, 3)) {
        OQ_TRY(list_out(context, 3, count, &list, err));
        for (int64_t g = 0; g < count; ++g) list[g] = 0;
        for (int64_t i = 0; i < t->count; ++i) ++list[place[t->first[i]]];
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    OQ_TRY(oq_need(context, 0, &data, err));
    const oq_attr *attr = oq_node_attr(context->node, "axis");
    oq_shape shape = attr ? data->shape : OQ_SHAPE(oq_tensor_count(data));
    int axis = 0;
    if (attr) OQ_TRY(oq_axis(context, attr->i, shape.rank, &axis, err));
    const int64_t inner = oq_shape_range_count(&shape, axis + 1, shape.rank);
    items t = {.outer = oq_shape_range_count(&shape, 0, axis), .count = shape.dim[axis], .inner = inner};
    OQ_TRY(make_keys(context, data, &t, err));
    int64_t *groups = oq_scratch(context, ((size_t)t.count + 1) * sizeof *groups, err), count;
    if (!groups) return ONNXQ_NO_MEMORY;
    OQ_TRY(group(context, &t, oq_node_int(context->node, "sorted", 1) != 0, groups, &count, err));
    OQ_TRY(write_lists(context, &t, groups, count, err));
    shape.dim[axis] = count;
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, &data, 1, err));
    for (int64_t g = 0; g < count; ++g) groups[g] *= inner;
    for (int64_t o = 0; o < t.outer; ++o)
        oq_pick_runs(m.to + (size_t)(o * count * inner) * m.element,
                     m.from[0] + (size_t)(o * t.count * inner) * m.element, groups, (size_t)count,
                     (size_t)inner, m.element);
    return oq_mover_close(&m, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    for (size_t o = 1; o < context->output_count; ++o) oq_infer_set(context, o, ONNXQ_INT64, 1, NULL);
    return oq_infer_some(context, err);
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "X:T -> Y:T, indices?:int64, inverse_indices?:int64, counts?:int64",    \
        .types = OQ_TYPES({"T", SET}),                                                                       \
        .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}, {"sorted", OQ_ATTR_INT, false}), .infer = infer,     \
        .run = run                                                                                           \
    }

static const oq_op_version versions[] = {VERSION(11, OQ_T_ALL1), VERSION(28, OQ_T_ALL13)};

OQ_ONNX_OP(Unique, versions);
