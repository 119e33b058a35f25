// Weight-only quantization: finds weights and tables, and what each is cut into.
#include "quant/plan.h"
#include "quant/storage.h"

#include <string.h>

// Below so many elements the nodes of a look-up cost more than the bytes are worth.
#define SMALL_TABLE 4096
// From so many on they are worth it to those who did not ask: 192 KiB less.
#define LARGE_TABLE 65536

// --- blocks ---

// True when every axis but these two has one index: then one scale a channel is one vector along an axis.
static bool is_matrix(const oq_shape *shape, const oq_weight_axes *axes) {
    int64_t others = 1;
    for (int d = 0; d < shape->rank; d++)
        if (d != axes->channel && d != axes->reduction) others *= shape->dim[d];
    return others == 1;
}

// DequantizeLinear has scales along one axis, or blocks along one axis and a scale for each index of the
// others. A stack of matrices has a scale per column of each as one block along the sum.
static oq_granularity by_channel(const oq_shape *shape, const oq_weight_axes *axes) {
    if (axes->taps || is_matrix(shape, axes))
        return (oq_granularity){.kind = OQ_PER_CHANNEL, .axis = axes->channel};
    return (oq_granularity){
        .kind = OQ_PER_GROUP, .axis = axes->reduction, .group_size = shape->dim[axes->reduction]};
}

// Groups along the sum; the taps of a kernel are in one sum with its input channels. A sum no longer than a
// group is one.
static void cut(const oq_quant_options *options, const oq_weight_axes *axes, oq_stored *out) {
    const oq_shape *from = &out->constant->shape;
    oq_shape flat = *from;
    out->shape = *from;
    out->reduction = axes->taps ? -1 : axes->reduction;
    out->granularity = (oq_granularity){.kind = OQ_PER_TENSOR};
    if (!options->per_channel || axes->channel < 0) return;
    out->granularity = by_channel(from, axes);
    if (axes->taps && axes->channel == 0)
        flat = OQ_SHAPE(from->dim[0], oq_shape_range_count(from, 1, from->rank));
    if (!options->group_size || flat.dim[axes->reduction] <= options->group_size) return;
    out->shape = flat;
    out->granularity =
        (oq_granularity){.kind = OQ_PER_GROUP, .axis = axes->reduction, .group_size = options->group_size};
}

static bool same_granularity(const oq_granularity *a, const oq_granularity *b) {
    return a->kind == b->kind &&
           (a->kind == OQ_PER_TENSOR || (a->axis == b->axis && a->group_size == b->group_size));
}

// --- finding ---

static oq_status add_use(oq_storage *s, const oq_stored_use *use, oq_error *err) {
    OQ_TRY(oq_mem_reserve(s->mem, (void **)&s->uses, s->use_count, &s->use_capacity, sizeof *s->uses, err));
    s->uses[s->use_count++] = *use;
    return ONNXQ_OK;
}

// The entry for a constant: an earlier one when that is read in the same way.
static oq_status add_stored(oq_storage *s, const oq_stored *want, size_t *index, oq_error *err) {
    for (*index = 0; *index < s->count; (*index)++) {
        const oq_stored *other = &s->items[*index];
        if (other->value == want->value && other->table == want->table &&
            other->grid.bits == want->grid.bits && same_granularity(&other->granularity, &want->granularity))
            return ONNXQ_OK;
    }
    OQ_TRY(oq_mem_reserve(s->mem, (void **)&s->items, s->count, &s->capacity, sizeof *s->items, err));
    s->items[s->count++] = *want;
    return ONNXQ_OK;
}

static oq_stored new_stored(const oq_storage *s, const oq_node *node, oq_value_id value, int bits) {
    const oq_quant_options *o = &s->options;
    int own, unused;
    oq_options_widths(o, node->id, &own, &unused);
    const oq_node_override *override = oq_options_override(o, node->id);
    if (!bits || (override && override->weight_bits)) bits = own;
    oq_stored out = {.value = value,
                     .constant = oq_graph_constant(s->graph, value),
                     .symmetric = !o->weight_asymmetric,
                     .tied = OQ_NONE,
                     .grid = oq_options_weight_grid(o, bits, o->weight_signed, false)};
    out.carrier = oq_grid_carrier(&out.grid, true);
    out.reduction = -1;
    out.shape = out.constant->shape;
    return out;
}

// --- tables ---

