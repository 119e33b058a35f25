// Splitting of layers whose outputs are summed up, pooled or read more than once. Values that such nodes join
// have one order of channels; it is changed in all layers before and behind them, so that rows of one size
// stand side by side and each layer is cut where it gains by that.
#include "passes/channel_sets.h"
#include "passes/split_rows.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TAIL = 4 };

// Channels of spoiled sets stay where they are.
typedef struct finder {
    oq_row_split s; // graph, options, statistics
    oq_channel_sets sets;
} finder;

// One of these sets, and the layers around it.
typedef struct set {
    const finder *f;
    oq_row_split s;
    oq_value_id leader;
    oq_node **writers;
    size_t writer_count;
    double *size, *weight; // [writer_count, channels] see oq_row_parts
    double signal;         // power of the readers' outputs, or 0
    size_t *cuts;          // [channels] numbers in order
} set;

// Of two values of one rank, element by element.
static bool is_pairwise(oq_graph *graph, const oq_node *node) {
    if ((!oq_node_is(node, "Add") && !oq_node_is(node, "Mul")) || node->region != OQ_NONE) return false;
    for (int i = 0; i < 2; i++)
        if (node->inputs[i] == OQ_NONE || oq_graph_constant(graph, node->inputs[i])) return false;
    return oq_graph_value(graph, node->inputs[0])->type.rank ==
           oq_graph_value(graph, node->inputs[1])->type.rank;
}

// What a node does to the sets around it. Constants stand in no set.
static void visit(finder *f, const oq_node *node) {
    oq_row_split *s = &f->s;
    size_t inner;
    const bool plain = node->input_count && node->output_count == 1 && node->inputs[0] != OQ_NONE;
    s->channels = plain ? oq_channels_of(s->graph, node->inputs[0]) : 0;
    if (s->channels && oq_split_is_depthwise(s, node)) {
        oq_channel_sets_join(&f->sets, node->inputs[0], node->outputs[0]);
    } else if (s->channels && oq_split_reader(s, node, &inner)) {
        if (!oq_split_is_dense(s, node)) oq_channel_sets_spoil(&f->sets, node->outputs[0]);
    } else if (plain && (oq_split_is_channelwise(s->graph, node) || oq_keeps_channels(s->graph, node))) {
        oq_channel_sets_join(&f->sets, node->inputs[0], node->outputs[0]);
    } else if (plain && is_pairwise(s->graph, node)) {
        oq_channel_sets_join(&f->sets, node->inputs[0], node->outputs[0]);
        oq_channel_sets_join(&f->sets, node->inputs[1], node->outputs[0]);
    } else {
        oq_channel_sets_spoil_node(&f->sets, node);
    }
}

static oq_status find_sets(finder *f, oq_error *err) {
    const oq_graph *graph = f->s.graph;
    OQ_TRY(oq_channel_sets_begin(&f->sets, graph, err));
    for (size_t n = 0; n < graph->node_count; n++)
        if (!graph->nodes[n]->dead) visit(f, graph->nodes[n]);
    for (size_t v = 0; v < f->sets.count; v++) {
        const oq_gvalue *value = oq_graph_value(graph, (oq_value_id)v);
        if (value->is_input || value->is_output || value->is_capture)
            oq_channel_sets_spoil(&f->sets, (oq_value_id)v);
    }
    return ONNXQ_OK;
}

// --- one set ---

static bool reads(const set *t, const oq_node *node) {
    size_t inner;
    return !node->dead && node->input_count && node->inputs[0] != OQ_NONE &&
           (size_t)node->inputs[0] < t->f->sets.count &&
           oq_channel_sets_leader(&t->f->sets, node->inputs[0]) == t->leader &&
           oq_split_reader(&t->s, node, &inner);
}

static bool writes(const set *t, const oq_node *node) {
    return !node->dead && node->output_count && (size_t)node->outputs[0] < t->f->sets.count &&
           oq_channel_sets_leader(&t->f->sets, node->outputs[0]) == t->leader &&
           oq_split_is_dense(&t->s, node);
}

