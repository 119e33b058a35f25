// Elementwise functions on integers: where integers come in anyway and nobody wants floats.
#include "quant/plan.h"

#include <math.h>
#include <string.h>

static size_t data_inputs(const oq_rule *rule, const oq_node *node) {
    return rule->all_inputs || !node->input_count ? node->input_count : 1;
}

bool oq_plan_is_number(const oq_plan *plan, oq_value_id value, double *number) {
    const oq_constant *constant = oq_graph_constant(plan->graph, value);
    oq_tensor tensor = {0};
    if (!constant || constant->dtype != ONNXQ_FLOAT || oq_shape_count(&constant->shape) != 1 ||
        constant->shape.rank > 1 || oq_constant_load(plan->mem, constant, &tensor, NULL) != ONNXQ_OK)
        return false;
    *number = oq_tensor_get_f64(&tensor, 0);
    oq_tensor_release(&tensor);
    return isfinite(*number);
}

// Whether input k is computed, and its elements go into the function.
static bool is_data(const oq_plan *plan, const oq_rule *rule, const oq_node *node, size_t k) {
    return k < data_inputs(rule, node) && node->inputs[k] != OQ_NONE &&
           !oq_graph_constant(plan->graph, node->inputs[k]);
}

bool oq_plan_elementwise_use(const oq_plan *plan, oq_use use) {
    const oq_node *node = oq_graph_node(plan->graph, use.node);
    return plan->computing[use.node] && use.input >= 0 &&
           is_data(plan, plan->elementwise[use.node], node, (size_t)use.input);
}

oq_value_id oq_plan_elementwise_output(const oq_plan *plan, oq_node_id node) {
    const oq_node_id clip = plan->clip_of[node];
    return oq_graph_node(plan->graph, clip == OQ_NONE ? node : clip)->outputs[0];
}

oq_node_id oq_plan_computed_by(const oq_plan *plan, oq_value_id value) {
    const oq_node_id producer = oq_graph_value(plan->graph, value)->producer;
    if (producer == OQ_NONE) return OQ_NONE;
    const oq_node_id node = plan->clips[producer] == OQ_NONE ? producer : plan->clips[producer];
    return plan->computing[node] && oq_plan_elementwise_output(plan, node) == value ? node : OQ_NONE;
}

// A Relu or Clip right behind, for which the output's grid can stand (ranges.c).
static void take_clip(oq_plan *plan, const oq_node *node) {
    const oq_node *clip = oq_graph_only_consumer(plan->graph, node->outputs[0]);
    double low, high;
    if (!clip || clip->domain[0] || clip->region != OQ_NONE || clip->inputs[0] != node->outputs[0] ||
        oq_options_exclude(&plan->options, clip) || !oq_node_clip_bounds(plan->graph, clip, &low, &high))
        return;
    plan->clip_of[node->id] = clip->id;
    plan->clips[clip->id] = node->id;
}

void oq_plan_consider_elementwise(oq_plan *plan, const oq_node *node, const oq_rule *rule) {
    const oq_quant_options *o = &plan->options;
    const char *reason = NULL;
    const bool fit = o->activation_bits == 8 && !o->activation_symmetric && o->mode == OQ_MODE_STATIC;
    if (!o->elementwise || !fit || !oq_options_choose(o, node, &reason) || node->output_count != 1 ||
        node->outputs[0] == OQ_NONE || !node->input_count)
        return;
    size_t data = 0;
    double number;
    for (size_t i = 0; i < data_inputs(rule, node); i++) {
        const bool own = is_data(plan, rule, node, i);
        if (own ? oq_value_dtype(plan->graph, node->inputs[i]) != ONNXQ_FLOAT
                : !rule->scalars || !oq_plan_is_number(plan, node->inputs[i], &number))
            return;
        data += own;
    }
    if (!data) return;
    if (rule->fits && !rule->fits(plan->graph, node)) return;
    plan->elementwise[node->id] = rule;
    if (!rule->shift) take_clip(plan, node);
}

// --- which of them ---

static const oq_layer *active_layer(const oq_plan *plan, int32_t index) {
    return index >= 0 && !plan->layers[index].dropped ? &plan->layers[index] : NULL;
}

// A passthrough node that moves what comes as integers.
static bool is_mover(const oq_plan *plan, oq_node_id id) {
    const oq_rule *rule = plan->rules[id];
    return rule && !rule->all_inputs && oq_graph_node(plan->graph, id)->input_count > 0;
}