// A scale for each row, shaped so that looking it up gives what multiplies the looked up row. Groups are for
// rows of few bits, and cut them evenly.
static oq_granularity cut_table(const oq_quant_options *options, const oq_stored *table) {
    const oq_shape *shape = &table->shape;
    const int64_t group = options->group_size;
    if (!options->per_channel) return (oq_granularity){.kind = OQ_PER_TENSOR};
    if (group && table->grid.bits < 8 && shape->rank == 2 && shape->dim[1] > group &&
        shape->dim[1] % group == 0)
        return (oq_granularity){.kind = OQ_PER_GROUP, .axis = 1, .group_size = group};
    return (oq_granularity){.kind = OQ_PER_CHANNEL, .axis = 0};
}

static oq_status describe_table(const oq_storage *s, const oq_node *node, oq_stored *out, oq_error *err) {
    *out = new_stored(s, node, node->inputs[0], s->options.embedding_bits);
    out->table = true;
    out->grid = oq_options_weight_grid(&s->options, out->grid.bits, out->grid.is_signed, true);
    out->granularity = cut_table(&s->options, out);
    return oq_layout_make(&out->shape, &out->granularity, &out->layout, &out->params_shape, err);
}

// A table that anything else reads as well would be in the file twice.
static bool is_only_looked_up(const oq_storage *s, oq_value_id table, const oq_shape *shape) {
    const oq_gvalue *value = oq_graph_value(s->graph, table);
    oq_weight_axes axes;
    for (size_t u = 0; u < value->use_count; u++) {
        const oq_use use = value->uses[u];
        const oq_node *reader = oq_graph_node(s->graph, use.node);
        const oq_rule *rule = oq_rule_find(reader);
        if (!rule || !rule->weight_axes || !rule->weight_axes(reader, (size_t)use.input, shape, &axes) ||
            !axes.rows)
            return false;
    }
    return !value->is_output;
}

static oq_status consider_table(oq_storage *s, const oq_node *node, oq_error *err) {
    oq_weight_axes axes;
    oq_stored stored;
    oq_stored_use use = {.node = node->id, .reader = node->id, .rows = true};
    const oq_rule *rule = oq_rule_find(node);
    if (!rule || !rule->weight_axes || node->inputs[0] == OQ_NONE) return ONNXQ_OK;
    const oq_constant *constant = oq_graph_constant(s->graph, node->inputs[0]);
    if (!constant || constant->dtype != ONNXQ_FLOAT) return ONNXQ_OK;
    if (!rule->weight_axes(node, 0, &constant->shape, &axes) || !axes.rows) return ONNXQ_OK;
    const int64_t elements = oq_shape_count(&constant->shape);
    if (s->options.embedding_by_gain &&
        (elements < LARGE_TABLE || !is_only_looked_up(s, node->inputs[0], &constant->shape)))
        return ONNXQ_OK;
    if (oq_options_choose(&s->options, node, &use.reason))
        use.reason = elements < SMALL_TABLE ? "its table is too small to gain" : s->options.tables_refused;
    if (!use.reason) {
        OQ_TRY(describe_table(s, node, &stored, err));
        OQ_TRY(add_stored(s, &stored, &use.stored, err));
    }
    return add_use(s, &use, err);
}

// --- weights ---

// Where a weight is read: a node's input, or that of the Transpose of a matrix before it.
typedef struct place {
    const oq_node *node;
    size_t input;
    const oq_constant *constant;
    oq_weight_axes axes;
} place;

static bool swaps_matrix(const oq_node *node) {
    size_t count;
    const int64_t *perm = oq_node_ints(node, "perm", &count);
    return !perm || (count == 2 && perm[0] == 1 && perm[1] == 0);
}

static bool find_place(const oq_storage *s, const oq_rule *rule, place *at) {
    const oq_node *node = at->node;
    const size_t input = at->input;
    if (node->inputs[input] == OQ_NONE) return false;
    at->constant = oq_graph_constant(s->graph, node->inputs[input]);
    if (at->constant)
        return rule->weight_axes(node, input, &at->constant->shape, &at->axes) && !at->axes.rows;
    const oq_node *before = oq_graph_producer_is(s->graph, node->inputs[input], "Transpose");
    at->constant = before ? oq_graph_constant(s->graph, before->inputs[0]) : NULL;
    if (!at->constant || at->constant->shape.rank != 2 || !swaps_matrix(before)) return false;
    const oq_shape swapped = OQ_SHAPE(at->constant->shape.dim[1], at->constant->shape.dim[0]);
    if (!rule->weight_axes(node, input, &swapped, &at->axes)) return false;
    *at = (place){
        before, 0, at->constant, {.channel = 1 - at->axes.channel, .reduction = 1 - at->axes.reduction}};
    return true;
}