static oq_status find_writers(set *t, oq_error *err) {
    const oq_graph *graph = t->s.graph;
    size_t room = 0;
    for (size_t n = 0; n < graph->node_count; n++) {
        if (!writes(t, graph->nodes[n])) continue;
        OQ_TRY(oq_mem_reserve(graph->model->mem, (void **)&t->writers, t->writer_count, &room,
                              sizeof(oq_node *), err));
        t->writers[t->writer_count++] = graph->nodes[n];
    }
    return ONNXQ_OK;
}

// Errors count by what they are at the outputs of all readers together.
static oq_status measure(set *t, oq_error *err) {
    const oq_graph *graph = t->s.graph;
    const size_t channels = t->s.channels;
    double *gain = oq_mem_calloc(graph->model->mem, channels, 2 * sizeof *gain, err);
    if (!gain) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    for (size_t n = 0; status == ONNXQ_OK && n < graph->node_count; n++)
        if (reads(t, graph->nodes[n]))
            status = oq_split_measure_reader(&t->s, graph->nodes[n], gain, &t->signal, err);
    for (size_t c = 0; c < channels && t->signal > 0; c++) gain[c] /= t->signal;
    for (size_t l = 0; status == ONNXQ_OK && l < t->writer_count; l++) {
        memcpy(gain + channels, gain, channels * sizeof *gain);
        status = oq_split_measure_rows(&t->s, t->writers[l], t->size + l * channels, t->weight + l * channels,
                                       gain + channels, err);
    }
    oq_mem_free(graph->model->mem, gain);
    return status;
}

// --- order and cuts ---

typedef struct placed {
    double error;
    size_t part;
} placed;

static int by_error(const void *a, const void *b) {
    const placed *x = a, *y = b;
    if (x->error != y->error) return x->error < y->error ? 1 : -1;
    return x->part < y->part ? -1 : 1;
}

// Parts side by side, those first whose rows cost most each; t->s.end: their ends.
static void order_parts(set *t, const oq_row_parts *r) {
    placed list[OQ_MOST_ROW_PARTS];
    size_t at = 0;
    for (size_t p = 0; p < r->parts; p++) {
        size_t count = 0;
        list[p] = (placed){.part = p};
        for (size_t c = 0; c < r->channels; c++) count += r->part_of[c] == p;
        for (size_t l = 0; l < r->layers; l++) list[p].error += oq_row_parts_error(r, l, p) / (double)count;
    }
    qsort(list, r->parts, sizeof *list, by_error);
    for (size_t p = 0; p < r->parts; p++) {
        for (size_t c = 0; c < r->channels; c++)
            if (r->part_of[c] == list[p].part) t->s.order[at++] = c;
        t->s.end[p] = at;
    }
    t->s.parts = r->parts;
}

// Error of one writer by rows order[from..to) of one scale.
static double error_of(const set *t, size_t writer, size_t from, size_t to) {
    const double *size = t->size + writer * t->s.channels, *weight = t->weight + writer * t->s.channels;
    double most = 0, sum = 0;
    for (size_t i = from; i < to; i++) {
        const size_t c = t->s.order[i];
        if (size[c] > most) most = size[c];
        sum += weight[c];
    }
    return most * sum;
}

// Takes those cuts out of `cut` that are worth less than their price to this writer.
static void drop_cuts(const set *t, size_t writer, oq_row_split *cut) {
    const double price = oq_row_parts_price(oq_split_price(&t->s, t->writers[writer], t->signal),
                                            error_of(t, writer, 0, t->s.channels));
    while (cut->parts > 1) {
        double least = price;
        size_t which = cut->parts;
        for (size_t p = 0; p + 1 < cut->parts; p++) {
            const size_t from = p ? cut->end[p - 1] : 0, at = cut->end[p], to = cut->end[p + 1];
            const double worth =
                error_of(t, writer, from, to) - error_of(t, writer, from, at) - error_of(t, writer, at, to);
            if (worth < least) least = worth, which = p;
        }
        if (which == cut->parts) return;
        memmove(cut->end + which, cut->end + which + 1, (cut->parts - which - 1) * sizeof *cut->end);
        cut->parts--;
    }
}

