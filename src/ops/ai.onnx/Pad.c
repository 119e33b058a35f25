// Pad: borders around a tensor (constant, reflect, edge, wrap); negative pads cut.
#include "ops/lib/axis_map.h"
#include "ops/lib/lists.h"
#include "ops/lib/schema.h"
#include "ops/lib/upgrade.h"

#include <string.h>

typedef enum pad_mode { CONSTANT, REFLECT, EDGE, WRAP, MODES } pad_mode;

static oq_status read_mode(const oq_node *node, pad_mode *mode, oq_error *err) {
    static const char *const names[MODES] = {"constant", "reflect", "edge", "wrap"};
    const char *text = oq_node_string(node, "mode", "constant");
    for (int k = 0; k < MODES; ++k) {
        *mode = (pad_mode)k;
        if (!strcmp(text, names[k])) return ONNXQ_OK;
    }
    return oq_fail(err, ONNXQ_BAD_MODEL, "mode '%.64s' of Pad is not known", text);
}

// Pads of every axis, from a list for `axes` (or for all): first all begins, then all ends.
static oq_status spread(const int64_t *pads, size_t count, const int64_t *axes, size_t axis_count, int rank,
                        int64_t begin[OQ_MAX_RANK], int64_t end[OQ_MAX_RANK], oq_error *err) {
    int list[OQ_MAX_RANK];
    for (int d = 0; d < rank; ++d) begin[d] = end[d] = 0, list[d] = d;
    if (axes) OQ_TRY(oq_axes_list("Pad", axes, axis_count, rank, list, err));
    if (!axes) axis_count = (size_t)rank;
    if (count != 2 * axis_count)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Pad has %zu pads for %zu axes, twice as many are needed", count,
                       axis_count);
    for (size_t k = 0; k < axis_count; ++k) begin[list[k]] = pads[k], end[list[k]] = pads[axis_count + k];
    return ONNXQ_OK;
}

static oq_status padded(int64_t size, int64_t begin, int64_t end, int64_t *out, oq_error *err) {
    if (oq_add_i64(size, begin, out) && oq_add_i64(*out, end, out) && *out >= 0) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "Pad of %lld and %lld around size %lld", (long long)begin,
                   (long long)end, (long long)size);
}

// The source position, in 0..size-1, of position i relative to the first kept element, or -1.
static int64_t mapped(pad_mode mode, int64_t i, int64_t size) {
    if (i >= 0 && i < size) return i;
    if (mode == EDGE) return i < 0 ? 0 : size - 1;
    if (mode == CONSTANT) return -1;
    const int64_t period = mode == WRAP || size == 1 ? size : 2 * (size - 1);
    int64_t at = i % period;
    if (at < 0) at += period;
    return at < size ? at : period - at;
}

// What negative pads leave is the source of the others.
static oq_status axis_map(oq_run_context *context, pad_mode mode, int64_t size, int64_t begin, int64_t end,
                          int64_t out, const int64_t **map, oq_error *err) {
    const int64_t most = INT64_MAX / 4; // sums of three such numbers fit
    if (begin < -most || begin > most || end < -most || end > most)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Pad by more elements than a tensor can have");
    const int64_t first = begin < 0 ? -begin : 0, kept = size - first + (end < 0 ? end : 0);
    if (kept <= 0 && mode != CONSTANT && out > 0)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Pad has nothing to repeat on an axis of size %lld",
                       (long long)size);
    size_t bytes;
    if (!oq_mul_size((size_t)out, sizeof(int64_t), &bytes))
        return oq_fail(err, ONNXQ_NO_MEMORY, "Pad too large");
    int64_t *positions = oq_scratch(context, bytes, err);
    if (!positions) return ONNXQ_NO_MEMORY;
    const int64_t before = begin > 0 ? begin : 0;
    for (int64_t i = 0; i < out; ++i) {
        const int64_t at = kept > 0 ? mapped(mode, i - before, kept) : -1;
        positions[i] = at < 0 ? -1 : at + first;
    }
    *map = positions;
    return ONNXQ_OK;
}

