// A program: made once from a graph, shared by workers.
#include "run/program.h"

static oq_status check_ids(const oq_graph *graph, const oq_value_id *ids, size_t count, oq_error *err) {
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= graph->value_count)
            return oq_fail(err, ONNXQ_USAGE, "there is no value %d in the graph", (int)ids[i]);
    return ONNXQ_OK;
}

static oq_status fill(oq_program *program, const oq_program_options *options, oq_error *err) {
    const oq_graph *graph = program->graph;
    OQ_TRY(check_ids(graph, options->inputs, options->inputs ? options->input_count : 0, err));
    OQ_TRY(check_ids(graph, options->outputs, options->outputs ? options->output_count : 0, err));
    program->plain_qdq = options->plain_qdq;
    program->saturate_pairs = options->saturate_pairs;
    if (options->observed) {
        program->observed_count = graph->value_count;
        program->observed = oq_arena_memdup(&program->arena, options->observed, graph->value_count, err);
        if (!program->observed) return ONNXQ_NO_MEMORY;
    }
    oq_plan *plan;
    OQ_TRY(oq_plan_new(program, program->graph, options, NULL, NULL, &plan, err));
    return oq_program_prepare(program, err);
}

oq_status oq_program_new(oq_graph *graph, const oq_program_options *options, oq_program **out,
                         oq_error *err) {
    static const oq_program_options defaults = {0};
    oq_mem *mem = graph->model->mem;
    *out = NULL;
    oq_program *program = oq_mem_calloc(mem, 1, sizeof *program, err);
    if (!program) return ONNXQ_NO_MEMORY;
    program->mem = mem;
    program->graph = graph;
    oq_arena_init(&program->arena, mem);
    oq_map_init(&program->constant_places, mem);
    const oq_status status = fill(program, options ? options : &defaults, err);
    if (status != ONNXQ_OK) {
        oq_program_free(program);
        return status;
    }
    *out = program;
    return ONNXQ_OK;
}

void oq_program_free(oq_program *program) {
    if (!program) return;
    for (size_t p = 0; p < program->plan_count; p++) {
        const oq_plan *plan = program->plans[p];
        for (size_t s = 0; s < plan->step_count; s++) {
            const oq_step *step = &plan->steps[s];
            if (step->state && step->version->release) step->version->release(program->mem, step->state);
        }
    }
    for (size_t i = 0; i < program->constant_count; i++) oq_value_release(&program->constants[i].value);
    oq_mem_free(program->mem, program->constants);
    oq_mem_free(program->mem, program->plans);
    oq_map_release(&program->constant_places);
    oq_arena_release(&program->arena);
    oq_mem_free(program->mem, program);
}

const oq_value_id *oq_program_inputs(const oq_program *program, size_t *count) {
    *count = program->plans[0]->input_count;
    return program->plans[0]->input_ids;
}

const oq_value_id *oq_program_outputs(const oq_program *program, size_t *count) {
    *count = program->plans[0]->output_count;
    return program->plans[0]->output_ids;
}
