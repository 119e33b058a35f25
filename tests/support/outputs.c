// Runs of whole models on seeded inputs, and comparison of what comes out.
#include "support/outputs.h"
#include "support/support.h"
#include "support/values.h"

#include <string.h>

static uint64_t next(uint64_t *state) {
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static oq_value seeded(oq_mem *mem, const oq_gvalue *input, uint64_t *state) {
    const oq_type *type = &input->type;
    oq_shape shape = {.rank = type->rank > 0 ? type->rank : 0};
    for (int d = 0; d < shape.rank; d++) shape.dim[d] = oq_dim_known(type->dim[d]) ? type->dim[d].size : 2;
    oq_tensor tensor = {0};
    oq_error err = {0};
    CK_OK(oq_tensor_new(mem, type->dtype, &shape, &tensor, &err), &err);
    const size_t bytes = oq_dtype_bytes(type->dtype);
    for (int64_t i = 0; i < oq_tensor_count(&tensor); i++) {
        const uint64_t bits = next(state);
        const double number =
            oq_dtype_info(type->dtype)->is_float ? (double)(bits >> 11) / 0x1p52 - 1 : (double)(bits & 3);
        oq_store_f64(type->dtype, &number, (uint8_t *)tensor.data + (size_t)i * bytes, 1);
    }
    return oq_value_of_tensor(tensor);
}

oq_status test_outputs_try(oq_model *model, uint64_t seed, test_outputs *out, oq_error *err) {
    oq_program *program = NULL;
    oq_worker *worker = NULL;
    oq_value inputs[TEST_MOST_OUTPUTS] = {{0}};
    size_t count = 0;
    *out = (test_outputs){0};
    oq_status status;
    OQ_TRY_DONE(oq_program_new(model->graph, NULL, &program, err));
    OQ_TRY_DONE(oq_worker_new(program, &worker, err));
    const oq_value_id *ids = oq_program_inputs(program, &count);
    ck_assert_uint_le(count, TEST_MOST_OUTPUTS);
    for (size_t i = 0; i < count; i++)
        inputs[i] = seeded(model->mem, oq_graph_value(model->graph, ids[i]), &seed);
    oq_program_outputs(program, &out->count);
    ck_assert_uint_le(out->count, TEST_MOST_OUTPUTS);
    status = oq_worker_run(worker, inputs, out->values, NULL, NULL, err);
done:
    if (status != ONNXQ_OK) out->count = 0;
    for (size_t i = 0; i < count; i++) oq_value_release(&inputs[i]);
    oq_worker_free(worker);
    oq_program_free(program);
    return status;
}

void test_outputs_run(oq_model *model, uint64_t seed, test_outputs *out) {
    oq_error err = {0};
    CK_OK(test_outputs_try(model, seed, out, &err), &err);
}

void test_outputs_equal(const test_outputs *expected, const test_outputs *got, double rtol,
                        const char *what) {
    ck_assert_msg(expected->count == got->count, "%s: %zu and %zu outputs", what, expected->count,
                  got->count);
    for (size_t i = 0; i < got->count; i++) {
        char reason[256];
        ck_assert_msg(
            test_values_equal(&expected->values[i], &got->values[i], rtol, rtol * 0.1, reason, sizeof reason),
            "%s: output %zu: %s", what, i, reason);
    }
}

void test_outputs_release(test_outputs *outputs) {
    for (size_t i = 0; i < outputs->count; i++) oq_value_release(&outputs->values[i]);
    outputs->count = 0;
}

oq_text test_graph_text(const oq_model *model) {
    oq_text text;
    oq_error err = {0};
    oq_text_init(&text, model->mem);
    CK_OK(oq_graph_print(model->graph, &text, &err), &err);
    return text;
}
