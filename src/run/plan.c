// Second half of a plan: steps with their last uses, and the plans of bodies and called functions.
#include "run/builder.h"

#include <string.h>

#define MOST_DEPTH 128 // of bodies and calls inside each other

static void *plan_array(oq_builder *b, size_t count, size_t size, oq_error *err) {
    return oq_arena_calloc(&b->program->arena, count ? count : 1, size, err);
}

// What the plan takes and gives: the graph's own inputs and outputs, or those that the options name.
static oq_status set_ends(oq_builder *b, oq_error *err) {
    const oq_graph *graph = b->graph;
    const oq_program_options *options = b->options;
    oq_plan *plan = b->plan;
    const bool own_inputs = !options || !options->inputs;
    const oq_value_id *inputs = own_inputs ? graph->inputs : options->inputs;
    const size_t count = own_inputs ? graph->input_count : options->input_count;
    const bool own_outputs = !options || !options->outputs;
    plan->output_count = own_outputs ? graph->output_count : options->output_count;
    plan->capture_count = graph->capture_count;
    plan->input_ids = plan_array(b, count, sizeof *plan->input_ids, err);
    plan->inputs = plan_array(b, count, sizeof *plan->inputs, err);
    plan->output_ids = plan_array(b, plan->output_count, sizeof *plan->output_ids, err);
    plan->outputs = plan_array(b, plan->output_count, sizeof *plan->outputs, err);
    plan->captures = plan_array(b, plan->capture_count, sizeof *plan->captures, err);
    if (!plan->input_ids || !plan->inputs || !plan->output_ids || !plan->outputs || !plan->captures)
        return ONNXQ_NO_MEMORY;
    // An input of the main graph that has an initializer is a constant with a default nobody overrides.
    for (size_t i = 0; i < count; i++)
        if (!own_inputs || !options || !oq_graph_value(graph, inputs[i])->initializer)
            plan->input_ids[plan->input_count++] = inputs[i];
    memcpy(plan->output_ids, own_outputs ? graph->outputs : options->outputs,
           plan->output_count * sizeof *plan->output_ids);
    for (size_t i = 0; i < plan->capture_count; i++) plan->captures[i] = OQ_NONE;
    return ONNXQ_OK;
}

static oq_status guard(oq_builder *b, const oq_item *item, oq_step *step, oq_error *err) {
    const oq_status status = oq_guards_new(&b->program->arena, item->version, item->node, &step->guards, err);
    if (status != ONNXQ_OK) oq_error_name_node(err, item->node);
    return status;
}

static oq_status new_step(oq_builder *b, const oq_item *item, oq_step *step, oq_error *err) {
    const oq_node *node = item->node;
    *step = (oq_step){.node = node,
                      .version = item->version,
                      .opset = item->opset,
                      .input_count = node->input_count,
                      .capture_count = node->capture_count,
                      .output_count = node->output_count};
    if (item->version) OQ_TRY(guard(b, item, step, err));
    const size_t readings = node->input_count + node->capture_count;
    step->inputs = plan_array(b, readings, sizeof *step->inputs, err);
    step->outputs = plan_array(b, node->output_count, sizeof *step->outputs, err);
    step->in_dies = plan_array(b, node->input_count, sizeof *step->in_dies, err);
    step->wanted = plan_array(b, node->output_count, sizeof *step->wanted, err);
    step->dead = plan_array(b, readings + node->output_count, sizeof *step->dead, err);
    if (!step->inputs || !step->outputs || !step->in_dies || !step->wanted || !step->dead)
        return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < readings; i++) {
        const oq_value_id id =
            i < node->input_count ? node->inputs[i] : node->captures[i - node->input_count];
        step->inputs[i] = id == OQ_NONE ? OQ_NONE : b->place[id];
    }
    for (size_t k = 0; k < node->output_count; k++) {
        const oq_value_id id = node->outputs[k];
        step->outputs[k] = id != OQ_NONE && b->needed[id] && !b->given[id] ? b->place[id] : OQ_NONE;
        step->wanted[k] = step->outputs[k] >= 0;
    }
    if (readings > b->plan->most_inputs) b->plan->most_inputs = readings;
    if (node->output_count > b->plan->most_outputs) b->plan->most_outputs = node->output_count;
    return ONNXQ_OK;
}

static oq_status new_steps(oq_builder *b, oq_error *err) {
    oq_plan *plan = b->plan;
    size_t count = 0;
    for (size_t i = 0; i < b->item_count; i++) count += b->items[i].needed;
    plan->steps = plan_array(b, count, sizeof *plan->steps, err);
    if (!plan->steps) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < b->item_count; i++)
        if (b->items[i].needed) OQ_TRY(new_step(b, &b->items[i], &plan->steps[plan->step_count++], err));
    for (size_t k = 0; k < plan->output_count; k++) plan->outputs[k] = b->place[plan->output_ids[k]];
    return ONNXQ_OK;
}

