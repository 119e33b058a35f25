// Tile: a tensor repeated along its axes.
#include "ops/lib/elementwise.h"
#include "ops/lib/lists.h"
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"
#include "ops/lib/upgrade.h"

#include <string.h>

typedef struct tiling {
    const oq_shape *shape; // of the input
    const int64_t *repeats;
    int64_t from[OQ_MAX_RANK], to[OQ_MAX_RANK]; // strides
    size_t element;
} tiling;

// The part of axes [d, rank): once from the input, then as often as asked from what is there already.
static void tile(const tiling *t, int d, unsigned char *to, const unsigned char *from) {
    if (d == t->shape->rank) {
        memcpy(to, from, t->element);
        return;
    }
    const int64_t size = t->shape->dim[d];
    const size_t once = (size_t)(size * t->to[d]) * t->element;
    if (t->to[d] == t->from[d]) { // nothing inside is repeated
        memcpy(to, from, once);
    } else {
        for (int64_t i = 0; i < size; ++i)
            tile(t, d + 1, to + (size_t)(i * t->to[d]) * t->element,
                 from + (size_t)(i * t->from[d]) * t->element);
    }
    oq_move_fill(to, once, (size_t)t->repeats[d], to);
}

static oq_status tile_by(oq_run_context *context, const oq_tensor *data, const int64_t *repeats,
                         oq_error *err) {
    oq_shape shape = data->shape;
    for (int d = 0; d < shape.rank; ++d)
        if (repeats[d] < 0 || !oq_mul_i64(shape.dim[d], repeats[d], &shape.dim[d]))
            return oq_fail(err, ONNXQ_BAD_MODEL, "Tile repeats axis %d of size %lld %lld times", d,
                           (long long)data->shape.dim[d], (long long)repeats[d]);
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, &data, 1, err));
    tiling t = {.shape = &data->shape, .repeats = repeats, .element = m.element};
    oq_shape_strides(&data->shape, t.from);
    oq_shape_strides(&shape, t.to);
    if (oq_shape_count(&shape)) tile(&t, 0, m.to, m.from[0]);
    return oq_mover_close(&m, err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    const int64_t *repeats;
    size_t count;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_list_input(context, 1, &repeats, &count, err));
    if (count != (size_t)data->shape.rank)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Tile has %zu repeats for an input of rank %d", count,
                       data->shape.rank);
    return tile_by(context, data, repeats, err);
}

// Tile-1: how often and along which axis, as numbers of the data's own type.
static oq_status run_1(oq_run_context *context, oq_error *err) {
    const oq_tensor *data, *tiles, *axis;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_need(context, 1, &tiles, err));
    OQ_TRY(oq_need(context, 2, &axis, err));
    if (oq_tensor_count(tiles) != 1 || oq_tensor_count(axis) != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Tile takes one number of tiles and one axis");
    const double times = oq_tensor_get_f64(tiles, 0), along = oq_tensor_get_f64(axis, 0);
    if (!(times >= 0 && times < 0x1p53) || !(along >= 0 && along < data->shape.rank))
        return oq_fail(err, ONNXQ_BAD_MODEL, "Tile repeats axis %g %g times", along, times);
    int64_t repeats[OQ_MAX_RANK];
    for (int d = 0; d < data->shape.rank; ++d) repeats[d] = d == (int)along ? (int64_t)times : 1;
    return tile_by(context, data, repeats, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    size_t count;
    const oq_dim *repeats = oq_infer_elements(context, 1, &count);
    if (!in || in->rank < 0) return ONNXQ_OK;
    oq_type out = *in;
    if (repeats && count != (size_t)in->rank)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Tile has %zu repeats for an input of rank %d", count, in->rank);
    for (int d = 0; d < in->rank; ++d)
        out.dim[d] = repeats ? oq_dim_as_size(oq_dim_multiply(in->dim[d], repeats[d])) : OQ_DIM_ANONYMOUS;
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

static oq_status infer_1(oq_infer_context *context, oq_error *err) {
    (void)err;
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), oq_infer_rank(context, 0), NULL);
    return ONNXQ_OK;
}

// A new node of opset 6 before the upgraded one; operands of two align by the attribute of that time.
static oq_status before(oq_upgrade_context *context, const char *op_type, oq_value_id a, oq_value_id b,
                        const char *suffix, oq_value_id *out, oq_error *err) {
    oq_node *node;
    const oq_value_id inputs[] = {a, b};
    const bool cast = b == OQ_NONE;
    OQ_TRY(oq_upgrade_new_node(context, op_type, inputs, cast ? 1 : 2, suffix, &node, err));
    *out = node->outputs[0];
    return oq_node_set_int(context->graph, node, cast ? "to" : "broadcast", cast ? ONNXQ_INT64 : 1, err);
}

// repeats = (0, 1, .. == axis) * (tiles - 1) + 1
static oq_status upgrade_6(oq_upgrade_context *context, oq_error *err) {
    oq_node *node = context->node;
    const oq_value_id tiles = node->inputs[1], axis = node->inputs[2];
    const oq_type *in = &oq_graph_value(context->graph, node->inputs[0])->type;
    const int64_t one = 1;
    int64_t axes[OQ_MAX_RANK];
    oq_value_id times, at, hot, more, repeats;
    if (in->rank < 0)
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "Tile needs the rank of its input to become version 6: run shape inference first");
    for (int d = 0; d < in->rank; ++d) axes[d] = d;
    OQ_TRY(oq_upgrade_add(context, "axes", 1, ONNXQ_INT64, axes, (size_t)in->rank, false, err));
    OQ_TRY(oq_upgrade_add(context, "one", 2, ONNXQ_INT64, &one, 1, true, err));
    const oq_value_id every = node->inputs[1], unit = node->inputs[2];
    OQ_TRY(before(context, "Cast", axis, OQ_NONE, "_axis", &at, err));
    OQ_TRY(before(context, "Equal", every, at, "_is_axis", &hot, err));
    OQ_TRY(before(context, "Cast", hot, OQ_NONE, "_at_axis", &hot, err));
    OQ_TRY(before(context, "Cast", tiles, OQ_NONE, "_tiles", &times, err));
    OQ_TRY(before(context, "Sub", times, unit, "_more", &more, err));
    OQ_TRY(before(context, "Mul", hot, more, "_added", &more, err));
    OQ_TRY(before(context, "Add", more, unit, "_repeats", &repeats, err));
    OQ_TRY(oq_node_set_input(context->graph, node, 1, repeats, err));
    return oq_node_keep_inputs(context->graph, node, 2, err);
}

#define VERSION(SINCE, SET, UPGRADE)                                                                         \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T, repeats:T1 -> output:T",                                      \
        .types = OQ_TYPES({"T", SET}, {"T1", OQ_T(INT64)}), .infer = infer, .run = run, .upgrade = UPGRADE   \
    }

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "input:T, tiles:T, axis:T -> output:T",
     .types = OQ_TYPES({"T", OQ_T_FLOATS3}, {"T1", OQ_T(INT64)}),
     .infer = infer_1,
     .run = run_1},
    VERSION(6, OQ_T_ALL1, upgrade_6),
    VERSION(13, OQ_T_ALL13, NULL),
};

OQ_ONNX_OP(Tile, versions);
