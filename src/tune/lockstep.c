// Lockstep: division of the graph into parts, and what of a sample is kept between them.
#include "tune/lockstep.h"

#include <string.h>

// --- division ---

typedef struct divider {
    oq_lockstep *l;
    int32_t *made_by; // [value_count] part that makes a value, or -1
    int32_t *last;    // [value_count] last part that reads a value, or -1
} divider;

static bool is_constant(const oq_lockstep *l, oq_value_id id) {
    return oq_graph_constant(l->graph, id) || oq_graph_value(l->graph, id)->initializer;
}

static oq_status add_part(oq_lockstep *l, int32_t layer, oq_error *err) {
    void *parts = l->parts;
    OQ_TRY(oq_mem_reserve(l->mem, &parts, l->part_count, &l->part_capacity, sizeof *l->parts, err));
    l->parts = parts;
    l->parts[l->part_count++] = (oq_lockstep_part){.layer = layer};
    return ONNXQ_OK;
}

// Gives every node its part. A node taken into a layer goes where the product stands.
static oq_status divide(oq_lockstep *l, const oq_node_id *order, size_t count, oq_error *err) {
    bool open = false; // the last part takes further float nodes
    for (size_t i = 0; i < count; i++) {
        const oq_node *node = oq_graph_node(l->graph, order[i]);
        const int32_t index = oq_plan_layer_of(l->plan, node->id);
        const oq_layer *layer = index < 0 ? NULL : oq_plan_layer(l->plan, (size_t)index);
        const bool taken = layer && layer->node != node->id, moves = oq_plan_moves(l->plan, node->id);
        if (taken || (node->output_count && node->outputs[0] != OQ_NONE && is_constant(l, node->outputs[0])))
            continue;
        const oq_node_id source = oq_plan_clip_source(l->plan, node->id);
        if (source != OQ_NONE) {
            l->part_of[node->id] = l->part_of[source];
            continue;
        }
        if (layer || moves || !open) OQ_TRY(add_part(l, index, err));
        open = !layer && !moves;
        l->part_of[node->id] = (int32_t)l->part_count - 1;
        if (layer && layer->bias_node != OQ_NONE) l->part_of[layer->bias_node] = (int32_t)l->part_count - 1;
        if (layer && layer->clip_node != OQ_NONE) l->part_of[layer->clip_node] = (int32_t)l->part_count - 1;
    }
    return ONNXQ_OK;
}

static void note_made(divider *d, const oq_node *node) {
    for (size_t k = 0; k < node->output_count; k++)
        if (node->outputs[k] != OQ_NONE) d->made_by[node->outputs[k]] = d->l->part_of[node->id];
}

// The k-th value that a node reads: inputs, then captures of its bodies.
static oq_value_id reading(const oq_node *node, size_t k) {
    return k < node->input_count ? node->inputs[k] : node->captures[k - node->input_count];
}

static void note_read(divider *d, const oq_node *node, size_t k) {
    const int32_t p = d->l->part_of[node->id];
    oq_lockstep_part *part = &d->l->parts[p];
    const oq_value_id id = reading(node, k);
    if (id == OQ_NONE || d->made_by[id] == p || is_constant(d->l, id)) return;
    d->last[id] = p;
    for (size_t i = 0; i < part->input_count; i++)
        if (part->inputs[i] == id) return;
    part->integer[part->input_count] =
        oq_plan_integer_use(d->l->plan, (oq_use){.node = node->id, .input = (int32_t)k});
    part->inputs[part->input_count++] = id;
}

