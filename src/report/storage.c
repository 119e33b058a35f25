// Weight-only quantization in a report: sizes by operator, and what stays float.
#include "quant/storage.h"
#include "report/json.h"

#include <string.h>

static const char *granularity_name(const oq_stored *stored) {
    static const char *const names[] = {
        [OQ_PER_TENSOR] = "tensor", [OQ_PER_CHANNEL] = "channel", [OQ_PER_GROUP] = "group"};
    return names[stored->granularity.kind];
}

static json_t *row(const oq_storage *storage, const oq_stored_use *use) {
    char label[160];
    const oq_node *node = oq_graph_node(storage->graph, use->node);
    const oq_stored *stored = use->reason ? NULL : &storage->items[use->stored];
    const char *reason = stored ? stored->dropped : use->reason;
    json_t *out = json_object();
    json_object_set_new(out, "node", json_string(oq_node_label(node, label, sizeof label)));
    json_object_set_new(out, "op", json_string(node->op_type));
    if (reason) {
        json_object_set_new(out, "reason", json_string(reason));
        return out;
    }
    const char *nearest = storage->rounded ? oq_storage_nearest(storage, use) : NULL;
    if (nearest) json_object_set_new(out, "rounded_to_nearest", json_string(nearest));
    json_object_set_new(out, "weights", json_string(stored->constant->name));
    json_object_set_new(out, "bits", json_integer(stored->grid.bits));
    json_object_set_new(out, "dtype", json_string(oq_dtype_info(stored->carrier)->name));
    json_object_set_new(out, "scale_per", json_string(granularity_name(stored)));
    if (stored->granularity.kind == OQ_PER_GROUP)
        json_object_set_new(out, "group_size", json_integer(stored->granularity.group_size));
    json_object_set_new(out, "bytes_before", json_integer((json_int_t)oq_stored_bytes_before(stored)));
    json_object_set_new(out, "bytes_after", json_integer((json_int_t)oq_stored_bytes_after(stored)));
    return out;
}

// Layers and bytes by operator; a constant that several nodes read counts for the first.
static json_t *by_operator(const oq_storage *storage) {
    json_t *out = json_object();
    size_t counted = 0;
    for (size_t i = 0; i < storage->use_count; i++) {
        const oq_stored_use *use = &storage->uses[i];
        const char *op_type = oq_graph_node(storage->graph, use->node)->op_type;
        if (use->reason || storage->items[use->stored].dropped) continue;
        const bool first = use->stored == counted; // entries are made in the order of their first uses
        if (first) counted++;
        const oq_stored *stored = &storage->items[use->stored];
        oq_json_add_sizes(out, op_type, first ? oq_stored_bytes_before(stored) : 0,
                          first ? oq_stored_bytes_after(stored) : 0);
    }
    return out;
}

json_t *oq_json_storage(const oq_storage *storage) {
    json_t *out = json_object(), *nodes = json_array();
    for (size_t i = 0; i < storage->use_count; i++)
        json_array_append_new(nodes, row(storage, &storage->uses[i]));
    json_object_set_new(out, "operators", by_operator(storage));
    json_object_set_new(out, "nodes", nodes);
    return out;
}

// Nodes that have the text `key`, which says why.
static void print_reasons(const json_t *storage, const char *title, const char *key, oq_text *into) {
    json_t *value;
    size_t index;
    bool titled = false;
    json_array_foreach(json_object_get(storage, "nodes"), index, value) {
        if (!json_object_get(value, key)) continue;
        if (!titled) oq_text_add(into, title);
        titled = true;
        oq_text_printf(into, "  %s (%s): %s\n", oq_json_text(value, "node"), oq_json_text(value, "op"),
                       oq_json_text(value, key));
    }
}

void oq_print_storage(const json_t *storage, oq_text *into) {
    oq_text_add(into, "weights stored as integers, computed in float:\n");
    oq_print_sizes(json_object_get(storage, "operators"), into);
    print_reasons(storage, "rounded to nearest, not by the samples:\n", "rounded_to_nearest", into);
    print_reasons(storage, "left float:\n", "reason", into);
}
