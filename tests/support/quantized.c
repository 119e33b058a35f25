// A float graph from text, its quantized twin, and how far their outputs are apart on random samples.
#include "support/quantized.h"
#include "passes/passes.h"
#include "run/run.h"
#include "support/support.h"

#include <math.h>

void test_pair_init(test_pair *pair, int64_t opset, const char *text) {
    oq_error err = {0};
    *pair = (test_pair){.samples = 4, .low = -1, .high = 1};
    pair->original = test_graph(&pair->mem, opset, text);
    pair->model = test_graph(&pair->mem, opset, text);
    CK_OK(oq_infer_graph(pair->original->graph, &err), &err);
    CK_OK(oq_infer_graph(pair->model->graph, &err), &err);
    CK_OK(oq_stats_new(&pair->mem, &pair->stats, &err), &err);
}

void test_pair_range(test_pair *pair, const char *value, float min, float max) {
    oq_error err = {0};
    oq_tensor_stats *stats;
    CK_OK(oq_stats_ensure(pair->stats, value, &stats, &err), &err);
    stats->min = min, stats->max = max, stats->count = 1;
}

void test_pair_channels(test_pair *pair, const char *value, int axis) {
    oq_error err = {0};
    oq_tensor_stats *stats;
    CK_OK(oq_stats_ensure(pair->stats, value, &stats, &err), &err);
    stats->axis = axis;
}

static oq_value random_input(test_pair *pair, const oq_gvalue *input, uint32_t seed) {
    oq_error err = {0};
    oq_shape shape;
    oq_tensor tensor;
    ck_assert_msg(oq_type_static(&input->type, &shape), "input '%s' has no fixed shape", input->name);
    CK_OK(oq_tensor_new(&pair->mem, ONNXQ_FLOAT, &shape, &tensor, &err), &err);
    for (int64_t i = 0; i < oq_shape_count(&shape); i++) {
        seed = seed * 1664525u + 1013904223u;
        ((float *)tensor.data)[i] =
            pair->low + (pair->high - pair->low) * ((float)(seed >> 8) / (float)(1 << 24));
    }
    return oq_value_of_tensor(tensor);
}

