// A worker: the frames, buffers and scratch with which one thread runs a program.
#include "run/buffers.h"
#include "run/given.h"
#include "run/program.h"

#include <string.h>

// The values of one plan while it runs. A plan is inside itself never, so one frame each is enough.
typedef struct frame {
    oq_value *slots;     // [slot_count]
    const oq_value **in; // [most_inputs] of the step that runs
    oq_value *out;       // [most_outputs]
} frame;

struct oq_worker {
    const oq_program *program;
    oq_mem *mem;
    oq_buffers *buffers;
    bool borrows; // the buffers of another worker
    oq_scratch_stack scratch;
    frame *frames;          // [plan_count], filled when a plan first runs
    const oq_value **given; // [inputs of the main graph]
    const oq_observer *observer;
    oq_pool *pool;
};

// What a kernel's context leads back to.
typedef struct call {
    oq_worker *worker;
    const oq_step *step;
} call;

oq_status oq_worker_new(const oq_program *program, oq_worker **out, oq_error *err) {
    return oq_worker_beside(program, NULL, out, err);
}

oq_status oq_worker_beside(const oq_program *program, const oq_worker *other, oq_worker **out,
                           oq_error *err) {
    oq_mem *mem = program->mem;
    *out = NULL;
    oq_worker *worker = oq_mem_calloc(mem, 1, sizeof *worker, err);
    if (!worker) return ONNXQ_NO_MEMORY;
    worker->program = program;
    worker->mem = mem;
    oq_scratch_init(&worker->scratch, mem);
    worker->frames = oq_mem_calloc(mem, program->plan_count, sizeof *worker->frames, err);
    worker->given = oq_mem_calloc(mem, program->plans[0]->input_count + 1, sizeof(oq_value *), err);
    oq_status status = worker->frames && worker->given ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    worker->borrows = other != NULL;
    if (other) worker->buffers = other->buffers;
    if (status == ONNXQ_OK && !other) status = oq_buffers_new(mem, &worker->buffers, err);
    if (status != ONNXQ_OK) {
        oq_worker_free(worker);
        return status;
    }
    *out = worker;
    return ONNXQ_OK;
}

void oq_worker_free(oq_worker *worker) {
    if (!worker) return;
    for (size_t i = 0; worker->frames && i < worker->program->plan_count; i++) {
        oq_mem_free(worker->mem, worker->frames[i].slots);
        oq_mem_free(worker->mem, worker->frames[i].in);
        oq_mem_free(worker->mem, worker->frames[i].out);
    }
    oq_mem_free(worker->mem, worker->frames);
    oq_mem_free(worker->mem, worker->given);
    oq_scratch_release(&worker->scratch);
    if (!worker->borrows) oq_buffers_free(worker->buffers);
    oq_mem_free(worker->mem, worker);
}

static oq_status frame_of(oq_worker *worker, const oq_plan *plan, frame **out, oq_error *err) {
    frame *f = *out = &worker->frames[plan->index];
    if (f->out) return ONNXQ_OK;
    if (!f->slots) f->slots = oq_mem_calloc(worker->mem, plan->slot_count + 1, sizeof *f->slots, err);
    if (!f->in) f->in = oq_mem_calloc(worker->mem, plan->most_inputs + 1, sizeof(oq_value *), err);
    if (f->slots && f->in) f->out = oq_mem_calloc(worker->mem, plan->most_outputs + 1, sizeof *f->out, err);
    return f->out ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

// The value at a place, or NULL when it is left out.
static const oq_value *at(const oq_program *program, const frame *f, oq_place place) {
    if (place == OQ_NONE) return NULL;
    if (oq_place_is_constant(place)) return &program->constants[oq_place_index(place)].value;
    return f->slots[place].kind == OQ_VALUE_NONE ? NULL : &f->slots[place];
}

static oq_status new_buffer(oq_run_context *context, size_t bytes, oq_buffer **out, oq_error *err) {
    const call *c = context->worker;
    return oq_buffers_get(c->worker->buffers, bytes, out, err);
}

static void *new_scratch(oq_run_context *context, size_t bytes, oq_error *err) {
    const call *c = context->worker;
    return oq_scratch_take(&c->worker->scratch, bytes, err);
}

static oq_status run_graph(oq_run_context *context, const oq_graph *body, const oq_value *inputs,
                           size_t input_count, oq_value *outputs, size_t output_count, oq_error *err) {
    const call *c = context->worker;
    const oq_plan *plan = NULL;
    for (size_t i = 0; i < c->step->body_count; i++)
        if (c->step->bodies[i]->graph == body) plan = c->step->bodies[i];
    if (!plan || plan->input_count != input_count || plan->output_count != output_count)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "body '%s' has %zu inputs and %zu outputs, but the node needs %zu and %zu", body->name,
                       body->input_count, body->output_count, input_count, output_count);
    // Given back at once: a loop comes here once an iteration.
    const oq_scratch_mark mark = oq_scratch_here(&c->worker->scratch);
    const oq_value **given =
        oq_scratch_take(&c->worker->scratch, (input_count + 1) * sizeof(oq_value *), err);
    if (!given) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < input_count; i++) given[i] = inputs[i].kind == OQ_VALUE_NONE ? NULL : &inputs[i];
    const oq_status status =
        oq_worker_run_plan(c->worker, plan, given, input_count, context->captures, outputs, err);
    oq_scratch_back(&c->worker->scratch, mark);
    return status;
}

