// Run: a model on every sample, outputs to files.
#include "api/api.h"
#include "base/file.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

typedef struct run_work {
    onnxq_session *session;
    const oq_dataset *data;
    const oq_graph *graph;
    const oq_program *program;
    oq_worker **workers;
    const char *folder;
    onnxq_output_format format;
} run_work;

static oq_status write_npz(const run_work *w, size_t index, const oq_value *outputs, oq_error *err) {
    size_t count;
    char name[32];
    const oq_value_id *ids = oq_program_outputs(w->program, &count);
    oq_mem *mem = &w->session->mem;
    snprintf(name, sizeof name, "%zu.npz", index);
    char *path = oq_path_join(mem, w->folder, name, err);
    const char **names = oq_mem_calloc(mem, count, sizeof *names, err);
    oq_tensor *tensors = oq_mem_calloc(mem, count, sizeof *tensors, err);
    oq_status status = path && names && tensors ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t k = 0; k < count && status == ONNXQ_OK; k++) {
        names[k] = oq_graph_value(w->graph, ids[k])->name;
        tensors[k] = outputs[k].tensor;
        if (outputs[k].kind != OQ_VALUE_TENSOR)
            status =
                oq_fail(err, ONNXQ_UNSUPPORTED,
                        "output '%s' is no tensor, which .npz cannot hold: use --output-format pb", names[k]);
    }
    if (status == ONNXQ_OK) status = oq_npz_write(mem, path, names, tensors, count, err);
    oq_mem_free(mem, tensors);
    oq_mem_free(mem, names);
    oq_mem_free(mem, path);
    return status;
}

static oq_status write_file(oq_mem *mem, const char *path, const oq_text *bytes, oq_error *err) {
    oq_writer *writer = NULL;
    OQ_TRY(oq_writer_open(mem, path, &writer, err));
    const oq_status status = oq_writer_write(writer, oq_text_get(bytes), bytes->length, err);
    if (status == ONNXQ_OK) return oq_writer_commit(writer, err);
    oq_writer_abort(writer);
    return status;
}

static oq_status write_pb(const run_work *w, size_t index, const oq_value *outputs, oq_error *err) {
    size_t count;
    const oq_value_id *ids = oq_program_outputs(w->program, &count);
    oq_mem *mem = &w->session->mem;
    char folder[64], name[32];
    snprintf(folder, sizeof folder, "test_data_set_%zu", index);
    char *inside = oq_path_join(mem, w->folder, folder, err);
    oq_status status = inside ? oq_path_make_folder(inside, err) : ONNXQ_NO_MEMORY;
    for (size_t k = 0; k < count && status == ONNXQ_OK; k++) {
        oq_text bytes;
        oq_text_init(&bytes, mem);
        snprintf(name, sizeof name, "output_%zu.pb", k);
        char *path = oq_path_join(mem, inside, name, err);
        status = path ? oq_onnx_format_value(&outputs[k], oq_graph_value(w->graph, ids[k])->name, &bytes, err)
                      : ONNXQ_NO_MEMORY;
        if (status == ONNXQ_OK) status = write_file(mem, path, &bytes, err);
        oq_mem_free(mem, path);
        oq_text_release(&bytes);
    }
    oq_mem_free(mem, inside);
    return status;
}

static oq_status one_sample(void *self, size_t index, size_t worker, oq_error *err) {
    run_work *w = self;
    oq_mem *mem = &w->session->mem;
    size_t input_count, output_count;
    oq_program_inputs(w->program, &input_count);
    oq_program_outputs(w->program, &output_count);
    oq_value *inputs = oq_mem_calloc(mem, input_count + output_count, sizeof *inputs, err);
    if (!inputs) return ONNXQ_NO_MEMORY;
    oq_value *outputs = inputs + input_count;
    oq_status status = ONNXQ_OK;
    if (!w->workers[worker]) OQ_TRY_DONE(oq_worker_new(w->program, &w->workers[worker], err));
    OQ_TRY_DONE(oq_dataset_get(w->data, index, inputs, err));
    OQ_TRY_DONE(oq_worker_run(w->workers[worker], inputs, outputs, NULL, NULL, err));
    OQ_TRY_DONE((w->format == ONNXQ_OUTPUT_PB ? write_pb : write_npz)(w, index, outputs, err));
done:
    for (size_t i = 0; i < input_count + output_count; i++) oq_value_release(&inputs[i]);
    oq_mem_free(mem, inputs);
    if (worker == 0) oq_progress_step(&w->session->progress, "running", index + 1, oq_dataset_count(w->data));
    return status;
}

onnxq_status onnxq_run(onnxq_model *model, const onnxq_data *data, const char *folder,
                       onnxq_output_format format, onnxq_error *err) {
    onnxq_session *session = model->session;
    const size_t threads = oq_pool_threads(session->pool);
    oq_program *program = NULL;
    run_work work = {session, data->set, model->model->graph, NULL, NULL, folder, format};
    oq_status status;
    OQ_TRY_DONE(oq_program_new(model->model->graph, NULL, &program, err));
    work.program = program;
    work.workers = oq_mem_calloc(&session->mem, threads, sizeof(oq_worker *), err);
    status = work.workers ? oq_path_make_folder(folder, err) : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK)
        status = oq_pool_run(session->pool, oq_dataset_count(data->set), one_sample, &work, err);
done:
    for (size_t i = 0; work.workers && i < threads; i++) oq_worker_free(work.workers[i]);
    oq_mem_free(&session->mem, work.workers);
    oq_program_free(program);
    return status;
}
