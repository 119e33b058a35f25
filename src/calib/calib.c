// The calibration pass: every sample through the graph once, statistics per thread, merged exactly.
#include "calib/calib.h"

#include <pthread.h>

// One thread's executor and what it has counted.
typedef struct lane {
    struct pass *pass;
    oq_worker *worker;
    oq_stats *stats;
    oq_value *inputs, *outputs;
    size_t sample, real, rows; // of the run that is on
} lane;

typedef struct pass {
    oq_mem *mem;
    oq_graph *graph;
    const oq_dataset *data;
    const oq_calibrate_options *options;
    oq_program *program;
    size_t input_count, output_count;
    lane *lanes;
    size_t lane_count;
    oq_pool *inner; // threads inside nodes, when samples are too few for them
    pthread_mutex_t lock;
    size_t runs, done; // `done` under the lock
} pass;

// The leading rows that are real samples. Values whose first axis is no multiple of the batch count whole:
// the filling rows repeat the last sample, so only the counts are touched by them.
static oq_tensor real_rows(const lane *l, const oq_tensor *tensor) {
    oq_tensor part = *tensor;
    if (l->real < l->rows && part.shape.rank > 0 && part.shape.dim[0] % (int64_t)l->rows == 0)
        part.shape.dim[0] = part.shape.dim[0] / (int64_t)l->rows * (int64_t)l->real;
    return part;
}

static oq_status see(void *self, oq_value_id id, const oq_value *value, oq_error *err) {
    lane *l = self;
    if (value->kind != OQ_VALUE_TENSOR || !oq_dtype_info(value->tensor.dtype)->is_float) return ONNXQ_OK;
    oq_tensor_stats *stats;
    OQ_TRY(oq_stats_ensure(l->stats, oq_graph_value(l->pass->graph, id)->name, &stats, err));
    if (!stats->count && l->pass->options->axis) stats->axis = l->pass->options->axis[id];
    if (!stats->count && l->pass->options->levels) stats->counts_levels = l->pass->options->levels[id];
    const oq_tensor part = real_rows(l, &value->tensor);
    return oq_stats_add(stats, l->pass->mem, &part, l->sample, err);
}

static void count_step(pass *p) {
    pthread_mutex_lock(&p->lock);
    oq_progress_step(p->options->progress, "calibrating", ++p->done, p->runs);
    pthread_mutex_unlock(&p->lock);
}

static oq_status run_sample(lane *l, size_t index, oq_error *err) {
    const pass *p = l->pass;
    l->sample = index;
    oq_dataset_rows(p->data, index, &l->real, &l->rows);
    OQ_TRY(oq_dataset_get(p->data, index, l->inputs, err));
    const oq_observer observer = {.self = l, .see = see};
    const oq_status status = oq_worker_run(l->worker, l->inputs, l->outputs, &observer, p->inner, err);
    for (size_t i = 0; i < p->input_count; i++) oq_value_release(&l->inputs[i]);
    if (status != ONNXQ_OK) {
        char label[256];
        oq_error_prefix(err, "%s: ", oq_dataset_label(p->data, index, label, sizeof label));
        return status;
    }
    for (size_t i = 0; i < p->output_count; i++) oq_value_release(&l->outputs[i]);
    l->stats->samples += l->real;
    return ONNXQ_OK;
}

static oq_status work(void *self, size_t index, size_t worker, oq_error *err) {
    pass *p = self;
    OQ_TRY(run_sample(&p->lanes[worker], index, err));
    count_step(p);
    return ONNXQ_OK;
}

static oq_status open_program(pass *p, oq_error *err) {
    oq_graph *graph = p->graph;
    bool *all = oq_mem_calloc(p->mem, graph->value_count + 1, sizeof *all, err);
    if (!all) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < graph->value_count; i++) {
        const oq_gvalue *value = oq_graph_value(graph, (oq_value_id)i);
        const oq_dtype dtype = value->type.kind == OQ_TYPE_TENSOR ? value->type.dtype : ONNXQ_UNDEFINED;
        const bool computed = value->producer != OQ_NONE && !oq_graph_node(graph, value->producer)->dead;
        const bool given = value->is_input && !value->initializer;
        all[i] = (computed || given) && (dtype == ONNXQ_UNDEFINED || oq_dtype_info(dtype)->is_float);
    }
    const oq_program_options options = {.observed = p->options->observed ? p->options->observed : all};
    const oq_status status = oq_program_new(graph, &options, &p->program, err);
    oq_mem_free(p->mem, all);
    return status;
}

