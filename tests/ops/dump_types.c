// Prints what inference finds for every value of the main graph of each model given: "path TAB value TAB
// type".
#include "onnx/onnx.h"
#include "ops/ops.h"

#include <stdio.h>

static int print_model(const char *path) {
    oq_mem mem = {0};
    oq_error err = {0};
    oq_model *model = NULL;
    oq_status status = oq_onnx_load(&mem, path, &model, &err);
    if (status == ONNXQ_OK) status = oq_infer_graph(model->graph, &err);
    if (status != ONNXQ_OK) {
        printf("%s\t!\t%s\n", path, err.message);
    } else {
        for (size_t v = 0; v < model->graph->value_count; ++v) {
            oq_text text;
            oq_text_init(&text, &mem);
            oq_type_format(&model->graph->values[v]->type, &text);
            printf("%s\t%s\t%s\n", path, model->graph->values[v]->name, oq_text_get(&text));
            oq_text_release(&text);
        }
    }
    oq_model_free(model);
    return status != ONNXQ_OK;
}

int main(int count, char **paths) {
    int failures = 0;
    for (int i = 1; i < count; ++i) failures += print_model(paths[i]);
    return failures ? 1 : 0;
}
