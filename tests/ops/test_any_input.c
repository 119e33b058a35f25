// Every kernel on inputs that fit its signature and nothing else: odd shapes, empty tensors, wild attributes.
// It may refuse with a sentence or compute, never crash, hang or keep memory.
#include "ops/lib/signature.h"
#include "support/op_context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 12, MOST_INPUTS = TEST_OP_MAX - 1 };

static uint64_t state;

static uint64_t draw(uint64_t below) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % below;
}

static int64_t draw_int(void) {
    static const int64_t wild[] = {INT64_MAX, INT64_MIN, INT32_MAX, -1000, 1 << 20};
    return draw(4) ? (int64_t)draw(8) - 3 : wild[draw(5)];
}

static oq_shape draw_shape(void) {
    oq_shape shape = {.rank = (int)draw(5)};
    for (int i = 0; i < shape.rank; i++) shape.dim[i] = draw(8) ? (int64_t)draw(4) + 1 : 0;
    return shape;
}

// One of the dtypes of a set, or UNDEFINED when it holds no tensors.
static oq_dtype draw_dtype(uint64_t allowed) {
    oq_dtype found[ONNXQ_DTYPE_COUNT];
    size_t count = 0;
    for (int dtype = 1; dtype < ONNXQ_DTYPE_COUNT; dtype++)
        if (allowed >> dtype & 1) found[count++] = (oq_dtype)dtype;
    return count ? found[draw(count)] : ONNXQ_UNDEFINED;
}

static oq_tensor draw_tensor(test_op *op, oq_dtype dtype, const oq_shape *shape) {
    oq_tensor tensor = {0};
    if (dtype == ONNXQ_STRING) {
        const char *texts[1024];
        size_t lengths[1024];
        for (size_t i = 0; i < 1024; i++) {
            texts[i] = "-1.5 a,b\xC3" + draw(9);
            lengths[i] = strlen(texts[i]);
        }
        CK_OK(oq_tensor_new_strings(&op->mem, shape, texts, lengths, &tensor, &op->err), &op->err);
        return tensor;
    }
    CK_OK(oq_tensor_new(&op->mem, dtype, shape, &tensor, &op->err), &op->err);
    const size_t bytes = oq_dtype_bytes(dtype);
    for (int64_t i = 0; i < oq_shape_count(shape); i++) {
        unsigned char *into = (unsigned char *)tensor.data + (size_t)i * bytes;
        const int64_t integer = dtype == ONNXQ_BOOL ? (int64_t)draw(2) : draw_int();
        const double real = (double)draw_int() / 2;
        if (dtype == ONNXQ_COMPLEX64 || dtype == ONNXQ_COMPLEX128)
            memset(into, 0, bytes);
        else if (oq_dtype_info(dtype)->is_float)
            oq_store_f64(dtype, &real, into, 1);
        else
            oq_store_i64(dtype, &integer, into, 1);
    }
    return tensor;
}

// Attributes as the table lists them; false when one is needed that cannot be made up here.
static bool draw_attrs(test_op *op, const oq_attr_spec *spec) {
    static const char *const texts[] = {"", "none", "constant", "ij,jk->ik", "mean", "\xFF"};
    for (; spec && spec->name; spec++) {
        if (!spec->required && draw(2)) continue;
        int64_t ints[6];
        float floats[6];
        const char *strings[6];
        for (size_t i = 0; i < 6; i++) {
            ints[i] = draw_int();
            floats[i] = (float)draw_int() / 4;
            strings[i] = texts[draw(6)];
        }
        switch (spec->kind) {
        case OQ_ATTR_INT: test_op_int(op, spec->name, ints[0]); break;
        case OQ_ATTR_FLOAT: test_op_float(op, spec->name, floats[0]); break;
        case OQ_ATTR_STRING: test_op_string(op, spec->name, strings[0]); break;
        case OQ_ATTR_INTS: test_op_ints(op, spec->name, ints, draw(6)); break;
        case OQ_ATTR_FLOATS: test_op_floats(op, spec->name, floats, draw(6)); break;
        case OQ_ATTR_STRINGS: test_op_strings(op, spec->name, strings, draw(6)); break;
        default:
            if (spec->required) return false;
            break;
        }
        if (op->node.attr_count == TEST_OP_MAX) break;
    }
    return true;
}

// Inputs as the signature wants them: equal variables get equal types. False when it wants no tensors.
static bool draw_inputs(test_op *op, const oq_signature *signature) {
    oq_dtype variables[8] = {ONNXQ_UNDEFINED};
    const oq_shape common = draw_shape();
    for (size_t i = 0; i < MOST_INPUTS; i++) {
        const oq_param *param = oq_params_at(&signature->in, i);
        const bool enough = i >= signature->in.least;
        if (!param || (enough && !draw(2))) return true;
        if (param->optional && draw(2)) {
            test_op_skip(op);
            continue;
        }
        oq_dtype dtype = param->dtype;
        if (dtype == ONNXQ_UNDEFINED && param->variable >= 0 && param->variable < 8 && !param->mixed) {
            oq_dtype *kept = &variables[param->variable];
            if (*kept == ONNXQ_UNDEFINED) *kept = draw_dtype(oq_param_allowed(op->version, param));
            dtype = *kept;
        } else if (dtype == ONNXQ_UNDEFINED) {
            dtype = draw_dtype(oq_param_allowed(op->version, param));
        }
        if (dtype == ONNXQ_UNDEFINED) return false;
        const oq_shape shape = draw(3) ? common : draw_shape();
        test_op_input(op, draw_tensor(op, dtype, &shape));
    }
    return true;
}

static void try_once(const oq_op *op_entry, const oq_op_version *version, uint64_t seed) {
    test_op op;
    oq_error err = {0};
    oq_signature signature;
    state = seed;
    test_op_init_domain(&op, op_entry->domain, op_entry->name, version->since);
    op.mem.budget = (size_t)64 << 20;
    CK_OK(oq_signature_parse(version, &signature, &err), &err);
    if (draw_attrs(&op, version->attrs) && draw_inputs(&op, &signature)) {
        const size_t most = signature.out.most < 4 ? signature.out.most : 4;
        for (size_t i = 0; i < op.node.input_count; i++) op.dies[i] = draw(2);
        test_op_try(&op, most ? most : 1);
    }
    test_op_release(&op);
}

// HOSTILE=1 in the environment shows each operator and seed before it is tried.
START_TEST(no_kernel_crashes) {
    const bool talk = getenv("HOSTILE") != NULL;
    for (size_t k = 0; oq_op_table[k]; k++) {
        const oq_op *op = oq_op_table[k];
        if (op->flags & OQ_OP_BODY) continue;
        for (size_t v = 0; v < op->version_count; v++)
            for (uint64_t round = 0; op->versions[v].run && round < ROUNDS; round++) {
                if (talk)
                    fprintf(stderr, "%s-%d %llu\n", op->name, op->versions[v].since,
                            (unsigned long long)round);
                try_once(op, &op->versions[v], round * 1000003 + k * 31 + v);
            }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ops/hostile");
    TCase *tcase = tcase_create("hostile");
    tcase_add_test(tcase, no_kernel_crashes);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