static oq_status open_lane(pass *p, lane *l, oq_error *err) {
    l->pass = p;
    l->inputs = oq_mem_calloc(p->mem, p->input_count + 1, sizeof *l->inputs, err);
    l->outputs = oq_mem_calloc(p->mem, p->output_count + 1, sizeof *l->outputs, err);
    if (!l->inputs || !l->outputs) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_worker_new(p->program, &l->worker, err));
    return oq_stats_new(p->mem, &l->stats, err);
}

// What ran the samples: gone before statistics are merged, which take memory of their own.
static void close_program(pass *p) {
    for (size_t i = 0; p->lanes && i < p->lane_count; i++) {
        oq_worker_free(p->lanes[i].worker);
        p->lanes[i].worker = NULL;
    }
    oq_program_free(p->program);
    p->program = NULL;
}

static void close_pass(pass *p) {
    close_program(p);
    for (size_t i = 0; p->lanes && i < p->lane_count; i++) {
        oq_stats_free(p->lanes[i].stats);
        oq_mem_free(p->mem, p->lanes[i].inputs);
        oq_mem_free(p->mem, p->lanes[i].outputs);
    }
    oq_mem_free(p->mem, p->lanes);
    pthread_mutex_destroy(&p->lock);
}

// Merges what the threads have counted; tensors in the order of the graph's values, whoever saw them first.
static oq_status merge(pass *p, oq_stats **out, oq_error *err) {
    oq_stats *stats;
    OQ_TRY(oq_stats_new(p->mem, &stats, err));
    stats->synthetic = oq_dataset_is_synthetic(p->data);
    oq_status status = ONNXQ_OK;
    for (size_t id = 0; id < p->graph->value_count; id++)
        for (size_t i = 0; i < p->lane_count; i++) {
            const char *name = oq_graph_value(p->graph, (oq_value_id)id)->name;
            oq_tensor_stats *made;
            if (!oq_stats_find(p->lanes[i].stats, name)) continue;
            OQ_TRY_DONE(oq_stats_ensure(stats, name, &made, err));
            break;
        }
    for (size_t i = 0; i < p->lane_count; i++) {
        OQ_TRY_DONE(oq_stats_merge(stats, p->lanes[i].stats, err));
        oq_stats_free(p->lanes[i].stats);
        p->lanes[i].stats = NULL;
    }
    *out = stats;
    return ONNXQ_OK;
done:
    oq_stats_free(stats);
    return status;
}

static oq_status run_pass(pass *p, oq_stats **out, oq_error *err) {
    OQ_TRY(open_program(p, err));
    oq_program_inputs(p->program, &p->input_count);
    oq_program_outputs(p->program, &p->output_count);
    const size_t threads = oq_pool_threads(p->options->pool);
    const bool spread = p->runs >= threads;
    p->lane_count = spread ? threads : 1;
    p->inner = spread ? NULL : p->options->pool;
    p->lanes = oq_mem_calloc(p->mem, p->lane_count, sizeof *p->lanes, err);
    if (!p->lanes) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < p->lane_count; i++) OQ_TRY(open_lane(p, &p->lanes[i], err));
    OQ_TRY(oq_pool_run(spread ? p->options->pool : NULL, p->runs, work, p, err));
    close_program(p);
    return merge(p, out, err);
}

oq_status oq_calibrate(oq_graph *graph, const oq_dataset *data, const oq_calibrate_options *options,
                       oq_stats **out, oq_error *err) {
    static const oq_calibrate_options defaults = {0};
    *out = NULL;
    pass p = {.mem = graph->model->mem,
              .graph = graph,
              .data = oq_dataset_as_given(data), // the order does not matter
              .options = options ? options : &defaults,
              .runs = oq_dataset_count(data)};
    if (p.options->limit && p.runs > p.options->limit) p.runs = p.options->limit;
    if (p.runs == 0) return oq_fail(err, ONNXQ_BAD_DATA, "there are no calibration samples");
    pthread_mutex_init(&p.lock, NULL);
    const oq_status status = run_pass(&p, out, err);
    close_pass(&p);
    return status;
}