// Runs one sample; the caller releases the outputs.
static size_t run(test_pair *pair, oq_graph *graph, const bool *observed, const oq_observer *observer,
                  size_t sample, oq_value *outputs) {
    oq_error err = {0};
    oq_program *program;
    oq_worker *worker;
    oq_value inputs[8];
    size_t input_count, output_count;
    CK_OK(oq_program_new(graph, &(oq_program_options){.observed = observed}, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    const oq_value_id *ids = oq_program_inputs(program, &input_count);
    oq_program_outputs(program, &output_count);
    for (size_t i = 0; i < input_count; i++)
        inputs[i] = random_input(pair, oq_graph_value(graph, ids[i]), (uint32_t)(1 + sample * 97 + i * 31));
    CK_OK(oq_worker_run(worker, inputs, outputs, observer, NULL, &err), &err);
    for (size_t i = 0; i < input_count; i++) oq_value_release(&inputs[i]);
    oq_worker_free(worker);
    oq_program_free(program);
    return output_count;
}

static oq_status see(void *self, oq_value_id id, const oq_value *value, oq_error *err) {
    test_pair *pair = self;
    if (value->kind != OQ_VALUE_TENSOR || value->tensor.dtype != ONNXQ_FLOAT) return ONNXQ_OK;
    const char *name = oq_graph_value(pair->original->graph, id)->name;
    oq_tensor_stats *known = oq_stats_find(pair->stats, name);
    if (known && known->axis >= 0) return oq_stats_add(known, &pair->mem, &value->tensor, 0, err);
    float min = known && known->count ? known->min : INFINITY,
          max = known && known->count ? known->max : -INFINITY;
    for (int64_t i = 0; i < oq_tensor_count(&value->tensor); i++) {
        const float x = ((const float *)value->tensor.data)[i];
        min = fminf(min, x), max = fmaxf(max, x);
    }
    test_pair_range(pair, name, min, max);
    return ONNXQ_OK;
}

void test_pair_calibrate(test_pair *pair) {
    oq_graph *graph = pair->original->graph;
    oq_error err = {0};
    bool *all = oq_mem_calloc(&pair->mem, graph->value_count, sizeof *all, &err);
    for (size_t v = 0; v < graph->value_count; v++) all[v] = true;
    for (size_t s = 0; s < pair->samples; s++) {
        oq_value outputs[8] = {0};
        const size_t count = run(pair, graph, all, &(oq_observer){.self = pair, .see = see}, s, outputs);
        for (size_t i = 0; i < count; i++) oq_value_release(&outputs[i]);
    }
    oq_mem_free(&pair->mem, all);
}

void test_pair_plan(test_pair *pair, const oq_quant_options *options) {
    oq_error err = {0};
    oq_regions regions;
    oq_quant_options own = *options;
    CK_OK(oq_pass_find_regions(pair->model->graph, &regions, &err), &err);
    oq_floor *floors = oq_mem_calloc(&pair->mem, regions.count + 1, sizeof *floors, &err);
    for (size_t i = 0; i < regions.count; i++)
        floors[i] = (oq_floor){
            .value = regions.items[i].input, .region = (int)i, .low = oq_region_floor(regions.items[i].kind)};
    own.floors = floors;
    own.floor_count = regions.count;
    CK_OK(oq_plan_make(pair->model->graph, pair->stats, &own, &pair->plan, &err), &err);
    oq_mem_free(&pair->mem, floors);
    oq_regions_release(&regions);
}

void test_pair_emit(test_pair *pair) {
    oq_error err = {0};
    CK_OK(oq_plan_emit(pair->plan, pair->model->graph, &err), &err);
    CK_OK(oq_graph_check(pair->model->graph, &err), &err);
    CK_OK(oq_check_graph(pair->model->graph, true, &err), &err);
    CK_OK(oq_infer_graph(pair->model->graph, &err), &err);
}

void test_pair_quantize(test_pair *pair, int64_t opset, const char *text, const oq_quant_options *options) {
    test_pair_init(pair, opset, text);
    test_pair_calibrate(pair);
    test_pair_plan(pair, options);
    test_pair_emit(pair);
}

double test_pair_sqnr(test_pair *pair) {
    double signal = 0, noise = 0;
    for (size_t s = 0; s < pair->samples; s++) {
        oq_value ys[8] = {0}, zs[8] = {0};
        const size_t count = run(pair, pair->original->graph, NULL, NULL, s, ys);
        ck_assert_uint_eq(run(pair, pair->model->graph, NULL, NULL, s, zs), count);
        for (size_t k = 0; k < count; k++) {
            ck_assert(oq_shape_equal(&ys[k].tensor.shape, &zs[k].tensor.shape));
            ck_assert_int_eq(ys[k].tensor.dtype, zs[k].tensor.dtype);
            for (int64_t i = 0; i < oq_tensor_count(&ys[k].tensor); i++) {
                const double y = oq_tensor_get_f64(&ys[k].tensor, i), z = oq_tensor_get_f64(&zs[k].tensor, i);
                signal += y * y, noise += (y - z) * (y - z);
            }
            oq_value_release(&ys[k]);
            oq_value_release(&zs[k]);
        }
    }
    return noise == 0 ? 999 : 10 * log10(signal / noise);
}

void test_pair_release(test_pair *pair) {
    oq_plan_free(pair->plan);
    oq_stats_free(pair->stats);
    oq_model_free(pair->model);
    oq_model_free(pair->original);
    ck_assert_uint_eq(pair->mem.used, 0);
}

const oq_node_plan *test_fate(const test_pair *pair, const char *output) {
    return oq_plan_node(pair->plan, test_producer(pair->original, output)->id);
}

const oq_tensor_plan *test_tensor_plan(const test_pair *pair, const char *value) {
    return oq_plan_tensor(pair->plan, test_value(pair->original, value));
}
