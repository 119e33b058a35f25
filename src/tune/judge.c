// The judge of changes to a plan.
#include "tune/judge.h"

#include "base/math.h"
#include "passes/passes.h"
#include "run/run.h"
#include "tune/quantize.h"
#include "tune/samples.h"
#include "verify/compare.h"

#include <math.h>
#include <string.h>

#define BEST_SQNR      200.0 // dB of equal outputs
#define LEAST          1e-20 // noise that is told apart from none
#define FEW_VALUES     64
#define MOST_LOOKED_AT 64 // values; what further outputs give is left to chance

// --- what is looked at ---

static bool is_one_of(const oq_node *node, const char *const *names) {
    for (; *names; names++)
        if (oq_node_is(node, *names)) return true;
    return false;
}

// What a softmax written out in primitives is of, when it makes the value; else OQ_NONE.
static oq_value_id softmax_of(const oq_regions *regions, oq_value_id value) {
    for (size_t i = 0; i < regions->count; i++)
        if (regions->items[i].kind == OQ_REGION_SOFTMAX && regions->items[i].output == value)
            return regions->items[i].input;
    return OQ_NONE;
}

static void look_at(oq_judge *j, oq_value_id value) {
    for (size_t o = 0; o < j->output_count; o++)
        if (j->outputs[o] == value) return;
    if (j->output_count < MOST_LOOKED_AT) j->outputs[j->output_count++] = value;
}

// Whether a sample gives so few numbers that their error is luck.
static bool is_few(const oq_type *type) {
    int64_t count = 1;
    if (type->kind != OQ_TYPE_TENSOR || type->rank < 1) return false;
    for (int d = 1; d < type->rank; d++) {
        if (!oq_dim_known(type->dim[d]) || type->dim[d].size > FEW_VALUES) return false;
        count *= type->dim[d].size;
    }
    return count <= FEW_VALUES;
}

// The input of the product by constant weights that makes a value, also behind the Add of a bias; else
// OQ_NONE.
static oq_value_id features_of(oq_graph *graph, oq_value_id value) {
    for (;;) {
        const oq_node_id id = oq_graph_value(graph, value)->producer;
        const oq_node *node = id == OQ_NONE ? NULL : oq_graph_node(graph, id);
        if (!node || node->input_count < 2) return OQ_NONE;
        const bool left = oq_graph_constant(graph, node->inputs[0]),
                   right = oq_graph_constant(graph, node->inputs[1]);
        if (left == right) return OQ_NONE;
        value = node->inputs[left ? 1 : 0];
        if (oq_node_is(node, "Add")) continue;
        const bool product = oq_node_is(node, "Gemm") || oq_node_is(node, "MatMul");
        return product && oq_graph_value(graph, value)->producer != OQ_NONE ? value : OQ_NONE;
    }
}

// Looks at a value, and where it is a few numbers (the logits of two classes), at what they are made of.
static void look_closely(oq_judge *j, oq_value_id value) {
    const oq_value_id features =
        is_few(&oq_graph_value(j->model->graph, value)->type) ? features_of(j->model->graph, value) : OQ_NONE;
    look_at(j, value);
    if (features != OQ_NONE) look_at(j, features);
}

