// Constants of a program: registered while plans are made, loaded and packed afterwards, one by one.
#include "run/program.h"

#include <stdio.h>

static oq_status add_held(oq_program *program, oq_held held, oq_place *out, oq_error *err) {
    void *constants = program->constants;
    OQ_TRY(oq_mem_reserve(program->mem, &constants, program->constant_count, &program->constant_capacity,
                          sizeof *program->constants, err));
    program->constants = constants;
    *out = oq_place_constant(program->constant_count);
    program->constants[program->constant_count++] = held;
    return ONNXQ_OK;
}

oq_status oq_program_keep(oq_program *program, oq_tensor tensor, oq_place *out, oq_error *err) {
    const oq_status status = add_held(program, (oq_held){.value = oq_value_of_tensor(tensor)}, out, err);
    if (status != ONNXQ_OK) oq_tensor_release(&tensor);
    return status;
}

oq_status oq_program_constant(oq_program *program, const oq_constant *constant, oq_place *out,
                              oq_error *err) {
    char key[32];
    snprintf(key, sizeof key, "%p", (const void *)constant);
    *out = oq_map_get(&program->constant_places, key, OQ_NONE);
    if (*out != OQ_NONE) return ONNXQ_OK;
    OQ_TRY(add_held(program, (oq_held){.source = constant}, out, err));
    const char *kept = oq_arena_strdup(&program->arena, key, err);
    return kept ? oq_map_set(&program->constant_places, kept, *out, err) : ONNXQ_NO_MEMORY;
}

static oq_held *held_at(oq_program *program, oq_place place) {
    return oq_place_is_constant(place) ? &program->constants[oq_place_index(place)] : NULL;
}

// Whether reading `i` of the step ends with prepare, if that gives a state.
static bool spends(const oq_step *step, size_t i) {
    const oq_op_version *version = step->version;
    return version && version->prepare && i < step->input_count && i < 32 && version->spent >> i & 1U;
}

static void count_readers(oq_program *program) {
    for (size_t p = 0; p < program->plan_count; p++) {
        const oq_plan *plan = program->plans[p];
        for (size_t k = 0; k < plan->output_count; k++) {
            oq_held *held = held_at(program, plan->outputs[k]);
            if (held) held->keepers++;
        }
        for (size_t s = 0; s < plan->step_count; s++) {
            const oq_step *step = &plan->steps[s];
            for (size_t i = 0; i < step->input_count + step->capture_count; i++) {
                oq_held *held = held_at(program, step->inputs[i]);
                if (held) *(spends(step, i) ? &held->spenders : &held->keepers) += 1;
            }
        }
    }
}

static oq_status load(oq_program *program, oq_held *held, oq_error *err) {
    oq_tensor tensor;
    if (!held || held->value.kind != OQ_VALUE_NONE) return ONNXQ_OK;
    OQ_TRY(oq_constant_load(program->mem, held->source, &tensor, err));
    held->value = oq_value_of_tensor(tensor);
    return ONNXQ_OK;
}

// One spending reading is over: dtype and shape remain when it was the last reading of all.
static void spend(oq_held *held, bool packed) {
    held->spenders--;
    if (!packed) held->keepers++;
    if (held->spenders || held->keepers) return;
    const oq_tensor shell = {.dtype = held->value.tensor.dtype, .shape = held->value.tensor.shape};
    oq_tensor_release(&held->value.tensor);
    held->value.tensor = shell;
}

static oq_status prepare_step(oq_program *program, oq_worker *worker, oq_step *step, oq_error *err) {
    for (size_t i = 0; i < step->input_count + step->capture_count; i++)
        OQ_TRY(load(program, held_at(program, step->inputs[i]), err));
    if (!step->version || !step->version->prepare) return ONNXQ_OK;
    OQ_TRY(oq_step_prepare(worker, step, err));
    for (size_t i = 0; i < step->input_count; i++)
        if (oq_place_is_constant(step->inputs[i]) && spends(step, i))
            spend(held_at(program, step->inputs[i]), step->state != NULL);
    return ONNXQ_OK;
}

oq_status oq_program_prepare(oq_program *program, oq_error *err) {
    oq_worker *worker;
    OQ_TRY(oq_worker_new(program, &worker, err));
    count_readers(program);
    oq_status status = ONNXQ_OK;
    for (size_t p = 0; p < program->plan_count && status == ONNXQ_OK; p++)
        for (size_t s = 0; s < program->plans[p]->step_count && status == ONNXQ_OK; s++)
            status = prepare_step(program, worker, &program->plans[p]->steps[s], err);
    // Those that no step reads: outputs of the graph itself, or of a body.
    for (size_t i = 0; i < program->constant_count && status == ONNXQ_OK; i++)
        if (program->constants[i].keepers) status = load(program, &program->constants[i], err);
    oq_worker_free(worker);
    return status;
}
