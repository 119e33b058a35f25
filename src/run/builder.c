// First half of a plan: the nodes in their order, what of them is needed, and where values are kept.
#include "run/builder.h"

#include <string.h>

#define MOST_STEPS ((size_t)1 << 22) // of one program: calls of functions that call functions multiply

static oq_status add_item(oq_builder *b, oq_item added, oq_error *err) {
    void *items = b->items;
    OQ_TRY(oq_mem_reserve(b->program->mem, &items, b->item_count, &b->item_capacity, sizeof added, err));
    b->items = items;
    b->items[b->item_count++] = added;
    if (++b->program->step_total > MOST_STEPS)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "the model's functions unfold to more than %zu nodes",
                       MOST_STEPS);
    return ONNXQ_OK;
}

static oq_status collect_node(oq_builder *b, const oq_node *node, oq_error *err) {
    // Attribute references make a node that only this call knows; groups are looked for outside of functions.
    if (!b->binding && !b->program->plain_qdq) {
        oq_group group = {0};
        bool found = false;
        OQ_TRY(oq_group_find(&b->extra, b->graph, node, &group, &found, err));
        for (int i = 0; found && i < OQ_GROUP_NODES && group.node[i]; i++)
            OQ_TRY(add_item(
                b, (oq_item){.node = group.node[i], .version = group.version[i], .opset = group.opset[i]},
                err));
        // The nodes inside a group stay in the list: whoever observes their values gets them from there.
        if (found) return ONNXQ_OK;
    }
    const oq_node *bound;
    OQ_TRY(oq_node_bind(&b->program->arena, node, b->binding, &bound, err));
    return add_item(b, (oq_item){.node = bound}, err);
}

oq_status oq_builder_collect(oq_builder *b, oq_error *err) {
    oq_node_id *order = NULL;
    size_t count = 0;
    oq_status status = oq_graph_order(b->graph, &order, &count, err);
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++)
        status = collect_node(b, oq_graph_node(b->graph, order[i]), err);
    oq_mem_free(b->graph->model->mem, order);
    if (status != ONNXQ_OK) return status;
    b->id_count = b->graph->value_count + b->extra.count;
    b->needed = oq_mem_calloc(b->program->mem, b->id_count + 1, sizeof *b->needed, err);
    b->given = oq_mem_calloc(b->program->mem, b->id_count + 1, sizeof *b->given, err);
    b->place = oq_mem_calloc(b->program->mem, b->id_count + 1, sizeof *b->place, err);
    return b->needed && b->given && b->place ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static const oq_constant *constant_behind(const oq_builder *b, oq_value_id id) {
    if ((size_t)id >= b->graph->value_count) return NULL;
    const oq_gvalue *value = oq_graph_value(b->graph, id);
    if (value->producer == OQ_NONE) return value->initializer;
    // A node whose attributes come from the call has no constant before it.
    return b->binding ? NULL : oq_graph_constant(b->graph, id);
}

static void need_all(oq_builder *b, const oq_value_id *ids, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (ids[i] != OQ_NONE) b->needed[ids[i]] = true;
}

static void mark_roots(oq_builder *b) {
    const oq_plan *plan = b->plan;
    need_all(b, plan->output_ids, plan->output_count);
    for (size_t i = 0; i < b->program->observed_count && b->options; i++)
        if (b->program->observed[i]) b->needed[i] = true;
    for (size_t i = 0; i < plan->input_count; i++) b->given[plan->input_ids[i]] = true;
    for (size_t i = 0; i < b->graph->capture_count; i++)
        if (b->graph->captures[i] != OQ_NONE) b->given[b->graph->captures[i]] = true;
}

static oq_status resolve(const oq_graph *graph, oq_item *item, oq_error *err) {
    return oq_node_resolve(graph, item->node, &item->function, &item->version, &item->opset, err);
}

oq_status oq_builder_mark(oq_builder *b, oq_error *err) {
    mark_roots(b);
    for (size_t i = b->item_count; i-- > 0;) {
        oq_item *item = &b->items[i];
        const oq_node *node = item->node;
        for (size_t k = 0; k < node->output_count; k++) {
            const oq_value_id id = node->outputs[k];
            if (id != OQ_NONE && b->needed[id] && !b->given[id] && !constant_behind(b, id))
                item->needed = true;
        }
        if (!item->needed) continue;
        need_all(b, node->inputs, node->input_count);
        need_all(b, node->captures, node->capture_count);
    }
    // The error names the first node in the order of execution.
    for (size_t i = 0; i < b->item_count; i++)
        if (b->items[i].needed && !b->items[i].version) OQ_TRY(resolve(b->graph, &b->items[i], err));
    return ONNXQ_OK;
}

static oq_place new_slot(oq_builder *b) { return (oq_place)b->plan->slot_count++; }

static void place_outside(oq_builder *b) {
    oq_plan *plan = b->plan;
    for (size_t i = 0; i < plan->input_count; i++) {
        const oq_value_id id = plan->input_ids[i];
        plan->inputs[i] = b->needed[id] ? new_slot(b) : OQ_NONE;
        b->place[id] = plan->inputs[i];
    }
    for (size_t i = 0; i < plan->capture_count; i++) {
        const oq_value_id id = b->graph->captures[i];
        const oq_place outer = b->outside && i < b->outside->count ? b->outside->places[i] : OQ_NONE;
        if (id == OQ_NONE) continue; // another body of the node uses it
        if (!b->needed[id] || oq_place_is_constant(outer)) {
            b->place[id] = b->needed[id] ? outer : OQ_NONE;
            continue;
        }
        plan->captures[i] = b->place[id] = new_slot(b);
    }
}

oq_status oq_builder_place(oq_builder *b, oq_error *err) {
    const size_t values = b->graph->value_count;
    for (size_t id = 0; id < b->id_count; id++)
        b->place[id] = id < values ? OQ_NONE : b->extra.place[id - values];
    place_outside(b);
    for (size_t i = 0; i < b->item_count; i++) {
        const oq_item *item = &b->items[i];
        for (size_t k = 0; item->needed && k < item->node->output_count; k++) {
            const oq_value_id id = item->node->outputs[k];
            if (id != OQ_NONE && b->needed[id] && !b->given[id]) b->place[id] = new_slot(b);
        }
    }
    for (size_t id = 0; id < values; id++) {
        if (!b->needed[id] || b->given[id] || b->place[id] != OQ_NONE) continue;
        const oq_constant *constant = constant_behind(b, (oq_value_id)id);
        if (!constant)
            return oq_fail(err, ONNXQ_BAD_MODEL,
                           "nothing gives value '%s': it is neither input, nor constant, nor output "
                           "of a node",
                           oq_graph_value(b->graph, (oq_value_id)id)->name);
        OQ_TRY(oq_program_constant(b->program, constant, &b->place[id], err));
    }
    return ONNXQ_OK;
}