static oq_run_context context_of(oq_worker *worker, const oq_step *step, const frame *f, call *c) {
    *c = (call){.worker = worker, .step = step};
    return (oq_run_context){.node = step->node,
                            .version = step->version,
                            .opset = step->opset,
                            .mem = worker->mem,
                            .input_count = step->input_count,
                            .output_count = step->output_count,
                            .in = f->in,
                            .in_dies = step->in_dies,
                            .out = f->out,
                            .out_wanted = step->wanted,
                            .captures = f->in + step->input_count,
                            .state = step->state,
                            .pool = worker->pool,
                            .saturate_pairs = worker->program->saturate_pairs,
                            .worker = c,
                            .new_buffer = new_buffer,
                            .new_scratch = new_scratch,
                            .run_graph = run_graph};
}

static oq_status run_kernel(oq_worker *worker, const oq_step *step, frame *f, oq_error *err) {
    for (size_t i = 0; i < step->input_count + step->capture_count; i++)
        f->in[i] = at(worker->program, f, step->inputs[i]);
    if (step->call)
        return oq_worker_run_plan(worker, step->call, f->in, step->input_count, NULL, f->out, err);
    OQ_TRY(oq_guards_check(step->guards, f->in, step->input_count, err));
    call c;
    oq_run_context context = context_of(worker, step, f, &c);
    return step->version->run(&context, err);
}

// Moves what the kernel made to its slots, shows it, and lets go of what is not read any more.
static oq_status settle(oq_worker *worker, const oq_plan *plan, const oq_step *step, frame *f,
                        oq_error *err) {
    const oq_program *program = worker->program;
    for (size_t k = 0; k < step->output_count; k++) {
        if (!step->wanted[k]) {
            oq_value_release(&f->out[k]);
            continue;
        }
        if (f->out[k].kind == OQ_VALUE_NONE)
            return oq_fail(err, ONNXQ_BAD_MODEL, "output %zu is used, but the operator does not give it", k);
        f->slots[step->outputs[k]] = f->out[k];
        f->out[k] = (oq_value){0};
    }
    for (size_t k = 0; plan->index == 0 && worker->observer && k < step->output_count; k++) {
        const oq_value_id id = step->node->outputs[k];
        if (!step->wanted[k] || (size_t)id >= program->observed_count || !program->observed[id]) continue;
        OQ_TRY(worker->observer->see(worker->observer->self, id, &f->slots[step->outputs[k]], err));
    }
    for (size_t d = 0; d < step->dead_count; d++) oq_value_release(&f->slots[step->dead[d]]);
    return ONNXQ_OK;
}

void oq_error_name_node(oq_error *err, const oq_node *node) {
    char buffer[256];
    const char *label = oq_node_label(node, buffer, sizeof buffer);
    oq_error_prefix(err, "node '%s' (%s): ", label, node->op_type);
    oq_error_at_node(err, label, node->op_type);
}

static oq_status run_step(oq_worker *worker, const oq_plan *plan, const oq_step *step, frame *f,
                          oq_error *err) {
    const oq_scratch_mark mark = oq_scratch_here(&worker->scratch);
    oq_status status = run_kernel(worker, step, f, err);
    oq_scratch_back(&worker->scratch, mark);
    if (status == ONNXQ_OK) status = settle(worker, plan, step, f, err);
    if (status == ONNXQ_OK) return ONNXQ_OK;
    for (size_t k = 0; k < step->output_count; k++) oq_value_release(&f->out[k]);
    oq_error_name_node(err, step->node);
    return status;
}

