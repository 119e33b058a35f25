// onnxq inspect and onnxq ops: what is in a model, and what onnxq knows.
#include "cli/command.h"

typedef struct inspect_values {
    common_values common;
    int graph, ranges;
} inspect_values;

static const option inspect_options[] = {{"graph", 0, OPTION_FLAG, NULL, "print the graph, one line a node",
                                          offsetof(inspect_values, graph), 0, 0},
                                         {"ranges", 0, OPTION_FLAG, NULL,
                                          "list the tensors whose ranges quantization needs, for a file that "
                                          "'convert --statistics' reads once the numbers are filled in",
                                          offsetof(inspect_values, ranges), 0, 0},
                                         {0}};

static const option no_options[] = {{0}};

static void print(const onnxq_report *report, int json) {
    terminal_end();
    fputs(json ? onnxq_report_json(report) : onnxq_report_text(report), stdout);
    if (json) putchar('\n');
}

static onnxq_status inspect(void *values, char **positional, size_t count, onnxq_error *err) {
    (void)count;
    const inspect_values *v = values;
    onnxq_session *session = NULL;
    onnxq_model *model = NULL;
    onnxq_report *report = NULL;
    char *text = NULL;
    onnxq_status status = terminal_session(&v->common, &session, err);
    if (status == ONNXQ_OK) status = onnxq_model_load(session, positional[0], &model, err);
    if (status == ONNXQ_OK && (v->graph || v->ranges)) {
        status = v->graph ? onnxq_model_print(model, &text, err) : onnxq_model_ranges(model, &text, err);
        if (status == ONNXQ_OK) fputs(text, stdout);
    } else if (status == ONNXQ_OK) {
        status = onnxq_inspect(model, &report, err);
        if (status == ONNXQ_OK) print(report, v->common.json);
    }
    onnxq_text_free(session, text);
    onnxq_report_free(report);
    onnxq_model_free(model);
    onnxq_session_free(session);
    return status;
}

static onnxq_status ops(void *values, char **positional, size_t count, onnxq_error *err) {
    (void)positional, (void)count;
    const common_values *v = values;
    onnxq_session *session = NULL;
    onnxq_report *report = NULL;
    onnxq_status status = terminal_session(v, &session, err);
    if (status == ONNXQ_OK) status = onnxq_operators(session, &report, err);
    if (status == ONNXQ_OK) print(report, v->json);
    onnxq_report_free(report);
    onnxq_session_free(session);
    return status;
}

const command inspect_command = {
    .name = "inspect",
    .usage = "MODEL.onnx [--graph|--ranges] [OPTION]...",
    .summary = "operators, sizes, multiply-accumulates, and what would be quantized",
    .options = inspect_options,
    .positional_least = 1,
    .positional_most = 1,
    .values_size = sizeof(inspect_values),
    .run = inspect,
};

const command ops_command = {
    .name = "ops",
    .usage = "[OPTION]...",
    .summary = "the operators that onnxq runs and how it quantizes them",
    .options = no_options,
    .positional_most = 0,
    .values_size = sizeof(common_values),
    .run = ops,
};