// True when `b` holds the elements of the matrix `a`, or of its transpose.
static oq_status same_elements(const oq_storage *s, const oq_constant *a, const oq_constant *b,
                               bool transposed, bool *same, oq_error *err) {
    oq_tensor x = {0}, y = {0};
    oq_status status;
    OQ_TRY_DONE(oq_constant_load(s->mem, a, &x, err));
    OQ_TRY_DONE(oq_constant_load(s->mem, b, &y, err));
    const int64_t rows = x.shape.dim[0], columns = x.shape.dim[1];
    const uint32_t *p = x.data, *q = y.data;
    *same = true;
    for (int64_t r = 0; *same && r < rows; r++)
        for (int64_t c = 0; *same && c < columns; c++)
            *same = p[r * columns + c] == q[transposed ? c * rows + r : r * columns + c];
done:
    oq_tensor_release(&x);
    oq_tensor_release(&y);
    return status;
}

// An output layer whose matrix is a table that is stored anyway, or the transpose of one: the rows of the
// table are its output channels, so both have the same scales.
static oq_status find_tied(const oq_storage *s, const place *at, oq_stored_use *use, bool *tied,
                           oq_error *err) {
    const oq_shape *own = &at->constant->shape;
    *tied = false;
    for (size_t i = 0; i < s->count && !*tied && own->rank == 2; i++) {
        const oq_stored *table = &s->items[i];
        const bool transposed = at->axes.channel == 1;
        if (!table->table || table->shape.rank != 2 || table->shape.dim[0] != own->dim[at->axes.channel] ||
            table->shape.dim[1] != own->dim[at->axes.reduction])
            continue;
        if (table->constant == at->constant)
            *tied = !transposed;
        else
            OQ_TRY(same_elements(s, table->constant, at->constant, transposed, tied, err));
        use->stored = i;
        use->transposed = transposed;
    }
    return ONNXQ_OK;
}

static oq_status add_weight(oq_storage *s, const oq_node *node, const place *at, oq_error *err) {
    oq_stored_use use = {.node = node->id, .reader = at->node->id, .input = at->input};
    bool tied;
    if (at->constant->dtype != ONNXQ_FLOAT)
        use.reason = "its weights are not float32";
    else if (!oq_shape_count(&at->constant->shape))
        use.reason = "its weights have no elements";
    if (use.reason) return add_use(s, &use, err);
    OQ_TRY(find_tied(s, at, &use, &tied, err));
    if (!tied) {
        oq_stored stored = new_stored(s, node, at->node->inputs[at->input], 0);
        stored.grid =
            oq_options_weight_grid(&s->options, stored.grid.bits, stored.grid.is_signed, !at->axes.taps);
        cut(&s->options, &at->axes, &stored);
        OQ_TRY(oq_layout_make(&stored.shape, &stored.granularity, &stored.layout, &stored.params_shape, err));
        OQ_TRY(add_stored(s, &stored, &use.stored, err));
        use.transposed = false;
    }
    return add_use(s, &use, err);
}

static oq_status consider_weights(oq_storage *s, const oq_node *node, oq_error *err) {
    const oq_rule *rule = oq_rule_find(node);
    oq_stored_use none = {.node = node->id};
    bool found = false;
    if (!rule || !rule->weight_axes || rule->kind == OQ_RULE_PASSTHROUGH) return ONNXQ_OK;
    if (!oq_options_choose(&s->options, node, &none.reason)) return add_use(s, &none, err);
    for (size_t i = 0; i < node->input_count; i++) {
        place at = {.node = node, .input = i};
        if (!find_place(s, rule, &at)) continue;
        OQ_TRY(add_weight(s, node, &at, err));
        found = true;
    }
    none.reason = "it has no constant weights";
    return found ? ONNXQ_OK : add_use(s, &none, err);
}

// Tables first: weights that are tied to one follow it.
oq_status oq_storage_find(oq_storage *s, oq_error *err) {
    oq_node_id *order = NULL;
    size_t count;
    OQ_TRY(oq_graph_order(s->graph, &order, &count, err));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; s->options.embedding_bits && status == ONNXQ_OK && i < count; i++)
        status = consider_table(s, oq_graph_node(s->graph, order[i]), err);
    for (size_t i = 0; s->options.mode == OQ_MODE_WEIGHT_ONLY && status == ONNXQ_OK && i < count; i++)
        status = consider_weights(s, oq_graph_node(s->graph, order[i]), err);
    oq_mem_free(s->mem, order);
    return status;
}