static oq_status take_outputs(const oq_worker *worker, const oq_plan *plan, const frame *f, oq_value *outputs,
                              oq_error *err) {
    for (size_t k = 0; k < plan->output_count; k++) outputs[k] = (oq_value){0};
    for (size_t k = 0; k < plan->output_count; k++) {
        const oq_value *value = at(worker->program, f, plan->outputs[k]);
        if (value) {
            outputs[k] = oq_value_retain(value);
        } else if (plan->index == 0) {
            const char *name = oq_graph_value(plan->graph, plan->output_ids[k])->name;
            for (size_t j = 0; j < k; j++) oq_value_release(&outputs[j]);
            return oq_fail(err, ONNXQ_BAD_MODEL, "output '%s' has no value", name);
        }
    }
    return ONNXQ_OK;
}

oq_status oq_worker_run_plan(oq_worker *worker, const oq_plan *plan, const oq_value *const *inputs,
                             size_t input_count, const oq_value *const *captures, oq_value *outputs,
                             oq_error *err) {
    frame *f;
    OQ_TRY(frame_of(worker, plan, &f, err));
    if (input_count > plan->input_count)
        return oq_fail(err, ONNXQ_BAD_MODEL, "'%s' takes %zu inputs, but %zu are given", plan->graph->name,
                       plan->input_count, input_count);
    for (size_t i = 0; i < input_count; i++)
        if (plan->inputs[i] >= 0 && inputs[i]) f->slots[plan->inputs[i]] = oq_value_retain(inputs[i]);
    for (size_t i = 0; captures && i < plan->capture_count; i++)
        if (plan->captures[i] >= 0 && captures[i]) f->slots[plan->captures[i]] = oq_value_retain(captures[i]);
    oq_status status = ONNXQ_OK;
    for (size_t s = 0; s < plan->step_count && status == ONNXQ_OK; s++)
        status = run_step(worker, plan, &plan->steps[s], f, err);
    if (status == ONNXQ_OK) status = take_outputs(worker, plan, f, outputs, err);
    for (size_t i = 0; i < plan->slot_count; i++) oq_value_release(&f->slots[i]);
    return status;
}

static oq_status show_inputs(const oq_worker *worker, oq_error *err) {
    const oq_program *program = worker->program;
    const oq_plan *plan = program->plans[0];
    for (size_t i = 0; i < plan->input_count; i++) {
        const oq_value_id id = plan->input_ids[i];
        if (!worker->given[i] || (size_t)id >= program->observed_count || !program->observed[id]) continue;
        OQ_TRY(worker->observer->see(worker->observer->self, id, worker->given[i], err));
    }
    return ONNXQ_OK;
}

oq_status oq_worker_run(oq_worker *worker, const oq_value *inputs, oq_value *outputs,
                        const oq_observer *observer, oq_pool *pool, oq_error *err) {
    const oq_plan *plan = worker->program->plans[0];
    for (size_t i = 0; i < plan->input_count; i++) {
        OQ_TRY(oq_check_given(oq_graph_value(plan->graph, plan->input_ids[i]), &inputs[i], worker->mem, err));
        worker->given[i] = inputs[i].kind == OQ_VALUE_NONE ? NULL : &inputs[i];
    }
    worker->observer = observer;
    worker->pool = pool;
    if (observer) OQ_TRY(show_inputs(worker, err));
    return oq_worker_run_plan(worker, plan, worker->given, plan->input_count, NULL, outputs, err);
}

// --- a run of what depends on some values ---

// Which slots hold something else than in the earlier run.
typedef struct rerun {
    oq_worker *worker;
    const oq_plan *plan;
    frame *f;
    const oq_value *kept; // by value id
    bool *given, *other;  // [slot_count] given by the caller; given, or computed from such
} rerun;

// The slot of a value of the main graph, or OQ_NONE when the program does not have it.
static oq_place slot_of(const oq_plan *plan, oq_value_id id) {
    for (size_t i = 0; i < plan->input_count; i++)
        if (plan->input_ids[i] == id) return plan->inputs[i];
    for (size_t s = 0; s < plan->step_count; s++)
        for (size_t k = 0; k < plan->steps[s].output_count; k++)
            if (plan->steps[s].node->outputs[k] == id) return plan->steps[s].outputs[k];
    return OQ_NONE;
}

