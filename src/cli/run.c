// onnxq run: a model on samples, outputs to files.
#include "cli/command.h"

typedef struct run_values {
    common_values common;
    text_list data;
    const char *output;
    int format;
} run_values;

#define AT(member) offsetof(run_values, member)

static const option options[] = {
    {"data", 0, OPTION_TEXTS, "SRC",
     "input samples: FILE.npz, FILE.npy, NAME=FILE.npy or a folder; may be repeated", AT(data), 0, 0},
    {"output", 'o', OPTION_TEXT, "DIR", "folder for the outputs; made when it is not there", AT(output), 0,
     0},
    {"output-format", 0, OPTION_CHOICE, "npz|pb",
     "DIR/<sample>.npz (default), or DIR/test_data_set_<sample>/output_<k>.pb", AT(format), 0, 0},
    {0}};

static onnxq_status run(void *values, char **positional, size_t count, onnxq_error *err) {
    (void)count;
    const run_values *v = values;
    if (!v->output) {
        snprintf(err->message, sizeof err->message, "say where the outputs go: --output DIR");
        return ONNXQ_USAGE;
    }
    onnxq_session *session = NULL;
    onnxq_model *model = NULL;
    onnxq_data *data = NULL;
    onnxq_status status = terminal_session(&v->common, &session, err);
    if (status == ONNXQ_OK) status = onnxq_model_load(session, positional[0], &model, err);
    if (status == ONNXQ_OK)
        status = v->data.count ? onnxq_data_open(model, v->data.items, v->data.count, &data, err)
                               : onnxq_data_default(model, 0, &data, err);
    if (status == ONNXQ_OK) status = onnxq_run(model, data, v->output, (onnxq_output_format)v->format, err);
    onnxq_data_free(data);
    onnxq_model_free(model);
    onnxq_session_free(session);
    return status;
}

const command run_command = {
    .name = "run",
    .usage = "MODEL.onnx --data SRC... --output DIR [OPTION]...",
    .summary = "run a model on samples and write its outputs",
    .options = options,
    .positional_least = 1,
    .positional_most = 1,
    .values_size = sizeof(run_values),
    .run = run,
};