static oq_status new_lists(oq_lockstep *l, oq_lockstep_part *part, oq_error *err) {
    part->inputs = oq_arena_calloc(&l->arena, part->input_count + 1, sizeof *part->inputs, err);
    part->integer = oq_arena_calloc(&l->arena, part->input_count + 1, sizeof *part->integer, err);
    part->dead = oq_arena_calloc(&l->arena, part->input_count + 1, sizeof *part->dead, err);
    part->outputs = oq_arena_calloc(&l->arena, part->output_count + 1, sizeof *part->outputs, err);
    part->input_count = part->output_count = 0;
    return part->inputs && part->integer && part->dead && part->outputs ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static oq_status find_inputs(divider *d, const oq_node_id *order, size_t count, oq_error *err) {
    oq_lockstep *l = d->l;
    for (size_t i = 0; i < count; i++) { // room first
        const oq_node *node = oq_graph_node(l->graph, order[i]);
        if (l->part_of[node->id] < 0) continue;
        oq_lockstep_part *part = &l->parts[l->part_of[node->id]];
        part->input_count += node->input_count + node->capture_count;
        part->output_count += node->output_count;
    }
    for (size_t p = 0; p < l->part_count; p++) OQ_TRY(new_lists(l, &l->parts[p], err));
    for (size_t i = 0; i < count; i++) {
        const oq_node *node = oq_graph_node(l->graph, order[i]);
        for (size_t k = 0; l->part_of[node->id] >= 0 && k < node->input_count + node->capture_count; k++)
            note_read(d, node, k);
    }
    return ONNXQ_OK;
}

// Needs `last` complete: outputs are what later parts read, dead what none does any more.
static void find_ends(divider *d) {
    const oq_lockstep *l = d->l;
    for (size_t v = 0; v < l->graph->value_count; v++) {
        const int32_t p = d->made_by[v];
        const oq_layer *layer =
            p < 0 || l->parts[p].layer < 0 ? NULL : oq_plan_layer(l->plan, (size_t)l->parts[p].layer);
        if (p < 0 || d->last[v] < 0 || (layer && layer->output != (oq_value_id)v)) continue;
        l->parts[p].outputs[l->parts[p].output_count++] = (oq_value_id)v;
    }
    for (size_t p = 0; p < l->part_count; p++)
        for (size_t i = 0; i < l->parts[p].input_count; i++)
            if (d->last[l->parts[p].inputs[i]] == (int32_t)p)
                l->parts[p].dead[l->parts[p].dead_count++] = l->parts[p].inputs[i];
}

static void give_slot(oq_lockstep *l, oq_value_id id) {
    if (l->slot_of[id] < 0) l->slot_of[id] = (int32_t)l->slot_count++;
}

static void give_slots(oq_lockstep *l) {
    for (size_t i = 0; i < l->graph->input_count; i++) give_slot(l, l->graph->inputs[i]);
    for (size_t p = 0; p < l->part_count; p++) {
        const oq_lockstep_part *part = &l->parts[p];
        for (size_t i = 0; i < part->input_count; i++) give_slot(l, part->inputs[i]);
        for (size_t i = 0; i < part->output_count; i++) give_slot(l, part->outputs[i]);
        if (part->layer >= 0) give_slot(l, oq_plan_layer(l->plan, (size_t)part->layer)->output);
    }
}

static oq_status describe(divider *d, const oq_node_id *order, size_t count, oq_error *err) {
    oq_lockstep *l = d->l;
    const size_t values = l->graph->value_count + 1;
    d->made_by = oq_arena_alloc(&l->arena, values * sizeof *d->made_by, err);
    d->last = oq_arena_alloc(&l->arena, values * sizeof *d->last, err);
    l->part_of = oq_arena_alloc(&l->arena, (l->graph->node_count + 1) * sizeof *l->part_of, err);
    l->slot_of = oq_arena_alloc(&l->arena, values * sizeof *l->slot_of, err);
    if (!d->made_by || !d->last || !l->part_of || !l->slot_of) return ONNXQ_NO_MEMORY;
    memset(l->slot_of, -1, values * sizeof *l->slot_of);
    memset(d->made_by, -1, values * sizeof *d->made_by);
    memset(d->last, -1, values * sizeof *d->last);
    memset(l->part_of, -1, (l->graph->node_count + 1) * sizeof *l->part_of);
    OQ_TRY(divide(l, order, count, err));
    for (size_t i = 0; i < count; i++)
        if (l->part_of[order[i]] >= 0) note_made(d, oq_graph_node(l->graph, order[i]));
    OQ_TRY(find_inputs(d, order, count, err));
    find_ends(d);
    give_slots(l);
    return ONNXQ_OK;
}

// --- samples ---

oq_status oq_lockstep_load(oq_lockstep *l, size_t sample, oq_error *err) {
    const oq_graph *graph = l->graph;
    oq_value *given = oq_mem_calloc(l->mem, graph->input_count + 1, sizeof *given, err);
    if (!given) return ONNXQ_NO_MEMORY;
    const oq_status status = oq_dataset_get(l->data, l->indices[sample], given, err);
    for (size_t i = 0, k = 0; status == ONNXQ_OK && i < graph->input_count; i++) {
        const oq_value_id id = graph->inputs[i];
        if (oq_graph_value(graph, id)->initializer) continue;
        *oq_lockstep_at(l, sample, OQ_STREAM_QUANTIZED, id) = oq_value_retain(&given[k]);
        *oq_lockstep_at(l, sample, OQ_STREAM_FLOAT, id) = given[k++];
    }
    oq_mem_free(l->mem, given);
    return status;
}

static oq_status prepare_samples(oq_lockstep *l, const size_t *indices, size_t count, oq_error *err) {
    l->indices = oq_arena_memdup(&l->arena, indices, count * sizeof *indices, err);
    l->room = oq_arena_calloc(&l->arena, l->part_count + 1, sizeof *l->room, err);
    l->frontier = oq_mem_calloc(l->mem, count * OQ_STREAMS + 1, (l->slot_count + 1) * sizeof(oq_value), err);
    l->count = count;
    return l->indices && l->room && l->frontier ? oq_lockstep_measure(l, err) : ONNXQ_NO_MEMORY;
}

oq_status oq_lockstep_begin(oq_lockstep *l, oq_plan *plan, oq_graph *graph, oq_pool *pool,
                            const oq_dataset *data, const size_t *indices, size_t count, oq_error *err) {
    *l = (oq_lockstep){.mem = graph->model->mem, .plan = plan, .graph = graph, .pool = pool, .data = data};
    oq_arena_init(&l->arena, l->mem);
    oq_node_id *order = NULL;
    size_t nodes;
    divider d = {.l = l};
    oq_status status = oq_graph_order(graph, &order, &nodes, err);
    if (status == ONNXQ_OK) status = describe(&d, order, nodes, err);
    oq_mem_free(l->mem, order);
    return status == ONNXQ_OK ? prepare_samples(l, indices, count, err) : status;
}

size_t oq_lockstep_bytes(const oq_lockstep *l, size_t sample) {
    size_t bytes = 0;
    const oq_value *values = l->frontier + sample * OQ_STREAMS * l->slot_count;
    for (size_t v = 0; v < OQ_STREAMS * l->slot_count; v++)
        if (values[v].kind == OQ_VALUE_TENSOR) bytes += oq_tensor_bytes(&values[v].tensor);
    return bytes;
}

void oq_lockstep_unload(oq_lockstep *l, size_t sample) {
    oq_value *values = l->frontier + sample * OQ_STREAMS * l->slot_count;
    for (size_t v = 0; v < OQ_STREAMS * l->slot_count; v++) oq_value_release(&values[v]);
}

void oq_lockstep_bury(oq_lockstep *l, const oq_lockstep_part *part, size_t sample) {
    for (size_t i = 0; i < part->dead_count; i++)
        for (int stream = 0; stream < OQ_STREAMS; stream++)
            oq_value_release(oq_lockstep_at(l, sample, stream, part->dead[i]));
}

void oq_lockstep_end(oq_lockstep *l) {
    if (!l->mem) return;
    for (size_t s = 0; l->frontier && s < l->count; s++) oq_lockstep_unload(l, s);
    oq_mem_free(l->mem, l->frontier);
    oq_mem_free(l->mem, l->parts);
    oq_arena_release(&l->arena);
}
