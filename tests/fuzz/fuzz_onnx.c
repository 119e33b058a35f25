// Fuzz target: any bytes as a model file, and as each kind of value file. What is read can be shown and
// written.
#include "onnx/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static void check(bool holds) {
    if (!holds) __builtin_trap();
}

static void try_model(oq_mem *mem, const uint8_t *bytes, size_t count) {
    oq_error err = {0};
    oq_model *model = NULL;
    oq_text text;
    oq_text_init(&text, mem);
    const oq_status status = oq_onnx_parse(mem, bytes, count, "fuzz", &model, &err);
    check(status == ONNXQ_OK || err.message[0]);
    if (status == ONNXQ_OK) {
        check(oq_onnx_format(model, &text, &err) == ONNXQ_OK && text.length == count);
        check(oq_graph_print(model->graph, &text, &err) == ONNXQ_OK);
        model->changed = model->graph->changed = true;
        const oq_status again = oq_onnx_format(model, &text, &err);
        check(again == ONNXQ_OK || err.message[0]);
    }
    oq_text_release(&text);
    oq_model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    oq_mem mem = {.budget = (size_t)256 << 20};
    try_model(&mem, bytes, count);
    for (oq_value_kind kind = OQ_VALUE_TENSOR; kind <= OQ_VALUE_MAP; kind++) {
        oq_value value = {0};
        oq_error err = {0};
        const oq_status status = oq_onnx_parse_value(&mem, bytes, count, kind, "fuzz", &value, &err);
        check(status == ONNXQ_OK || err.message[0]);
        oq_value_release(&value);
    }
    check(atomic_load(&mem.used) == 0);
    return 0;
}