// Each writer takes of the cuts what is worth it to it alone.
static double least_price(const set *t) {
    double least = 0;
    for (size_t l = 0; l < t->writer_count; l++) {
        const double price = oq_split_price(&t->s, t->writers[l], t->signal);
        least = l && least < price ? least : price;
    }
    return least;
}

static oq_status find_parts(set *t, bool *any, oq_error *err) {
    oq_mem *mem = t->s.graph->model->mem;
    oq_row_parts r = {.mem = mem,
                      .layers = t->writer_count,
                      .channels = t->s.channels,
                      .size = t->size,
                      .weight = t->weight,
                      .step = oq_split_step(t->s.channels)};
    r.price = least_price(t);
    r.part_of = oq_mem_calloc(mem, r.channels, sizeof *r.part_of, err);
    if (!r.part_of) return ONNXQ_NO_MEMORY;
    const oq_status status = oq_row_parts_find(&r, err);
    if (status == ONNXQ_OK) order_parts(t, &r);
    *any = false;
    for (size_t l = 0; status == ONNXQ_OK && l < t->writer_count; l++) {
        oq_row_split cut = t->s;
        drop_cuts(t, l, &cut);
        *any |= cut.parts > 1;
    }
    oq_mem_free(mem, r.part_of);
    return status;
}

// --- doing it ---

// Rows of weights and bias in the new order.
static oq_status reorder_rows(const set *t, oq_node *node, oq_error *err) {
    for (size_t i = 1; i < node->input_count; i++) {
        oq_value_id rows;
        if (node->inputs[i] == OQ_NONE) continue;
        const char *name = oq_arena_printf(&t->s.graph->model->arena, err, "%s_reordered",
                                           oq_graph_value(t->s.graph, node->inputs[i])->name);
        if (!name) return ONNXQ_NO_MEMORY;
        OQ_TRY(oq_split_take_rows(&t->s, node->inputs[i], name, 0, t->s.channels, &rows, err));
        OQ_TRY(oq_node_set_input(t->s.graph, node, i, rows, err));
    }
    return ONNXQ_OK;
}

static oq_status reorder_all(const set *t, oq_error *err) {
    const oq_graph *graph = t->s.graph;
    for (size_t n = 0; n < graph->node_count; n++) {
        oq_node *node = graph->nodes[n];
        const bool inside = !node->dead && node->output_count &&
                            (size_t)node->outputs[0] < t->f->sets.count &&
                            oq_channel_sets_leader(&t->f->sets, node->outputs[0]) == t->leader;
        // A layer may read what it adds to.
        if (reads(t, node)) OQ_TRY(oq_split_reorder_reader(&t->s, node, err));
        if (inside && (oq_split_is_dense(&t->s, node) || oq_split_is_depthwise(&t->s, node)))
            OQ_TRY(reorder_rows(t, node, err));
    }
    return ONNXQ_OK;
}

// The functions right behind a layer, which become part of it.
static void add_tail(oq_row_split *s) {
    for (size_t i = 0; i < MOST_TAIL; i++) {
        const oq_value_id last = s->nodes[s->node_count - 1]->outputs[0];
        oq_node *next = oq_graph_only_consumer(s->graph, last);
        if (!next || next->inputs[0] != last || !(oq_node_is(next, "Clip") || oq_node_is(next, "Relu")))
            return;
        s->nodes[s->node_count++] = next;
    }
}