static oq_status read_pads(oq_run_context *context, int rank, int64_t begin[OQ_MAX_RANK],
                           int64_t end[OQ_MAX_RANK], oq_error *err) {
    const int64_t *pads, *axes;
    size_t count, axis_count;
    const char *name = oq_node_attr(context->node, "paddings") ? "paddings" : "pads";
    OQ_TRY(oq_list_input_or_attr(context, 1, name, &pads, &count, err));
    OQ_TRY(oq_list_input(context, 3, &axes, &axis_count, err));
    return spread(pads, count, axes, axis_count, rank, begin, end, err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data, *value = oq_in(context, 2);
    pad_mode mode;
    int64_t begin[OQ_MAX_RANK], end[OQ_MAX_RANK];
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(read_mode(context->node, &mode, err));
    OQ_TRY(read_pads(context, data->shape.rank, begin, end, err));
    if (value && oq_tensor_count(value) != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "constant_value of Pad must be one number");
    oq_shape shape = data->shape;
    oq_axis_maps maps;
    for (int d = 0; d < shape.rank; ++d) {
        OQ_TRY(padded(data->shape.dim[d], begin[d], end[d], &shape.dim[d], err));
    }
    OQ_TRY(oq_shape_check(&shape, 1, NULL, err));
    for (int d = 0; d < shape.rank; ++d)
        OQ_TRY(
            axis_map(context, mode, data->shape.dim[d], begin[d], end[d], shape.dim[d], &maps.map[d], err));
    const oq_tensor *sources[2] = {data, value};
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, sources, value ? 2 : 1, err));
    unsigned char fill[16];
    memcpy(fill, value ? m.from[1] : m.zero, m.element);
    const float number = oq_node_float(context->node, "value", 0); // before opset 11
    if (number != 0 && !m.strings) oq_store_f32(data->dtype, &number, fill, 1);
    oq_move_mapped(&m, &maps, &data->shape, m.from[0], fill);
    return oq_mover_close(&m, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    pad_mode mode;
    OQ_TRY(read_mode(context->node, &mode, err));
    if (!in || in->rank < 0) return ONNXQ_OK;
    int64_t pads[OQ_INFER_MAX_DIMS], axes[OQ_INFER_MAX_DIMS], begin[OQ_MAX_RANK], end[OQ_MAX_RANK];
    size_t count, axis_count;
    const char *name = oq_node_attr(context->node, "paddings") ? "paddings" : "pads";
    const oq_list_state has_axes = oq_infer_list(context, 3, NULL, axes, &axis_count);
    oq_type out = *in;
    if (oq_infer_list(context, 1, name, pads, &count) != OQ_LIST_KNOWN || has_axes == OQ_LIST_UNKNOWN) {
        for (int d = 0; d < in->rank; ++d) out.dim[d] = OQ_DIM_ANONYMOUS;
    } else {
        OQ_TRY(spread(pads, count, has_axes == OQ_LIST_KNOWN ? axes : NULL, axis_count, in->rank, begin, end,
                      err));
        for (int d = 0; d < in->rank; ++d) {
            if (oq_dim_known(in->dim[d]))
                OQ_TRY(padded(in->dim[d].size, begin[d], end[d], &out.dim[d].size, err));
            else if (begin[d] || end[d])
                out.dim[d] = OQ_DIM_ANONYMOUS;
        }
    }
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

static oq_status upgrade_2(oq_upgrade_context *context, oq_error *err) {
    size_t count;
    const int64_t *pads = oq_node_ints(context->node, "paddings", &count);
    OQ_TRY(oq_node_set_ints(context->graph, context->node, "pads", pads, count, err));
    oq_node_remove_attr(context->node, "paddings");
    return ONNXQ_OK;
}

// The number of attribute `value` has to become one of the data's type, which must therefore be known.
static oq_status upgrade_11(oq_upgrade_context *context, oq_error *err) {
    oq_node *node = context->node;
    const float value = oq_node_float(node, "value", 0);
    OQ_TRY(oq_upgrade_ints(context, "pads", 1, err));
    if (value != 0) {
        const oq_type *type = &oq_graph_value(context->graph, node->inputs[0])->type;
        if (type->kind != OQ_TYPE_TENSOR || !type->dtype)
            return oq_fail(err, ONNXQ_UNSUPPORTED,
                           "Pad cannot be upgraded: the type of its input is not known");
        unsigned char element[16];
        oq_store_f32(type->dtype, &value, element, 1);
        OQ_TRY(oq_upgrade_add(context, "constant_value", 2, type->dtype, element, 1, true, err));
    }
    oq_node_remove_attr(node, "value");
    return ONNXQ_OK;
}

#define MODE                                                                                                 \
    { "mode", OQ_ATTR_STRING, false }
#define VERSION_ATTR(SINCE, NAME, UPGRADE)                                                                   \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T -> output:T", .types = OQ_TYPES({"T", OQ_T_FLOATS3}),           \
        .attrs = OQ_ATTRS(MODE, {NAME, OQ_ATTR_INTS, true}, {"value", OQ_ATTR_FLOAT, false}),                \
        .infer = infer, .run = run, .upgrade = UPGRADE                                                       \
    }
#define VERSION_INPUT(SINCE, SET, UPGRADE)                                                                   \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, pads:int64, constant_value?:T -> output:T",                    \
        .types = OQ_TYPES({"T", SET}), .attrs = OQ_ATTRS(MODE), .infer = infer, .run = run,                  \
        .upgrade = UPGRADE                                                                                   \
    }
#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, pads:int64, constant_value?:T, axes?:Tind -> output:T",        \
        .types = OQ_TYPES({"T", SET}, {"Tind", OQ_T_INDEX}), .attrs = OQ_ATTRS(MODE), .infer = infer,        \
        .run = run                                                                                           \
    }

static const oq_op_version versions[] = {
    VERSION_ATTR(1, "paddings", NULL),
    VERSION_ATTR(2, "pads", upgrade_2),
    VERSION_INPUT(11, OQ_T_NUMERIC3, upgrade_11),
    VERSION_INPUT(13, OQ_T_ALL13, NULL),
    VERSION(18, OQ_T_ALL13),
    VERSION(19, OQ_T_ALL13),
    VERSION(21, OQ_T_ALL21),
    VERSION(23, OQ_T_ALL23),
    VERSION(24, OQ_T_ALL24),
    VERSION(25, OQ_T_ALL25),
};

OQ_ONNX_OP(Pad, versions);
