// A run context without an executor: one node, its inputs, its outputs, so that a kernel can be tested alone.
#include "support/op_context.h"

#include <math.h>
#include <string.h>

static oq_status new_buffer(oq_run_context *context, size_t bytes, oq_buffer **out, oq_error *err) {
    *out = oq_buffer_new(context->mem, bytes, err);
    return *out ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static void *new_scratch(oq_run_context *context, size_t bytes, oq_error *err) {
    test_op *op = context->worker;
    ck_assert_uint_lt(op->scratch_count, sizeof op->scratch / sizeof op->scratch[0]);
    void *block = oq_mem_alloc(context->mem, bytes, err);
    if (block) op->scratch[op->scratch_count++] = block;
    return block;
}

void test_op_init_domain(test_op *op, const char *domain, const char *op_type, int64_t opset) {
    memset(op, 0, sizeof *op);
    oq_arena_init(&op->arena, &op->mem);
    const oq_op *found = oq_op_find(domain, op_type);
    ck_assert_msg(found != NULL, "no operator %s", op_type);
    op->version = oq_op_at(found, opset);
    ck_assert_msg(op->version != NULL, "%s has no version at opset %lld", op_type, (long long)opset);
    op->node = (oq_node){.name = "tested",
                         .op_type = op_type,
                         .domain = domain,
                         .overload = "",
                         .doc = "",
                         .inputs = op->ids,
                         .outputs = op->ids,
                         .attrs = op->attrs,
                         .region = OQ_NONE};
    op->context = (oq_run_context){.node = &op->node,
                                   .version = op->version,
                                   .opset = opset,
                                   .mem = &op->mem,
                                   .in = op->in,
                                   .in_dies = op->dies,
                                   .out = op->outputs,
                                   .out_wanted = op->wanted,
                                   .worker = op,
                                   .new_buffer = new_buffer,
                                   .new_scratch = new_scratch};
}

void test_op_init(test_op *op, const char *op_type, int64_t opset) {
    test_op_init_domain(op, "", op_type, opset);
}

static void end_run(test_op *op) {
    for (size_t i = 0; i < TEST_OP_MAX; i++) oq_value_release(&op->outputs[i]);
    for (size_t i = 0; i < op->scratch_count; i++) oq_mem_free(&op->mem, op->scratch[i]);
    op->scratch_count = 0;
    oq_error_clear(&op->err);
}

void test_op_release(test_op *op) {
    end_run(op);
    for (size_t i = 0; i < TEST_OP_MAX; i++) oq_value_release(&op->inputs[i]);
    for (size_t i = 0; i < op->node.attr_count; i++)
        if (op->attrs[i].kind == OQ_ATTR_TENSOR) oq_tensor_release(&op->attrs[i].tensor->tensor);
    oq_arena_release(&op->arena);
    ck_assert_uint_eq(op->mem.used, 0);
}

static oq_attr *new_attr(test_op *op, const char *name, oq_attr_kind kind) {
    ck_assert_uint_lt(op->node.attr_count, TEST_OP_MAX);
    oq_attr *attr = &op->attrs[op->node.attr_count++];
    *attr = (oq_attr){.name = name, .doc = "", .kind = kind, .count = 1};
    return attr;
}

static void *arena_block(test_op *op, size_t bytes) {
    void *block = oq_arena_alloc(&op->arena, bytes ? bytes : 1, &op->err);
    ck_assert_ptr_nonnull(block);
    return block;
}

void test_op_int(test_op *op, const char *name, int64_t value) { new_attr(op, name, OQ_ATTR_INT)->i = value; }

void test_op_float(test_op *op, const char *name, float value) {
    new_attr(op, name, OQ_ATTR_FLOAT)->f = value;
}

static oq_bytes bytes_of(const char *text) {
    return (oq_bytes){.data = (const uint8_t *)text, .size = strlen(text)};
}

void test_op_string(test_op *op, const char *name, const char *text) {
    new_attr(op, name, OQ_ATTR_STRING)->s = bytes_of(text);
}

void test_op_ints(test_op *op, const char *name, const int64_t *values, size_t count) {
    oq_attr *attr = new_attr(op, name, OQ_ATTR_INTS);
    attr->count = count;
    attr->ints = arena_block(op, count * sizeof *values);
    if (count) memcpy(attr->ints, values, count * sizeof *values);
}

void test_op_floats(test_op *op, const char *name, const float *values, size_t count) {
    oq_attr *attr = new_attr(op, name, OQ_ATTR_FLOATS);
    attr->count = count;
    attr->floats = arena_block(op, count * sizeof *values);
    if (count) memcpy(attr->floats, values, count * sizeof *values);
}

void test_op_strings(test_op *op, const char *name, const char *const *texts, size_t count) {
    oq_attr *attr = new_attr(op, name, OQ_ATTR_STRINGS);
    attr->count = count;
    attr->strings = arena_block(op, count * sizeof *attr->strings);
    for (size_t i = 0; i < count; i++) attr->strings[i] = bytes_of(texts[i]);
}

void test_op_tensor_attr(test_op *op, const char *name, oq_tensor tensor) {
    oq_attr *attr = new_attr(op, name, OQ_ATTR_TENSOR);
    attr->tensor = arena_block(op, sizeof *attr->tensor);
    *attr->tensor =
        (oq_constant){.name = name, .dtype = tensor.dtype, .shape = tensor.shape, .tensor = tensor};
}

void test_op_input_value(test_op *op, oq_value value) {
    const size_t i = op->node.input_count++;
    ck_assert_uint_lt(i, TEST_OP_MAX);
    op->inputs[i] = value;
    op->in[i] = value.kind == OQ_VALUE_NONE ? NULL : &op->inputs[i];
    op->context.input_count = op->node.input_count;
}

void test_op_input(test_op *op, oq_tensor tensor) { test_op_input_value(op, oq_value_of_tensor(tensor)); }

void test_op_skip(test_op *op) { test_op_input_value(op, (oq_value){.kind = OQ_VALUE_NONE}); }

static oq_tensor new_tensor(test_op *op, oq_dtype dtype, const oq_shape *shape) {
    oq_tensor tensor = {0};
    CK_OK(oq_tensor_new(&op->mem, dtype, shape, &tensor, &op->err), &op->err);
    return tensor;
}

static void store_number(oq_dtype dtype, double value, void *into) {
    const int64_t integer = value >= -0x1p63 && value < 0x1p63 ? (int64_t)value : 0;
    if (oq_dtype_info(dtype)->is_integer)
        oq_store_i64(dtype, &integer, into, 1);
    else
        oq_store_f64(dtype, &value, into, 1);
}

oq_tensor test_op_tensor(test_op *op, oq_dtype dtype, oq_shape shape, const double *values) {
    oq_tensor tensor = new_tensor(op, dtype, &shape);
    for (int64_t i = 0; i < oq_shape_count(&shape); i++)
        store_number(dtype, values[i], (unsigned char *)tensor.data + (size_t)i * oq_dtype_bytes(dtype));
    return tensor;
}

oq_tensor test_op_tensor_raw(test_op *op, oq_dtype dtype, oq_shape shape, const void *bytes) {
    oq_tensor tensor = new_tensor(op, dtype, &shape);
    if (oq_tensor_bytes(&tensor)) memcpy(tensor.data, bytes, oq_tensor_bytes(&tensor));
    return tensor;
}

oq_tensor test_op_tensor_strings(test_op *op, oq_shape shape, const char *const *texts) {
    size_t lengths[256];
    oq_tensor tensor = {0};
    const int64_t count = oq_shape_count(&shape);
    ck_assert_int_le(count, 256);
    for (int64_t i = 0; i < count; i++) lengths[i] = strlen(texts[i]);
    CK_OK(oq_tensor_new_strings(&op->mem, &shape, texts, lengths, &tensor, &op->err), &op->err);
    return tensor;
}

oq_tensor test_op_random(test_op *op, oq_dtype dtype, oq_shape shape, uint64_t seed, double low,
                         double high) {
    oq_tensor tensor = new_tensor(op, dtype, &shape);
    for (int64_t i = 0; i < oq_shape_count(&shape); i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const double unit = (double)(seed >> 11) * 0x1p-53;
        store_number(dtype, low + unit * (high - low),
                     (unsigned char *)tensor.data + (size_t)i * oq_dtype_bytes(dtype));
    }
    return tensor;
}

oq_status test_op_try(test_op *op, size_t output_count) {
    end_run(op);
    ck_assert_uint_le(output_count, TEST_OP_MAX);
    for (size_t i = 0; i < output_count; i++) op->wanted[i] = true;
    op->node.output_count = op->context.output_count = output_count;
    op->context.pool = op->pool;
    op->context.state = NULL;
    oq_status status = ONNXQ_OK;
    if (op->version->prepare) status = op->version->prepare(&op->context, &op->context.state, &op->err);
    if (status == ONNXQ_OK) status = op->version->run(&op->context, &op->err);
    if (op->version->release && op->context.state) op->version->release(&op->mem, op->context.state);
    op->context.state = NULL;
    ck_assert_msg((status == ONNXQ_OK) == (op->err.status == ONNXQ_OK), "status %d without its sentence: %s",
                  (int)status, op->err.message);
    return status;
}

void test_op_run(test_op *op, size_t output_count) {
    const oq_status status = test_op_try(op, output_count);
    CK_OK(status, &op->err);
}

const oq_tensor *test_op_output(test_op *op, size_t index) {
    ck_assert_int_eq(op->outputs[index].kind, OQ_VALUE_TENSOR);
    return &op->outputs[index].tensor;
}

void test_op_expect(test_op *op, size_t index, oq_dtype dtype, oq_shape shape, const double *values,
                    double tolerance) {
    const oq_tensor *got = test_op_output(op, index);
    ck_assert_int_eq(got->dtype, dtype);
    ck_assert(oq_shape_equal(&got->shape, &shape));
    for (int64_t i = 0; i < oq_shape_count(&shape); i++) {
        const double is = oq_tensor_get_f64(got, i), should = values[i];
        const bool same = is == should || (isnan(is) && isnan(should)) || fabs(is - should) <= tolerance;
        ck_assert_msg(same, "output %zu, element %lld: %.17g instead of %.17g", index, (long long)i, is,
                      should);
    }
}