// Cuts rows that stand in order already.
static oq_status cut_writer(const set *t, size_t writer, size_t *count, oq_error *err) {
    oq_row_split cut = t->s;
    oq_value_id joined;
    drop_cuts(t, writer, &cut);
    if (cut.parts < 2) return ONNXQ_OK;
    cut.nodes[0] = t->writers[writer];
    cut.node_count = 1;
    add_tail(&cut);
    const oq_value_id last = cut.nodes[cut.node_count - 1]->outputs[0];
    cut.order = t->cuts;
    OQ_TRY(oq_split_write(&cut, &joined, err));
    ++*count;
    return oq_graph_replace_uses(t->s.graph, last, joined, false, err);
}

// Nobody may take them, or their statistics, for what they were.
static oq_status rename_values(const set *t, oq_error *err) {
    oq_graph *graph = t->s.graph;
    for (size_t v = 0; v < t->f->sets.count; v++) {
        const oq_gvalue *value = oq_graph_value(graph, (oq_value_id)v);
        if (value->dead || value->initializer ||
            oq_channel_sets_leader(&t->f->sets, (oq_value_id)v) != t->leader)
            continue;
        const char *name = oq_arena_printf(&graph->model->arena, err, "%s_reordered", value->name);
        if (!name) return ONNXQ_NO_MEMORY;
        OQ_TRY(oq_graph_unique_name(graph, name, &name, err));
        OQ_TRY(oq_stats_repeat(t->s.stats, value->name, name, err));
        OQ_TRY(oq_graph_rename(graph, (oq_value_id)v, name, err));
    }
    return ONNXQ_OK;
}

static oq_status write_set(const set *t, size_t *count, oq_error *err) {
    OQ_TRY(reorder_all(t, err));
    for (size_t l = 0; l < t->writer_count; l++) OQ_TRY(cut_writer(t, l, count, err));
    return rename_values(t, err);
}

static oq_status split_set(set *t, size_t *count, oq_error *err) {
    oq_mem *mem = t->s.graph->model->mem;
    const size_t n = t->s.channels;
    oq_status status = ONNXQ_NO_MEMORY;
    bool any = false;
    OQ_TRY_DONE(find_writers(t, err));
    t->size = oq_mem_calloc(mem, t->writer_count * n + 1, 2 * sizeof *t->size, err);
    t->s.order = oq_mem_calloc(mem, n, 2 * sizeof *t->s.order, err);
    if (!t->size || !t->s.order) {
        status = ONNXQ_NO_MEMORY;
        goto done;
    }
    t->weight = t->size + t->writer_count * n;
    t->cuts = t->s.order + n;
    t->s.width = n;
    for (size_t c = 0; c < n; c++) t->cuts[c] = c;
    OQ_TRY_DONE(measure(t, err));
    if (t->writer_count) OQ_TRY_DONE(find_parts(t, &any, err));
    if (any) OQ_TRY_DONE(write_set(t, count, err));
done:
    oq_mem_free(mem, t->writers);
    oq_mem_free(mem, t->size);
    oq_mem_free(mem, t->s.order);
    return status;
}

// Sets that something writes and something reads, of more channels than one.
static oq_status split_all(const finder *f, size_t *count, oq_error *err) {
    for (size_t v = 0; v < f->sets.count; v++) {
        const oq_value_id id = (oq_value_id)v;
        const oq_gvalue *value = oq_graph_value(f->s.graph, id);
        set t = {.f = f, .s = f->s, .leader = id};
        if (value->initializer || oq_channel_sets_leader(&f->sets, id) != id || f->sets.spoiled[id]) continue;
        t.s.channels = oq_channels_of(f->s.graph, id);
        if (t.s.channels > 1) OQ_TRY(split_set(&t, count, err));
    }
    return ONNXQ_OK;
}

oq_status oq_split_sums(oq_graph *graph, const oq_split_rows_options *options, oq_stats *stats, size_t *count,
                        oq_error *err) {
    finder f = {.s = {.graph = graph, .options = options, .stats = stats}};
    oq_status status;
    OQ_TRY_DONE(oq_infer_graph(graph, err));
    OQ_TRY_DONE(find_sets(&f, err));
    OQ_TRY_DONE(split_all(&f, count, err));
done:
    oq_channel_sets_release(&f.sets);
    return status;
}
