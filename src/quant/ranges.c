// Parameters of activations: one range and one (scale, zero point) for every group of values that share them.
#include "quant/plan.h"

#include <math.h>

// Single operators that do not tell inputs outside of a range apart.
static oq_range saturation(const oq_node *node) {
    oq_range range = {-INFINITY, INFINITY};
    const double alpha = (double)oq_node_float(node, "alpha", 0.2f),
                 beta = (double)oq_node_float(node, "beta", 0.5f);
    if (oq_node_is(node, "HardSwish")) range.min = -3;
    if (oq_node_is(node, "HardSigmoid") && alpha > 0) range = (oq_range){-beta / alpha, (1 - beta) / alpha};
    return range;
}

static oq_range unite(oq_range a, oq_range b) { return (oq_range){fmin(a.min, b.min), fmax(a.max, b.max)}; }

// What one reader of a value makes use of; behind a node that moves elements, what its own readers do.
static oq_range used_by(const oq_plan *plan, oq_value_id value, oq_use use) {
    const oq_node *node = oq_graph_node(plan->graph, use.node);
    oq_range range = {INFINITY, -INFINITY};
    if (node->region != OQ_NONE) {
        range = (oq_range){-INFINITY, INFINITY};
        for (size_t i = 0; i < plan->options.floor_count; i++)
            if (plan->options.floors[i].value == value && plan->options.floors[i].region == node->region)
                range.min = plan->options.floors[i].low;
        return range;
    }
    if (!plan->moving[use.node]) return saturation(node);
    for (size_t k = 0; k < node->output_count; k++)
        if (node->outputs[k] != OQ_NONE) range = unite(range, oq_plan_used_range(plan, node->outputs[k]));
    return range;
}

oq_range oq_plan_used_range(const oq_plan *plan, oq_value_id id) {
    const oq_gvalue *value = oq_graph_value(plan->graph, id);
    oq_range range = {INFINITY, -INFINITY};
    for (size_t u = 0; u < value->use_count; u++) range = unite(range, used_by(plan, id, value->uses[u]));
    return value->is_output || !value->use_count ? (oq_range){-INFINITY, INFINITY} : range;
}

// What the producer of a value can give at all.
static oq_range bounds_of(const oq_plan *plan, oq_value_id value) {
    static const struct {
        const char *op_type;
        oq_range range;
    } bounded[] = {{"Sigmoid", {0, 1}},
                   {"HardSigmoid", {0, 1}},
                   {"Softmax", {0, 1}},
                   {"Tanh", {-1, 1}},
                   {"Softsign", {-1, 1}}};
    oq_range range = {-INFINITY, INFINITY};
    const oq_node_id id = oq_graph_value(plan->graph, value)->producer;
    const oq_node *node = id == OQ_NONE ? NULL : oq_graph_node(plan->graph, id);
    // Behind a layer that took the clip in, it is the integers' own saturation that bounds them.
    const int32_t index = plan->producer_layer[value];
    if (!node || (index >= 0 && !plan->layers[index].dropped)) return range;
    for (size_t i = 0; i < sizeof bounded / sizeof *bounded; i++)
        if (oq_node_is(node, bounded[i].op_type)) return bounded[i].range;
    double low, high;
    return oq_node_clip_bounds(plan->graph, node, &low, &high) ? (oq_range){low, high} : range;
}

bool oq_plan_clip_taken(const oq_plan *plan, oq_value_id value, double *low, double *high) {
    const int32_t index = plan->producer_layer[value];
    const oq_layer *layer = index < 0 || plan->layers[index].dropped ? NULL : &plan->layers[index];
    const oq_node_id node = layer ? OQ_NONE : oq_plan_computed_by(plan, value);
    if (layer && layer->clip_node != OQ_NONE) {
        *low = layer->low, *high = layer->high;
        return true;
    }
    return node != OQ_NONE && plan->clip_of[node] != OQ_NONE &&
           oq_node_clip_bounds(plan->graph, oq_graph_node(plan->graph, plan->clip_of[node]), low, high);
}

// Whole functions on integers have the levels that they can give, whatever the samples showed of them.
static bool has_fixed_range(const oq_plan *plan, oq_value_id value, oq_range *out) {
    double low, high;
    const oq_node_id node = oq_plan_computed_by(plan, value);
    if (node == OQ_NONE || oq_plan_clip_taken(plan, value, &low, &high)) return false;
    const oq_range bounds = bounds_of(plan, value);
    if (!isfinite(bounds.min) || !isfinite(bounds.max)) return false;
    *out = bounds;
    return true;
}