// Convolutions give integers in any case; so do elementwise nodes, and what only moves either.
static bool comes_as_integers(const oq_plan *plan, oq_value_id value) {
    for (;;) {
        const oq_node_id producer = oq_graph_value(plan->graph, value)->producer;
        const oq_layer *layer = active_layer(plan, plan->producer_layer[value]);
        if (plan->bits[value] > 8) return false;
        if (layer) return layer->shape == OQ_LAYER_CONV && !layer->wide && !layer->line;
        if (producer == OQ_NONE) return false;
        if (oq_plan_computed_by(plan, value) != OQ_NONE) return true;
        if (!is_mover(plan, producer)) return false;
        value = oq_graph_node(plan->graph, producer)->inputs[0];
        if (value == OQ_NONE) return false;
    }
}

static bool all_wanted(const bool *wanted, const oq_node *node) {
    for (size_t k = 0; k < node->output_count; k++)
        if (node->outputs[k] != OQ_NONE && !wanted[node->outputs[k]]) return false;
    return true;
}

static bool wants(const oq_plan *plan, const bool *wanted, oq_use use) {
    const oq_layer *layer = active_layer(plan, plan->layer_of[use.node]);
    if (layer) return !layer->wide && use.input < 2 && !layer->operand[use.input].constant;
    if (plan->computing[use.node]) return oq_plan_elementwise_use(plan, use);
    return use.input == 0 && is_mover(plan, use.node) &&
           all_wanted(wanted, oq_graph_node(plan->graph, use.node));
}

// Backwards: all that read the value take integers, here or behind nodes that move them.
static void find_wanted(const oq_plan *plan, bool *wanted) {
    for (size_t i = plan->order_count; i-- > 0;) {
        const oq_node *node = oq_graph_node(plan->graph, plan->order[i]);
        for (size_t k = 0; k < node->output_count; k++) {
            if (node->outputs[k] == OQ_NONE) continue;
            const oq_gvalue *value = oq_graph_value(plan->graph, node->outputs[k]);
            bool all = !value->is_output && value->use_count > 0;
            for (size_t u = 0; all && u < value->use_count; u++) all = wants(plan, wanted, value->uses[u]);
            wanted[node->outputs[k]] = all;
        }
    }
}

static bool is_alone(const oq_plan *plan, oq_value_id value) {
    return plan->bits[value] <= 8 && oq_graph_only_consumer(plan->graph, value);
}

static bool stays(const oq_plan *plan, const bool *wanted, const oq_node *node) {
    const oq_rule *rule = plan->elementwise[node->id];
    const oq_value_id output = oq_plan_elementwise_output(plan, node->id);
    const int bits = plan->bits[output];
    if (!wanted[output] || (bits && bits != 8)) return false;
    bool any = false;
    for (size_t k = 0; k < data_inputs(rule, node); k++) {
        if (!is_data(plan, rule, node, k)) continue;
        const bool comes = comes_as_integers(plan, node->inputs[k]);
        // A float that nobody else reads is quantized in front of a Concat as well as behind it.
        const bool may = rule->kind == OQ_RULE_PASSTHROUGH && is_alone(plan, node->inputs[k]);
        if (!comes && !may) return false;
        any |= comes;
    }
    return any;
}

// From all that may, less those that miss something, until nothing changes.
void oq_plan_find_elementwise(oq_plan *plan, bool *wanted) {
    bool changed = true;
    for (size_t n = 0; n < plan->node_count; n++) plan->computing[n] = plan->elementwise[n] != NULL;
    while (changed) {
        changed = false;
        memset(wanted, 0, plan->value_count * sizeof *wanted);
        find_wanted(plan, wanted);
        for (size_t i = 0; i < plan->order_count; i++) {
            const oq_node *node = oq_graph_node(plan->graph, plan->order[i]);
            if (!plan->computing[node->id] || stays(plan, wanted, node)) continue;
            plan->computing[node->id] = false;
            changed = true;
        }
    }
    for (size_t i = 0; i < plan->order_count; i++) {
        const oq_node *node = oq_graph_node(plan->graph, plan->order[i]);
        if (!plan->computing[node->id]) continue;
        plan->integer[oq_plan_elementwise_output(plan, node->id)] = true;
        for (size_t k = 0; k < node->input_count; k++)
            if (is_data(plan, plan->elementwise[node->id], node, k)) plan->integer[node->inputs[k]] = true;
    }
}
