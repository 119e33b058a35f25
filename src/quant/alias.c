// Values that are another one scaled or shifted by a number: their integers are the other's, with other
// parameters, so that nothing is computed or rounded in between.
#include "quant/plan.h"

#include <math.h>

// A scale may grow by so much for a shift to be a whole number of steps.
#define MOST_GROWTH 1.2

// y = scale x + shift
typedef struct affine {
    oq_value_id x, y;
    double scale, shift;
} affine;

static bool read_affine(const oq_plan *plan, const oq_node *node, affine *out) {
    const bool adds = oq_node_is(node, "Add");
    double number;
    if (!plan->computing[node->id] || plan->clip_of[node->id] != OQ_NONE || node->input_count != 2 ||
        (!adds && !oq_node_is(node, "Mul")))
        return false;
    const size_t at = oq_plan_is_number(plan, node->inputs[0], &number) ? 0 : 1;
    if (!oq_plan_is_number(plan, node->inputs[at], &number) || (!adds && !(number > 0))) return false;
    *out = (affine){node->inputs[1 - at], node->outputs[0], adds ? 1 : number, adds ? number : 0};
    return true;
}

// x, which the node alone reads, has parameters of its own.
static bool is_free(const oq_plan *plan, oq_value_id x) {
    if (!oq_graph_only_consumer(plan->graph, x)) return false;
    for (size_t v = 0; v < plan->value_count; v++)
        if (plan->integer[v] && v != (size_t)x && oq_plan_leader(plan, (oq_value_id)v) == x) return false;
    return oq_plan_leader(plan, x) == x;
}

// Parameters of x for the range of y, where both zeros have an integer and the shift is a whole number of
// steps, or nearly so.
static oq_status find_params(const oq_plan *plan, const affine *map, oq_qparam *x, oq_qparam *y,
                             oq_error *err) {
    const oq_range *range = &plan->range[oq_plan_leader(plan, map->y)];
    const oq_grid grid = oq_plan_grid(plan, map->x);
    const double zero = -map->shift / map->scale;
    const oq_range own = {fmin((range->min - map->shift) / map->scale, zero),
                          fmax((range->max - map->shift) / map->scale, zero)};
    OQ_TRY(oq_plan_param_of(plan, &grid, &own, oq_graph_value(plan->graph, map->x)->name, x, err));
    const double steps = floor(fabs(zero) / (double)x->scale), whole = steps ? fabs(zero) / steps : INFINITY;
    if (whole <= MOST_GROWTH * (double)x->scale) {
        x->scale = (float)whole;
        x->zero_point = (int32_t)fmax(grid.qmin, fmin(grid.qmax, rint(grid.qmin - fmin(own.min, 0) / whole)));
    }
    const double between = (double)x->zero_point + rint(zero / (double)x->scale);
    *y = (oq_qparam){.scale = (float)((double)x->scale * map->scale),
                     .zero_point = (int32_t)fmax(grid.qmin, fmin(grid.qmax, between))};
    return ONNXQ_OK;
}

static void set(oq_plan *plan, oq_value_id value, oq_qparam param) {
    oq_tensor_plan *tensor = &plan->tensors[oq_plan_leader(plan, value)];
    *(oq_qparam *)(uintptr_t)tensor->params = param; // of the plan's arena
    tensor->made = param;
}

oq_status oq_plan_find_aliases(oq_plan *plan, oq_error *err) {
    for (size_t v = 0; v < plan->value_count; v++) plan->alias[v] = OQ_NONE;
    for (size_t i = 0; i < plan->order_count; i++) {
        affine map;
        oq_qparam x, y;
        double low, high;
        if (!read_affine(plan, oq_graph_node(plan->graph, plan->order[i]), &map) || !is_free(plan, map.x) ||
            plan->options.activation_symmetric || plan->alias[map.x] != OQ_NONE)
            continue;
        OQ_TRY(find_params(plan, &map, &x, &y, err));
        const oq_grid grid = oq_plan_grid(plan, map.x);
        if (oq_plan_clip_taken(plan, map.x, &low, &high) && !oq_plan_clip_is_exact(&grid, x, low, high))
            continue;
        set(plan, map.x, x);
        set(plan, map.y, y);
        plan->alias[map.y] = map.x;
    }
    return ONNXQ_OK;
}