oq_range oq_plan_limits(const oq_plan *plan, oq_value_id value) {
    const oq_range range = oq_plan_used_range(plan, value);
    double low, high;
    if (!oq_plan_clip_taken(plan, value, &low, &high)) return range;
    return (oq_range){fmax(range.min, low), fmin(range.max, high)};
}

// Bounds that are so much wider than what made-up samples showed say less than these.
#define MUCH_WIDER 2.0

static double width_of(double low, double high) { return fmax(high, 0) - fmin(low, 0); }

bool oq_plan_range_follows(const oq_plan *plan, oq_value_id value, oq_range *out) {
    const oq_gvalue *v = oq_graph_value(plan->graph, value);
    const oq_tensor_stats *stats = oq_stats_find(plan->stats, v->name);
    if (!plan->bounds || !isfinite(plan->bounds[value].range.min) || !isfinite(plan->bounds[value].range.max))
        return false;
    const oq_bound *bound = &plan->bounds[value];
    *out = bound->range;
    if (v->bounded) return true;
    if (!stats || !stats->count) return bound->sharp;
    return plan->stats->synthetic && width_of(bound->range.min, bound->range.max) <=
                                         MUCH_WIDER * width_of((double)stats->min, (double)stats->max);
}

// What samples showed of a value.
static oq_status observed(const oq_plan *plan, oq_value_id value, const oq_tensor_stats *stats, oq_range *out,
                          oq_error *err) {
    // What the model gives out is not cut unless a method is asked for.
    const bool room = oq_plan_has_headroom(plan, value),
               whole = room || (plan->options.method == OQ_RANGE_AUTO &&
                                oq_graph_value(plan->graph, value)->is_output);
    const oq_grid grid = oq_plan_grid(plan, value);
    OQ_TRY(oq_range_within(stats, whole ? OQ_RANGE_MINMAX : plan->options.method, plan->options.percentile,
                           &grid, plan->options.activation_symmetric, oq_plan_used_range(plan, value), out,
                           err));
    if (room) *out = oq_plan_with_headroom(plan, value, out);
    return ONNXQ_OK;
}

oq_status oq_plan_value_range(const oq_plan *plan, oq_value_id value, oq_range *out, bool *known,
                              oq_error *err) {
    const oq_tensor_stats *stats = oq_stats_find(plan->stats, oq_graph_value(plan->graph, value)->name);
    *known = true;
    if (has_fixed_range(plan, value, out)) return ONNXQ_OK;
    const bool follows = oq_plan_range_follows(plan, value, out);
    *known = follows || (stats && stats->count > 0);
    if (!*known) return ONNXQ_OK;
    if (!follows) OQ_TRY(observed(plan, value, stats, out, err));
    const oq_range limits = oq_plan_limits(plan, value);
    out->min = fmin(fmax(out->min, limits.min), limits.max);
    out->max = fmax(fmin(out->max, limits.max), limits.min);
    return ONNXQ_OK;
}

oq_status oq_plan_param_of(const oq_plan *plan, const oq_grid *grid, const oq_range *range,
                           const char *tensor, oq_qparam *out, oq_error *err) {
    if (plan->options.activation_symmetric)
        return oq_grid_symmetric(grid, fmax(fabs(range->min), fabs(range->max)), tensor, out, err);
    return oq_grid_asymmetric(grid, range->min, range->max, tensor, out, err);
}

// The integers below and above the bounds must be out of the grid's reach.
bool oq_plan_clip_is_exact(const oq_grid *grid, oq_qparam param, double low, double high) {
    const double scale = (double)param.scale, zero = param.zero_point;
    return low <= high && rint(low / scale) + zero <= grid->qmin && rint(high / scale) + zero >= grid->qmax;
}

bool oq_plan_needs_clip(const oq_plan *plan, oq_value_id value) {
    const oq_tensor_plan *tensor = &plan->tensors[value];
    const oq_dtype_traits *carrier = oq_dtype_info(tensor->carrier);
    const oq_range range = bounds_of(plan, value);
    const double scale = (double)tensor->made.scale, zero = tensor->made.zero_point;
    return fmax(rint(range.min / scale) + zero, (double)carrier->min) < tensor->grid.qmin ||
           fmin(rint(range.max / scale) + zero, (double)carrier->max) > tensor->grid.qmax;
}