// Looks at the value that a function of the kind above makes an output of, or at the output itself; at each
// part of a Concat, since boxes in pixels would hide what becomes of scores.
static void look_behind(oq_judge *j, const oq_regions *regions, oq_value_id output) {
    static const char *const functions[] = {"Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "TopK", NULL};
    static const char *const movers[] = {"Identity", "Cast",      "Reshape",   "Flatten",
                                         "Squeeze",  "Unsqueeze", "Transpose", NULL};
    const oq_graph *graph = j->model->graph;
    for (oq_value_id at = output;;) {
        const oq_node_id id = oq_graph_value(graph, at)->producer;
        const oq_node *node = id == OQ_NONE ? NULL : oq_graph_node(graph, id);
        const oq_value_id logits = softmax_of(regions, at);
        if (logits != OQ_NONE) return look_closely(j, logits);
        if (!node || !node->input_count || node->inputs[0] == OQ_NONE) return look_closely(j, output);
        if (oq_node_is(node, "Concat")) {
            for (size_t i = 0; i < node->input_count; i++)
                if (!oq_graph_value(graph, node->inputs[i])->initializer)
                    look_behind(j, regions, node->inputs[i]);
            return;
        }
        at = node->inputs[0];
        if (is_one_of(node, functions)) {
            look_closely(j, oq_graph_value(graph, at)->initializer ? output : at);
            return;
        }
        if (!is_one_of(node, movers)) return look_closely(j, output);
    }
}

// --- running a graph on the samples ---

typedef struct judge_run {
    const oq_judge *judge;
    oq_program *program;
    oq_worker **workers;    // [threads]
    oq_value *keep;         // reference run: [count][output_count], else NULL
    double *signal, *noise; // [count][output_count]
} judge_run;

static oq_status compare(const judge_run *r, size_t index, const oq_value *given, oq_error *err) {
    const oq_judge *j = r->judge;
    size_t real, rows;
    oq_dataset_rows(j->data, j->samples[index], &real, &rows);
    for (size_t o = 0; o < j->output_count; o++) {
        oq_output_sample sample;
        const size_t at = index * j->output_count + o;
        const oq_value *reference = r->keep ? &given[o] : &j->reference[at];
        const char *name = oq_graph_value(j->model->graph, j->outputs[o])->name;
        OQ_TRY(oq_compare_values(reference, &given[o], real, rows, NULL, name, &sample, err));
        r->signal[at] = sample.difference.signal;
        r->noise[at] = sample.difference.noise;
    }
    return ONNXQ_OK;
}

static oq_status run_sample(void *self, size_t index, size_t worker, oq_error *err) {
    judge_run *r = self;
    const oq_judge *j = r->judge;
    size_t inputs;
    oq_program_inputs(r->program, &inputs);
    oq_value *values = oq_mem_calloc(j->mem, inputs + j->output_count + 1, sizeof *values, err);
    oq_status status = values ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK && !r->workers[worker])
        status = oq_worker_new(r->program, &r->workers[worker], err);
    if (status == ONNXQ_OK) status = oq_dataset_get(j->data, j->samples[index], values, err);
    if (status == ONNXQ_OK)
        status = oq_worker_run(r->workers[worker], values, values + inputs, NULL, NULL, err);
    if (status == ONNXQ_OK) status = compare(r, index, values + inputs, err);
    for (size_t o = 0; status == ONNXQ_OK && r->keep && o < j->output_count; o++)
        r->keep[index * j->output_count + o] = oq_value_retain(&values[inputs + o]);
    for (size_t i = 0; values && i < inputs + j->output_count; i++) oq_value_release(&values[i]);
    oq_mem_free(j->mem, values);
    return status;
}

// signal and noise [count][output_count]: given back by the caller.
static oq_status run(const oq_judge *j, oq_graph *graph, judge_run *r, oq_error *err) {
    const oq_program_options options = {.outputs = j->outputs, .output_count = j->output_count};
    const size_t threads = oq_pool_threads(j->pool), count = j->count * j->output_count + 1;
    r->judge = j;
    r->workers = oq_mem_calloc(j->mem, threads, sizeof(oq_worker *), err);
    r->signal = oq_mem_calloc(j->mem, count, sizeof *r->signal, err);
    r->noise = oq_mem_calloc(j->mem, count, sizeof *r->noise, err);
    if (!r->workers || !r->signal || !r->noise) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_program_new(graph, &options, &r->program, err));
    return oq_pool_run(j->pool, j->count, run_sample, r, err);
}

static void end_run(judge_run *r) {
    oq_mem *mem = r->judge->mem;
    for (size_t i = 0; r->workers && i < oq_pool_threads(r->judge->pool); i++) oq_worker_free(r->workers[i]);
    oq_program_free(r->program);
    oq_mem_free(mem, r->workers);
    oq_mem_free(mem, r->signal);
    oq_mem_free(mem, r->noise);
}

// --- judging ---

// An output whose size varies tells nothing element by element: what NonMaxSuppression nodes choose from is
// looked at instead.
static oq_status choose_outputs(oq_judge *j, oq_error *err) {
    oq_graph *graph = j->model->graph;
    bool *varies = oq_mem_calloc(j->mem, graph->value_count + 1, sizeof *varies, err);
    oq_regions regions = {0};
    oq_status status = varies ? oq_graph_varying(graph, varies, err) : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK) status = oq_pass_find_regions(graph, &regions, err);
    bool any = false;
    for (size_t o = 0; status == ONNXQ_OK && o < graph->output_count; o++) {
        any |= varies[graph->outputs[o]];
        if (!varies[graph->outputs[o]]) look_behind(j, &regions, graph->outputs[o]);
    }
    for (size_t n = 0; any && n < graph->node_count; n++) {
        const oq_node *node = graph->nodes[n];
        for (size_t i = 0; i < 2 && !node->dead && oq_node_is(node, "NonMaxSuppression"); i++)
            if (!varies[node->inputs[i]] && !oq_graph_constant(graph, node->inputs[i]))
                look_behind(j, &regions, node->inputs[i]);
    }
    oq_regions_release(&regions);
    oq_mem_free(j->mem, varies);
    return status;
}

