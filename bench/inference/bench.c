// Times inference: bench_inference MODEL.onnx DATA RUNS prints the median milliseconds of one run, one
// thread, samples in turn.
#include "data/data.h"
#include "passes/passes.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static oq_status run_once(oq_worker *worker, const oq_dataset *data, size_t sample, oq_value *inputs,
                          size_t input_count, oq_value *outputs, size_t output_count, double *milliseconds,
                          oq_error *err) {
    OQ_TRY(oq_dataset_get(data, sample, inputs, err));
    const double begin = now();
    const oq_status status = oq_worker_run(worker, inputs, outputs, NULL, NULL, err);
    *milliseconds = now() - begin;
    for (size_t i = 0; i < input_count; i++) oq_value_release(&inputs[i]);
    for (size_t i = 0; i < output_count; i++) oq_value_release(&outputs[i]);
    return status;
}

static oq_status bench(const char *path, const char *source, size_t runs, oq_error *err) {
    static oq_mem mem;
    oq_model *model;
    oq_dataset *data;
    oq_program *program;
    oq_worker *worker;
    size_t input_count, output_count;
    OQ_TRY(oq_onnx_load(&mem, path, &model, err));
    oq_regions regions;
    OQ_TRY(oq_prepare_model(model, &regions, err)); // as calibration does
    oq_regions_release(&regions);
    OQ_TRY(oq_dataset_open(&mem, model->graph, &source, 1, &data, err));
    OQ_TRY(oq_program_new(model->graph, NULL, &program, err));
    OQ_TRY(oq_worker_new(program, &worker, err));
    oq_program_inputs(program, &input_count);
    oq_program_outputs(program, &output_count);
    oq_value *values = calloc(input_count + output_count, sizeof *values);
    double *times = calloc(runs, sizeof *times);
    if (!values || !times) return oq_fail(err, ONNXQ_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < runs; i++)
        OQ_TRY(run_once(worker, data, i % oq_dataset_count(data), values, input_count, values + input_count,
                        output_count, &times[i], err));
    qsort(times, runs, sizeof *times, ascending);
    printf("%.3f\n", times[runs / 2]);
    free(times);
    free(values);
    oq_worker_free(worker);
    oq_program_free(program);
    oq_dataset_free(data);
    oq_model_free(model);
    return ONNXQ_OK;
}

int main(int argc, char **argv) {
    oq_error err = {0};
    const long runs = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    if (runs < 1) {
        fprintf(stderr, "bench_inference MODEL.onnx DATA RUNS\n");
        return 2;
    }
    const oq_status status = bench(argv[1], argv[2], (size_t)runs, &err);
    if (status != ONNXQ_OK) fprintf(stderr, "bench_inference: %s\n", err.message);
    return onnxq_status_exit(status);
}
