// Makes a plan: layers, flow of integers, parameters, weights; again without the layers that did not fit.
#include "quant/plan.h"

#include <stdlib.h>
#include <string.h>

static oq_status allocate(oq_plan *plan, oq_error *err) {
    const size_t values = plan->value_count + 1, nodes = plan->node_count + 1;
    plan->tensors = oq_arena_calloc(&plan->arena, values, sizeof *plan->tensors, err);
    plan->nodes = oq_arena_calloc(&plan->arena, nodes, sizeof *plan->nodes, err);
    plan->rules = oq_arena_calloc(&plan->arena, nodes, sizeof(void *), err);
    plan->layer_of = oq_arena_alloc(&plan->arena, nodes * sizeof *plan->layer_of, err);
    plan->producer_layer = oq_arena_alloc(&plan->arena, values * sizeof *plan->producer_layer, err);
    plan->integer = oq_arena_calloc(&plan->arena, values, sizeof *plan->integer, err);
    plan->leader = oq_arena_calloc(&plan->arena, values, sizeof *plan->leader, err);
    plan->bits = oq_arena_calloc(&plan->arena, values, sizeof *plan->bits, err);
    plan->range = oq_arena_calloc(&plan->arena, values, sizeof *plan->range, err);
    plan->tail = oq_arena_calloc(&plan->arena, values, sizeof *plan->tail, err);
    plan->moving = oq_arena_calloc(&plan->arena, nodes, sizeof *plan->moving, err);
    plan->elementwise = oq_arena_calloc(&plan->arena, nodes, sizeof(void *), err);
    plan->computing = oq_arena_calloc(&plan->arena, nodes, sizeof *plan->computing, err);
    plan->alias = oq_arena_alloc(&plan->arena, values * sizeof *plan->alias, err);
    plan->clip_of = oq_arena_alloc(&plan->arena, nodes * sizeof *plan->clip_of, err);
    plan->clips = oq_arena_alloc(&plan->arena, nodes * sizeof *plan->clips, err);
    if (!plan->tensors || !plan->nodes || !plan->rules || !plan->layer_of || !plan->producer_layer ||
        !plan->integer || !plan->leader || !plan->bits || !plan->range || !plan->tail || !plan->moving ||
        !plan->elementwise || !plan->computing || !plan->clip_of || !plan->clips || !plan->alias)
        return ONNXQ_NO_MEMORY;
    for (size_t v = 0; v < values; v++) plan->alias[v] = OQ_NONE;
    for (size_t n = 0; n < nodes; n++) plan->clip_of[n] = plan->clips[n] = OQ_NONE;
    memset(plan->layer_of, -1, nodes * sizeof *plan->layer_of);
    return oq_graph_order(plan->graph, &plan->order, &plan->order_count, err);
}

oq_status oq_plan_open(oq_graph *graph, const oq_quant_options *options, oq_plan **out, oq_error *err) {
    *out = NULL;
    OQ_TRY(oq_options_check(options, err));
    oq_mem *mem = graph->model->mem;
    oq_plan *plan = *out = oq_mem_calloc(mem, 1, sizeof *plan, err);
    if (!plan) return ONNXQ_NO_MEMORY;
    plan->mem = mem;
    oq_arena_init(&plan->arena, mem);
    plan->graph = graph;
    plan->options = *options;
    plan->value_count = graph->value_count;
    plan->node_count = graph->node_count;
    return allocate(plan, err);
}

// Nodes in the bodies of a node, to any depth: listed when a compute rule would apply to them.
static oq_status list_inner(oq_plan *plan, oq_node_id owner, const oq_node *node, oq_error *err);

static oq_status list_body(oq_plan *plan, oq_node_id owner, const oq_graph *body, oq_error *err) {
    for (size_t i = 0; i < body->node_count; i++) {
        const oq_node *node = body->nodes[i];
        if (node->dead) continue;
        const oq_rule *rule = oq_rule_find(node);
        if (rule && rule->kind == OQ_RULE_COMPUTE) {
            OQ_TRY(oq_mem_reserve(plan->mem, (void **)&plan->inner, plan->inner_count, &plan->inner_capacity,
                                  sizeof *plan->inner, err));
            plan->inner[plan->inner_count++] =
                (oq_inner_node){.node = node, .owner = owner, .reason = "inside the body of another node"};
        }
        OQ_TRY(list_inner(plan, owner, node, err));
    }
    return ONNXQ_OK;
}

static oq_status list_inner(oq_plan *plan, oq_node_id owner, const oq_node *node, oq_error *err) {
    for (size_t a = 0; a < node->attr_count; a++) {
        const oq_attr *attr = &node->attrs[a];
        if (attr->kind == OQ_ATTR_GRAPH && attr->graph) OQ_TRY(list_body(plan, owner, attr->graph, err));
        for (size_t i = 0; attr->kind == OQ_ATTR_GRAPHS && i < attr->count; i++)
            OQ_TRY(list_body(plan, owner, attr->graphs[i], err));
    }
    return ONNXQ_OK;
}