static oq_status open_runs(oq_judge *j, size_t most, oq_error *err) {
    const size_t all = oq_dataset_count(j->data);
    j->held_out = oq_samples_hold_out(j->data);
    const size_t every = j->held_out ? OQ_HOLD_OUT_EVERY : 1;
    j->samples = oq_mem_calloc(j->mem, most + 1, sizeof *j->samples, err);
    j->outputs = oq_mem_calloc(j->mem, MOST_LOOKED_AT, sizeof *j->outputs, err);
    j->power = oq_mem_calloc(j->mem, MOST_LOOKED_AT, sizeof *j->power, err);
    if (!j->samples || !j->outputs || !j->power) return ONNXQ_NO_MEMORY;
    j->count = all / every < most ? all / every : most;
    for (size_t i = 0; i < j->count; i++) // spread over all that are held out
        j->samples[i] = i * (all / every) / j->count * every + every - 1;
    OQ_TRY(choose_outputs(j, err));
    j->reference = oq_mem_calloc(j->mem, j->count * j->output_count + 1, sizeof *j->reference, err);
    return j->reference ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

oq_status oq_judge_begin(oq_judge *j, oq_model *model, const oq_dataset *data, size_t most, oq_pool *pool,
                         oq_error *err) {
    *j = (oq_judge){.mem = model->mem, .model = model, .data = data, .pool = pool};
    OQ_TRY(open_runs(j, most, err));
    judge_run r = {.keep = j->reference};
    const oq_status status = run(j, model->graph, &r, err);
    for (size_t i = 0; status == ONNXQ_OK && i < j->count; i++)
        for (size_t o = 0; o < j->output_count; o++)
            j->power[o] += r.signal[i * j->output_count + o] / (double)j->count;
    end_run(&r);
    return status;
}

void oq_judge_end(oq_judge *j) {
    if (!j->mem) return;
    for (size_t i = 0; j->reference && i < j->count * j->output_count; i++)
        oq_value_release(&j->reference[i]);
    oq_mem_free(j->mem, j->samples);
    oq_mem_free(j->mem, j->outputs);
    oq_mem_free(j->mem, j->reference);
    oq_mem_free(j->mem, j->power);
    *j = (oq_judge){0};
}

static oq_status pronounce(const oq_judge *j, const judge_run *r, oq_verdict *out, oq_error *err) {
    double total = 0;
    out->noise = oq_mem_calloc(j->mem, j->count + 1, sizeof *out->noise, err);
    if (!out->noise) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < j->count; i++) {
        for (size_t o = 0; o < j->output_count; o++) {
            const double power = j->power[o] > 0 ? j->power[o] : 1;
            out->noise[i] += r->noise[i * j->output_count + o] / power / (double)j->output_count;
        }
        total += out->noise[i] / (double)j->count;
    }
    out->sqnr = total > 0 ? fmin(-10 * log10(total), BEST_SQNR) : BEST_SQNR;
    return ONNXQ_OK;
}

oq_status oq_judge_graph(const oq_judge *j, oq_graph *quantized, oq_verdict *out, oq_error *err) {
    judge_run r = {.judge = j};
    *out = (oq_verdict){0};
    oq_status status = run(j, quantized, &r, err);
    if (status == ONNXQ_OK) status = pronounce(j, &r, out, err);
    end_run(&r);
    return status;
}

// As graph outputs, the values are written as floats under their names, also between nodes on integers.
static oq_status keep_what_is_looked_at(const oq_judge *j, oq_graph *graph, oq_error *err) {
    for (size_t o = 0; o < j->output_count; o++)
        if (!oq_graph_value(graph, j->outputs[o])->is_output)
            OQ_TRY(oq_graph_add_output(graph, j->outputs[o], err));
    return ONNXQ_OK;
}

oq_status oq_judge_plan(const oq_judge *j, oq_plan *plan, oq_verdict *out, oq_error *err) {
    oq_model *clone = NULL;
    *out = (oq_verdict){0};
    oq_status status = oq_model_clone(j->model, &clone, err);
    if (status == ONNXQ_OK) status = keep_what_is_looked_at(j, clone->graph, err);
    if (status == ONNXQ_OK) status = oq_quantization_write(plan, clone->graph, err);
    if (status == ONNXQ_OK) status = oq_infer_graph(clone->graph, err);
    if (status == ONNXQ_OK) status = oq_judge_graph(j, clone->graph, out, err);
    oq_model_free(clone);
    return status;
}

void oq_verdict_release(const oq_judge *j, oq_verdict *verdict) {
    oq_mem_free(j->mem, verdict->noise);
    verdict->noise = NULL;
}

bool oq_judge_prefers(const oq_judge *j, const oq_verdict *after, const oq_verdict *before) {
    double logs = 0, was = LEAST, is = LEAST;
    for (size_t i = 0; i < j->count; i++) {
        logs += (double)oq_logf((float)((after->noise[i] + LEAST) / (before->noise[i] + LEAST)));
        was += before->noise[i];
        is += after->noise[i];
    }
    return logs / (double)j->count + (double)oq_logf((float)(is / was)) < 0; // false for NaN
}