// The value of a group by which a layer touches it, or OQ_NONE.
static oq_value_id touched(const oq_plan *plan, const oq_layer *layer, oq_value_id leader) {
    for (int i = 0; i < 2; i++)
        if (!layer->operand[i].constant && oq_plan_leader(plan, layer->operand[i].value) == leader)
            return layer->operand[i].value;
    return layer->integer && oq_plan_leader(plan, layer->output) == leader ? layer->output : OQ_NONE;
}

// Lists a group of which no range is known, by the name under which a layer asks for it.
static oq_status note_missing(oq_plan *plan, oq_value_id leader, oq_error *err) {
    oq_value_id value = OQ_NONE;
    for (size_t l = 0; l < plan->layer_count && value == OQ_NONE; l++)
        if (!plan->layers[l].dropped) value = touched(plan, &plan->layers[l], leader);
    if (value == OQ_NONE) return ONNXQ_OK;
    OQ_TRY(oq_mem_reserve(plan->mem, (void **)&plan->missing, plan->missing_count, &plan->missing_capacity,
                          sizeof *plan->missing, err));
    plan->missing[plan->missing_count++] = value;
    return ONNXQ_OK;
}

// Layers beside such a group stay float.
static oq_status drop_layers_of(oq_plan *plan, oq_value_id leader, bool *changed, oq_error *err) {
    for (size_t l = 0; l < plan->layer_count; l++) {
        oq_layer *layer = &plan->layers[l];
        const oq_value_id value = layer->dropped ? OQ_NONE : touched(plan, layer, leader);
        if (value == OQ_NONE) continue;
        layer->dropped = "a tensor beside it was never computed during calibration";
        if (plan->stats->given)
            layer->dropped = oq_arena_printf(&plan->arena, err, "no range is given for '%s'",
                                             oq_graph_value(plan->graph, value)->name);
        if (!layer->dropped) return ONNXQ_NO_MEMORY;
        *changed = true;
    }
    const oq_node_id node = oq_plan_computed_by(plan, leader);
    if (node == OQ_NONE) return ONNXQ_OK;
    plan->elementwise[node] = NULL; // stays float, too
    *changed = true;
    return ONNXQ_OK;
}

// The union of the members' ranges; `leader_known` [value_count] tells which groups have one.
static oq_status collect(oq_plan *plan, bool *leader_known, oq_error *err) {
    for (size_t v = 0; v < plan->value_count; v++) {
        if (!plan->integer[v]) continue;
        oq_range range;
        bool known;
        const oq_value_id leader = oq_plan_leader(plan, (oq_value_id)v);
        OQ_TRY(oq_plan_value_range(plan, (oq_value_id)v, &range, &known, err));
        if (!known) continue;
        if (!leader_known[leader]) plan->range[leader] = range;
        plan->range[leader].min = fmin(plan->range[leader].min, range.min);
        plan->range[leader].max = fmax(plan->range[leader].max, range.max);
        leader_known[leader] = true;
    }
    return ONNXQ_OK;
}

oq_value_id oq_plan_cast_source(const oq_plan *plan, oq_value_id value) {
    const oq_node *cast = oq_graph_producer_is(plan->graph, value, "Cast");
    const oq_value_id source = cast ? cast->inputs[0] : OQ_NONE;
    if (source == OQ_NONE || cast->region != OQ_NONE) return OQ_NONE;
    const oq_dtype dtype = oq_value_dtype(plan->graph, source);
    const oq_grid grid = oq_plan_grid(plan, value);
    return grid.bits == 8 && (dtype == ONNXQ_BOOL || dtype == oq_grid_carrier(&grid, false)) ? source
                                                                                             : OQ_NONE;
}

// Whether all that comes into a group, besides what moves inside it, are integers cast to float: those are on
// the grid of scale 1 and zero point 0.
static bool holds_integers(const oq_plan *plan, oq_value_id leader) {
    if (oq_plan_cast_source(plan, leader) == OQ_NONE) return false;
    if (plan->options.activation_symmetric && !plan->options.activation_signed) return false;
    for (size_t v = 0; v < plan->value_count; v++) {
        const oq_value_id value = (oq_value_id)v;
        if (!plan->integer[v] || oq_plan_leader(plan, value) != leader) continue;
        const oq_node_id producer = oq_graph_value(plan->graph, value)->producer;
        if (producer != OQ_NONE && plan->moving[producer]) continue;
        if (oq_plan_cast_source(plan, value) == OQ_NONE) return false;
    }
    return true;
}