// Layers that turn out not to fit are dropped, which changes what is worth carrying as integers; each round
// drops or unfolds at least one thing, so this ends.
static oq_status settle(oq_plan *plan, oq_error *err) {
    bool changed = true;
    while (changed) {
        changed = false;
        OQ_TRY(oq_plan_flow(plan, err));
        OQ_TRY(oq_plan_ranges(plan, &changed, err));
        if (!changed) OQ_TRY(oq_plan_weights(plan, &changed, err));
    }
    return ONNXQ_OK;
}

static void note_weight(oq_plan *plan, const oq_weight *w) {
    if (!w || plan->tensors[w->value].quantized) return;
    plan->tensors[w->value] = (oq_tensor_plan){.quantized = true,
                                               .grid = w->grid,
                                               .carrier = w->carrier,
                                               .axis = w->axis,
                                               .channels = oq_weight_params(w),
                                               .params = w->params,
                                               .shared = OQ_NONE};
}

static void note_fates(oq_plan *plan) {
    for (size_t l = 0; l < plan->layer_count; l++) {
        const oq_layer *layer = &plan->layers[l];
        oq_node_plan *node = &plan->nodes[layer->node];
        node->reason = layer->dropped;
        if (layer->dropped) continue;
        node->fate = OQ_FATE_QUANTIZED;
        node->narrowed = layer->narrowed;
        if (layer->bias_node != OQ_NONE) plan->nodes[layer->bias_node].fate = OQ_FATE_FOLDED;
        if (layer->clip_node != OQ_NONE) plan->nodes[layer->clip_node].fate = OQ_FATE_FOLDED;
        note_weight(plan, layer->operand[0].weight);
        note_weight(plan, layer->operand[1].weight);
    }
    for (size_t n = 0; n < plan->node_count; n++) {
        if (plan->moving[n]) plan->nodes[n].fate = OQ_FATE_PASSTHROUGH;
        if (!plan->computing[n]) continue;
        plan->nodes[n].fate = OQ_FATE_ELEMENTWISE;
        if (plan->clip_of[n] != OQ_NONE) plan->nodes[plan->clip_of[n]].fate = OQ_FATE_FOLDED;
    }
}

// Real samples say more, but for what somebody said of inputs.
static oq_status find_bounds(oq_plan *plan, oq_error *err) {
    bool wanted = plan->stats && (plan->stats->synthetic || plan->stats->given);
    for (size_t i = 0; plan->stats && i < plan->graph->input_count; i++)
        wanted |= oq_graph_value(plan->graph, plan->graph->inputs[i])->bounded;
    if (!wanted) return ONNXQ_OK;
    plan->bounds = oq_arena_calloc(&plan->arena, plan->value_count + 1, sizeof *plan->bounds, err);
    return plan->bounds ? oq_graph_bounds(plan->graph, plan->bounds, err) : ONNXQ_NO_MEMORY;
}

static void count_bounded(oq_plan *plan) {
    oq_range range;
    for (size_t v = 0; plan->bounds && v < plan->value_count; v++)
        plan->bounded_count += plan->integer[v] && plan->tensors[v].quantized &&
                               plan->tensors[v].shared == OQ_NONE &&
                               oq_plan_range_follows(plan, (oq_value_id)v, &range);
}

static oq_status make(oq_plan *plan, oq_error *err) {
    OQ_TRY(oq_plan_find_layers(plan, err));
    for (size_t l = 0; l < plan->layer_count; l++)
        if (plan->layers[l].transposed) plan->layers[l].dropped = OQ_NO_TRANSPOSED_CONVOLUTION;
    OQ_TRY(find_bounds(plan, err));
    OQ_TRY(oq_plan_guard_tails(plan, err));
    for (size_t i = 0; i < plan->order_count; i++)
        OQ_TRY(list_inner(plan, plan->order[i], oq_graph_node(plan->graph, plan->order[i]), err));
    OQ_TRY(plan->options.mode == OQ_MODE_DYNAMIC ? oq_plan_dynamic(plan, err) : settle(plan, err));
    note_fates(plan);
    count_bounded(plan);
    plan->stats = NULL; // the caller's
    return ONNXQ_OK;
}

oq_status oq_plan_make(oq_graph *graph, const oq_stats *stats, const oq_quant_options *options, oq_plan **out,
                       oq_error *err) {
    *out = NULL;
    oq_plan *plan;
    oq_status status = oq_plan_open(graph, options, &plan, err);
    if (plan) plan->stats = stats;
    if (status == ONNXQ_OK) status = make(plan, err);
    if (status != ONNXQ_OK) {
        oq_plan_free(plan);
        return status;
    }
    *out = plan;
    return ONNXQ_OK;
}

static void mark(const oq_plan *plan, oq_value_id value, bool *observed) {
    if (value == OQ_NONE || oq_graph_constant(plan->graph, value)) return;
    const oq_dtype dtype = oq_value_dtype(plan->graph, value);
    observed[value] = dtype == ONNXQ_FLOAT || dtype == ONNXQ_UNDEFINED;
}