// Values inside a group are nobody's to keep: they are computed again.
static bool must_run(const rerun *r, const oq_step *step) {
    bool reads = false;
    for (size_t k = 0; k < step->output_count; k++) {
        if (step->outputs[k] >= 0 && r->given[step->outputs[k]]) return false;
        reads |= (size_t)step->node->outputs[k] + 1 > r->plan->graph->value_count;
    }
    for (size_t i = 0; i < step->input_count + step->capture_count; i++)
        reads |= step->inputs[i] >= 0 && r->other[step->inputs[i]];
    return reads;
}

static oq_status rerun_step(const rerun *r, const oq_step *step, oq_error *err) {
    const oq_node *node = step->node;
    for (size_t i = 0; i < step->input_count + step->capture_count; i++) {
        const oq_place slot = step->inputs[i];
        if (slot < 0 || r->other[slot] || r->f->slots[slot].kind != OQ_VALUE_NONE) continue;
        const oq_value_id id =
            i < step->input_count ? node->inputs[i] : node->captures[i - step->input_count];
        r->f->slots[slot] = oq_value_retain(&r->kept[id]);
    }
    OQ_TRY(run_step(r->worker, r->plan, step, r->f, err));
    for (size_t k = 0; k < step->output_count; k++)
        if (step->outputs[k] >= 0) r->other[step->outputs[k]] = true;
    return ONNXQ_OK;
}

static oq_status rerun_all(const rerun *r, oq_value *outputs, oq_error *err) {
    const oq_plan *plan = r->plan;
    for (size_t s = 0; s < plan->step_count; s++)
        if (must_run(r, &plan->steps[s])) OQ_TRY(rerun_step(r, &plan->steps[s], err));
    for (size_t k = 0; k < plan->output_count; k++) {
        const oq_place slot = plan->outputs[k];
        if (slot >= 0 && !r->other[slot] && r->f->slots[slot].kind == OQ_VALUE_NONE)
            r->f->slots[slot] = oq_value_retain(&r->kept[plan->output_ids[k]]);
    }
    return take_outputs(r->worker, plan, r->f, outputs, err);
}

oq_status oq_worker_rerun(oq_worker *worker, const oq_value_id *changed, const oq_value *values, size_t count,
                          const oq_value *kept, oq_value *outputs, oq_error *err) {
    const oq_plan *plan = worker->program->plans[0];
    const oq_scratch_mark mark = oq_scratch_here(&worker->scratch);
    rerun r = {.worker = worker, .plan = plan, .kept = kept};
    worker->observer = NULL;
    worker->pool = NULL;
    OQ_TRY(frame_of(worker, plan, &r.f, err));
    r.given = oq_scratch_take(&worker->scratch, 2 * (plan->slot_count + 1) * sizeof *r.given, err);
    if (!r.given) return ONNXQ_NO_MEMORY;
    r.other = r.given + plan->slot_count + 1;
    memset(r.given, 0, 2 * (plan->slot_count + 1) * sizeof *r.given);
    for (size_t i = 0; i < count; i++) {
        const oq_place slot = slot_of(plan, changed[i]);
        if (slot < 0) continue; // nobody reads it
        r.f->slots[slot] = oq_value_retain(&values[i]);
        r.given[slot] = r.other[slot] = true;
    }
    const oq_status status = rerun_all(&r, outputs, err);
    for (size_t i = 0; i < plan->slot_count; i++) oq_value_release(&r.f->slots[i]);
    oq_scratch_back(&worker->scratch, mark);
    return status;
}

oq_status oq_step_prepare(oq_worker *worker, oq_step *step, oq_error *err) {
    const size_t readings = step->input_count + step->capture_count;
    const oq_scratch_mark mark = oq_scratch_here(&worker->scratch);
    frame f = {.in = oq_scratch_take(&worker->scratch, (readings + 1) * sizeof(oq_value *), err),
               .out = oq_scratch_take(&worker->scratch, (step->output_count + 1) * sizeof *f.out, err)};
    oq_status status = f.in && f.out ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t i = 0; status == ONNXQ_OK && i < readings; i++)
        f.in[i] = oq_place_is_constant(step->inputs[i]) ? at(worker->program, NULL, step->inputs[i]) : NULL;
    if (status == ONNXQ_OK) {
        call c;
        oq_run_context context = context_of(worker, step, &f, &c);
        status = step->version->prepare(&context, &step->state, err);
    }
    oq_scratch_back(&worker->scratch, mark);
    if (status == ONNXQ_OK) return ONNXQ_OK;
    oq_error_name_node(err, step->node);
    return status;
}
