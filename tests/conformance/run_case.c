// One case: loads the model, checks and infers it, runs every data set, compares the outputs.
#include "conformance/conformance.h"
#include "onnx/onnx.h"
#include "run/given.h"
#include "run/run.h"
#include "support/values.h"

#include <stdio.h>
#include <string.h>

#define MOST_VALUES 64
#define BUDGET      ((size_t)4 << 30) // of one case, so that a wrong shape does not take the machine down

typedef struct running {
    const char *folder;
    conformance_case *c;
    oq_mem mem;
    oq_model *model;
    oq_program *program;
    oq_worker *worker;
    char reason[CONFORMANCE_REASON];
} running;

static oq_value_kind kind_of(const oq_type *type) {
    switch (type->kind) {
    case OQ_TYPE_SEQUENCE: return OQ_VALUE_SEQUENCE;
    case OQ_TYPE_OPTIONAL: return OQ_VALUE_OPTIONAL;
    case OQ_TYPE_MAP: return OQ_VALUE_MAP;
    default: return OQ_VALUE_TENSOR;
    }
}

static oq_status read_value(running *r, int set, const char *stem, size_t index, const oq_type *type,
                            oq_value *out, oq_error *err) {
    char path[4096];
    uint8_t *bytes = NULL;
    size_t count = 0;
    snprintf(path, sizeof path, "%s/%s/test_data_set_%d/%s_%zu.pb", r->folder, r->c->name, set, stem, index);
    OQ_TRY(oq_file_read_all(&r->mem, path, &bytes, &count, err));
    const oq_status status = oq_onnx_parse_value(&r->mem, bytes, count, kind_of(type), stem, out, err);
    oq_mem_free(&r->mem, bytes);
    return status;
}

static oq_status read_values(running *r, int set, const char *stem, const oq_value_id *ids, size_t count,
                             oq_value *values, oq_error *err) {
    if (count > MOST_VALUES)
        return oq_fail(err, ONNXQ_INTERNAL, "%zu values are too many for this program", count);
    for (size_t i = 0; i < count; i++)
        OQ_TRY(read_value(r, set, stem, i, &oq_graph_value(r->model->graph, ids[i])->type, &values[i], err));
    return ONNXQ_OK;
}

// What shape inference said of an output must be true of the value.
static bool type_holds(running *r, oq_value_id id, const oq_value *got) {
    oq_error err = {0};
    if (oq_check_given(oq_graph_value(r->model->graph, id), got, &r->mem, &err) == ONNXQ_OK) return true;
    snprintf(r->reason, sizeof r->reason, "inferred type is wrong: %.200s", err.message);
    return false;
}

static bool outputs_fit(running *r, const oq_value_id *ids, size_t count, const oq_value *expected,
                        const oq_value *got) {
    for (size_t i = 0; i < count; i++) {
        char why[300];
        if (!test_values_equal(&expected[i], &got[i], r->c->rtol, r->c->atol, why, sizeof why)) {
            snprintf(r->reason, sizeof r->reason, "output %zu: %s", i, why);
            return false;
        }
        if (!type_holds(r, ids[i], &got[i])) return false;
    }
    return true;
}

static oq_status run_set(running *r, int set, oq_error *err) {
    oq_value in[MOST_VALUES] = {0}, out[MOST_VALUES] = {0}, expected[MOST_VALUES] = {0};
    size_t in_count, out_count;
    const oq_value_id *inputs = oq_program_inputs(r->program, &in_count);
    const oq_value_id *outputs = oq_program_outputs(r->program, &out_count);
    oq_status status;
    OQ_TRY_DONE(read_values(r, set, "input", inputs, in_count, in, err));
    OQ_TRY_DONE(read_values(r, set, "output", outputs, out_count, expected, err));
    OQ_TRY_DONE(oq_worker_run(r->worker, in, out, NULL, NULL, err));
    outputs_fit(r, outputs, out_count, expected, out);
done:
    for (size_t i = 0; i < MOST_VALUES; i++) {
        oq_value_release(&in[i]);
        oq_value_release(&out[i]);
        oq_value_release(&expected[i]);
    }
    return status;
}

static bool names(const char *list, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += length)
        if ((at == list || at[-1] == ',') && (!at[length] || at[length] == ',')) return true;
    return false;
}

static void list_operators(const oq_graph *graph, char *list, size_t size) {
    size_t used = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        const char *name = graph->nodes[i]->op_type;
        if (names(list, name) || used + strlen(name) + 2 > size) continue;
        used += (size_t)snprintf(list + used, size - used, "%s%s", used ? "," : "", name);
    }
}

static oq_status run_model(running *r, oq_error *err) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s/model.onnx", r->folder, r->c->name);
    OQ_TRY(oq_onnx_load(&r->mem, path, &r->model, err));
    list_operators(r->model->graph, r->c->operators, sizeof r->c->operators);
    OQ_TRY(oq_check_graph(r->model->graph, false, err));
    OQ_TRY(oq_infer_graph(r->model->graph, err));
    OQ_TRY(oq_program_new(r->model->graph, NULL, &r->program, err));
    OQ_TRY(oq_worker_new(r->program, &r->worker, err));
    for (int set = 0; !r->reason[0]; set++) {
        snprintf(path, sizeof path, "%s/%s/test_data_set_%d", r->folder, r->c->name, set);
        if (!oq_path_is_folder(path))
            return set ? ONNXQ_OK : oq_fail(err, ONNXQ_IO, "there is no test_data_set_0");
        OQ_TRY(run_set(r, set, err));
    }
    return ONNXQ_OK;
}

// The error without the folder, so that ledgers of several machines agree.
static void explain(running *r, oq_status status, const oq_error *err) {
    if (status == ONNXQ_UNSUPPORTED && err->op_type[0]) {
        snprintf(r->reason, sizeof r->reason, "unsupported operator %s", err->op_type);
        return;
    }
    const char *message = err->message;
    const char *at = strstr(message, r->folder);
    char cut[sizeof err->message];
    if (at) {
        snprintf(cut, sizeof cut, "%.*s%s", (int)(at - message), message, at + strlen(r->folder) + 1);
        message = cut;
    }
    snprintf(r->reason, sizeof r->reason, "%s: %.250s", onnxq_status_name(status), message);
}

void conformance_run(const char *folder, conformance_case *c) {
    running r = {.folder = folder, .c = c};
    r.mem.budget = BUDGET;
    oq_error err = {0};
    const oq_status status = run_model(&r, &err);
    if (status != ONNXQ_OK) explain(&r, status, &err);
    oq_worker_free(r.worker);
    oq_program_free(r.program);
    oq_model_free(r.model);
    if (!r.reason[0] && atomic_load(&r.mem.used))
        snprintf(r.reason, sizeof r.reason, "%zu bytes are still in use at the end",
                 atomic_load(&r.mem.used));
    for (char *p = r.reason; *p; p++)
        if (*p == '\n') *p = ' ';
    if (!c->operators[0]) snprintf(c->operators, sizeof c->operators, "-");
    snprintf(c->outcome, sizeof c->outcome, "%s%.380s", r.reason[0] ? "fail: " : "pass", r.reason);
}