// Grids from 0 on saturate where a Relu cuts, so nobody asks for the range of what it cuts.
static bool cuts_at_zero(const oq_quant_options *options, const oq_layer *layer) {
    return layer->clip_node != OQ_NONE && layer->low == 0 && !options->activation_signed &&
           !options->activation_symmetric;
}

oq_status oq_quant_observe(oq_graph *graph, const oq_quant_options *options, bool *observed, oq_error *err) {
    oq_plan *plan;
    memset(observed, 0, graph->value_count * sizeof *observed);
    oq_status status = oq_plan_open(graph, options, &plan, err);
    if (status == ONNXQ_OK) status = oq_plan_find_layers(plan, err);
    for (size_t l = 0; status == ONNXQ_OK && l < plan->layer_count; l++) {
        const oq_layer *layer = &plan->layers[l];
        const oq_value_id values[] = {layer->operand[0].value, layer->operand[1].value, layer->output,
                                      cuts_at_zero(options, layer) ? OQ_NONE : layer->sum};
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) mark(plan, values[i], observed);
    }
    for (size_t n = 0; status == ONNXQ_OK && n < plan->node_count; n++) {
        const oq_node *node = oq_graph_node(graph, (oq_node_id)n);
        const oq_rule *rule = plan->rules[n] ? plan->rules[n] : plan->elementwise[n];
        if (!rule) continue;
        for (size_t i = 0; i < node->input_count && (i == 0 || rule->all_inputs); i++)
            mark(plan, node->inputs[i], observed);
        for (size_t i = 0; i < node->output_count; i++) mark(plan, node->outputs[i], observed);
        if (plan->elementwise[n]) mark(plan, oq_plan_elementwise_output(plan, (oq_node_id)n), observed);
    }
    oq_plan_free(plan);
    return status;
}

oq_status oq_quant_chosen(oq_graph *graph, const oq_quant_options *options, bool *chosen, oq_error *err) {
    oq_plan *plan;
    memset(chosen, 0, graph->node_count * sizeof *chosen);
    oq_status status = oq_plan_open(graph, options, &plan, err);
    if (status == ONNXQ_OK) status = oq_plan_find_layers(plan, err);
    for (size_t l = 0; status == ONNXQ_OK && l < plan->layer_count; l++) chosen[plan->layers[l].node] = true;
    oq_plan_free(plan);
    return status;
}

void oq_plan_free(oq_plan *plan) {
    if (!plan) return;
    for (size_t i = 0; i < plan->weight_count; i++) oq_tensor_release(&plan->weights[i]->q);
    oq_mem_free(plan->mem, plan->weights);
    oq_mem_free(plan->mem, plan->layers);
    oq_mem_free(plan->mem, plan->inner);
    oq_mem_free(plan->mem, plan->missing);
    oq_mem_free(plan->mem, plan->order);
    oq_arena_release(&plan->arena);
    oq_mem_free(plan->mem, plan);
}

int64_t oq_plan_minimum_opset(const oq_plan *plan) { return oq_quant_minimum_opset(&plan->options); }
const oq_tensor_plan *oq_plan_tensor(const oq_plan *plan, oq_value_id id) { return &plan->tensors[id]; }
const oq_node_plan *oq_plan_node(const oq_plan *plan, oq_node_id id) { return &plan->nodes[id]; }

const oq_inner_node *oq_plan_inner(const oq_plan *plan, size_t *count) {
    *count = plan->inner_count;
    return plan->inner;
}

const oq_value_id *oq_plan_missing(const oq_plan *plan, size_t *count) {
    *count = plan->missing_count;
    return plan->missing;
}

oq_plan_summary oq_plan_summarize(const oq_plan *plan) {
    oq_plan_summary sum = {.bounded = plan->bounded_count};
    for (size_t i = 0; i < plan->order_count; i++) {
        const oq_node_plan *node = &plan->nodes[plan->order[i]];
        if (node->fate != OQ_FATE_QUANTIZED && !node->reason) continue;
        sum.nodes++;
        sum.macs += node->macs;
        if (node->fate != OQ_FATE_QUANTIZED) continue;
        sum.quantized++;
        sum.macs_quantized += node->macs;
    }
    return sum;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const oq_operator_count *)a)->op_type, ((const oq_operator_count *)b)->op_type);
}

oq_status oq_count_operators(const oq_graph *graph, oq_operator_count **list, size_t *count, oq_error *err) {
    *count = 0;
    *list = oq_mem_calloc(graph->model->mem, graph->node_count + 1, sizeof **list, err);
    if (!*list) return ONNXQ_NO_MEMORY;
    size_t total = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i]->dead) (*list)[total++] = (oq_operator_count){graph->nodes[i]->op_type, 1};
    qsort(*list, total, sizeof **list, by_name);
    for (size_t i = 0; i < total; i++) {
        if (*count && by_name(&(*list)[*count - 1], &(*list)[i]) == 0)
            (*list)[*count - 1].count++;
        else
            (*list)[(*count)++] = (*list)[i];
    }
    return ONNXQ_OK;
}