// Marks for every slot the last step that touches it; the plan's outputs never die.
static oq_status set_deaths(oq_builder *b, oq_error *err) {
    oq_plan *plan = b->plan;
    size_t *last = oq_mem_calloc(b->program->mem, plan->slot_count + 1, sizeof *last, err);
    if (!last) return ONNXQ_NO_MEMORY;
    for (size_t s = 0; s < plan->step_count; s++) {
        const oq_step *step = &plan->steps[s];
        for (size_t i = 0; i < step->input_count + step->capture_count; i++)
            if (step->inputs[i] >= 0) last[step->inputs[i]] = s;
        for (size_t k = 0; k < step->output_count; k++)
            if (step->outputs[k] >= 0) last[step->outputs[k]] = s;
    }
    for (size_t k = 0; k < plan->output_count; k++)
        if (plan->outputs[k] >= 0) last[plan->outputs[k]] = SIZE_MAX;
    for (size_t s = 0; s < plan->step_count; s++) {
        oq_step *step = &plan->steps[s];
        const size_t readings = step->input_count + step->capture_count;
        for (size_t i = 0; i < readings + step->output_count; i++) {
            const oq_place slot = i < readings ? step->inputs[i] : step->outputs[i - readings];
            if (slot < 0 || last[slot] != s) continue;
            step->dead[step->dead_count++] = slot;
            last[slot] = SIZE_MAX; // named once, though it may be read twice by the same step
            // A value that the node reads twice, or also captures, must not be overwritten while it is read.
            size_t times = 0;
            for (size_t j = 0; j < readings; j++) times += step->inputs[j] == slot;
            if (i < step->input_count && times == 1) step->in_dies[i] = true;
        }
    }
    oq_mem_free(b->program->mem, last);
    return ONNXQ_OK;
}

static size_t count_bodies(const oq_node *node) {
    size_t count = 0;
    for (size_t i = 0; i < node->attr_count; i++)
        if (node->attrs[i].kind == OQ_ATTR_GRAPH || node->attrs[i].kind == OQ_ATTR_GRAPHS)
            count += node->attrs[i].kind == OQ_ATTR_GRAPH ? 1 : node->attrs[i].count;
    return count;
}

static oq_status new_bodies(oq_builder *b, oq_step *step, oq_error *err) {
    const oq_node *node = step->node;
    const oq_outside outside = {.places = step->inputs + step->input_count, .count = step->capture_count};
    step->bodies = plan_array(b, count_bodies(node), sizeof(oq_plan *), err);
    if (!step->bodies) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < node->attr_count; i++) {
        const oq_attr *attr = &node->attrs[i];
        const size_t count = attr->kind == OQ_ATTR_GRAPH ? 1 : attr->kind == OQ_ATTR_GRAPHS ? attr->count : 0;
        for (size_t k = 0; k < count; k++) {
            oq_graph *body = attr->kind == OQ_ATTR_GRAPH ? attr->graph : attr->graphs[k];
            OQ_TRY(oq_plan_new(b->program, body, NULL, &outside, b->binding, &step->bodies[step->body_count],
                               err));
            step->body_count++;
        }
    }
    return ONNXQ_OK;
}

static oq_status new_children(oq_builder *b, oq_error *err) {
    size_t s = 0;
    for (size_t i = 0; i < b->item_count; i++) {
        if (!b->items[i].needed) continue;
        oq_step *step = &b->plan->steps[s++];
        if (b->items[i].function) {
            const oq_binding binding = {.function = b->items[i].function, .call = step->node};
            OQ_TRY(oq_plan_new(b->program, binding.function->body, NULL, NULL, &binding, &step->call, err));
        } else if (count_bodies(step->node)) {
            OQ_TRY(new_bodies(b, step, err));
        }
    }
    return ONNXQ_OK;
}

static oq_status add_plan(oq_program *program, oq_graph *graph, oq_plan **out, oq_error *err) {
    void *plans = program->plans;
    OQ_TRY(oq_mem_reserve(program->mem, &plans, program->plan_count, &program->plan_capacity,
                          sizeof(oq_plan *), err));
    program->plans = plans;
    oq_plan *plan = oq_arena_calloc(&program->arena, 1, sizeof *plan, err);
    if (!plan) return ONNXQ_NO_MEMORY;
    plan->graph = graph;
    plan->index = program->plan_count;
    program->plans[program->plan_count++] = plan;
    *out = plan;
    return ONNXQ_OK;
}

static oq_status build(oq_builder *b, oq_error *err) {
    OQ_TRY(set_ends(b, err));
    OQ_TRY(oq_builder_collect(b, err));
    OQ_TRY(oq_builder_mark(b, err));
    OQ_TRY(oq_builder_place(b, err));
    OQ_TRY(new_steps(b, err));
    OQ_TRY(set_deaths(b, err));
    return new_children(b, err);
}

oq_status oq_plan_new(oq_program *program, oq_graph *graph, const oq_program_options *options,
                      const oq_outside *outside, const oq_binding *binding, oq_plan **out, oq_error *err) {
    if (program->depth == MOST_DEPTH)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "bodies and functions are nested more than %d deep (a function that calls "
                       "itself?)",
                       MOST_DEPTH);
    OQ_TRY(add_plan(program, graph, out, err));
    oq_builder b = {.program = program,
                    .graph = graph,
                    .options = options,
                    .outside = outside,
                    .binding = binding,
                    .plan = *out,
                    .extra = {.program = program, .graph = graph}};
    program->depth++;
    const oq_status status = build(&b, err);
    program->depth--;
    oq_mem_free(program->mem, b.items);
    oq_mem_free(program->mem, b.needed);
    oq_mem_free(program->mem, b.given);
    oq_mem_free(program->mem, b.place);
    oq_mem_free(program->mem, b.extra.place);
    return status;
}