static oq_status set_group(oq_plan *plan, oq_value_id leader, oq_error *err) {
    oq_qparam *param = oq_arena_alloc(&plan->arena, sizeof *param, err);
    if (!param) return ONNXQ_NO_MEMORY;
    const oq_grid grid = oq_plan_grid(plan, leader);
    *param = (oq_qparam){.scale = 1};
    if (!holds_integers(plan, leader))
        OQ_TRY(oq_plan_param_of(plan, &grid, &plan->range[leader], oq_graph_value(plan->graph, leader)->name,
                                param, err));
    plan->tensors[leader] = (oq_tensor_plan){.quantized = true,
                                             .grid = grid,
                                             .carrier = oq_grid_carrier(&grid, false),
                                             .axis = -1,
                                             .channels = 1,
                                             .params = param,
                                             .made = *param,
                                             .shared = OQ_NONE};
    return ONNXQ_OK;
}

static void unfold_inexact_clips(oq_plan *plan, bool *changed) {
    for (size_t l = 0; l < plan->layer_count; l++) {
        oq_layer *layer = &plan->layers[l];
        if (layer->dropped || layer->clip_node == OQ_NONE) continue;
        const oq_tensor_plan *tensor = &plan->tensors[layer->output];
        if (oq_plan_clip_is_exact(&tensor->grid, tensor->params[0], layer->low, layer->high)) continue;
        layer->clip_node = OQ_NONE;
        layer->output = layer->sum;
        *changed = true;
    }
    for (size_t n = 0; n < plan->node_count; n++) {
        const oq_node_id clip = plan->computing[n] ? plan->clip_of[n] : OQ_NONE;
        double low, high;
        if (clip == OQ_NONE) continue;
        const oq_value_id output = oq_plan_elementwise_output(plan, (oq_node_id)n);
        const oq_tensor_plan *tensor = &plan->tensors[output];
        if (!oq_plan_clip_taken(plan, output, &low, &high) ||
            oq_plan_clip_is_exact(&tensor->grid, tensor->params[0], low, high))
            continue;
        plan->clip_of[n] = plan->clips[clip] = OQ_NONE;
        *changed = true;
    }
}

static bool leads(const oq_plan *plan, oq_value_id value) {
    return plan->integer[value] && oq_plan_leader(plan, value) == value;
}

static oq_status assign(oq_plan *plan, const bool *leader_known, bool *changed, oq_error *err) {
    const oq_value_id count = (oq_value_id)plan->value_count;
    for (oq_value_id v = 0; v < count; v++)
        if (leads(plan, v)) OQ_TRY((leader_known[v] ? set_group : note_missing)(plan, v, err));
    for (oq_value_id v = 0; v < count; v++)
        if (leads(plan, v) && !leader_known[v]) OQ_TRY(drop_layers_of(plan, v, changed, err));
    if (*changed) return ONNXQ_OK;
    OQ_TRY(oq_plan_find_aliases(plan, err));
    for (size_t v = 0; v < plan->value_count; v++) {
        const oq_value_id leader = oq_plan_leader(plan, (oq_value_id)v);
        if (!plan->integer[v] || leader == (oq_value_id)v) continue;
        plan->tensors[v] = plan->tensors[leader];
        plan->tensors[v].shared = leader;
    }
    unfold_inexact_clips(plan, changed);
    return *changed ? ONNXQ_OK : oq_plan_spread(plan, err);
}

oq_status oq_plan_ranges(oq_plan *plan, bool *changed, oq_error *err) {
    bool *known = oq_mem_calloc(plan->mem, plan->value_count + 1, sizeof *known, err);
    if (!known) return ONNXQ_NO_MEMORY;
    for (size_t v = 0; v < plan->value_count; v++)
        plan->tensors[v] = (oq_tensor_plan){.axis = -1, .shared = OQ_NONE};
    oq_status status = collect(plan, known, err);
    if (status == ONNXQ_OK) status = assign(plan, known, changed, err);
    oq_mem_free(plan->mem, known);
    return status;
}
