// Laws of the operators that move elements: inverses, naive oracles, identities; strings like numbers.
#include "support/op_context.h"

#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252u;
static int64_t below(int64_t n) { // a number in [0, n)
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (int64_t)(state % (uint64_t)n);
}

static oq_shape random_shape(int rank, int64_t most) {
    oq_shape shape = {.rank = rank};
    for (int d = 0; d < rank; d++) shape.dim[d] = 1 + below(most);
    return shape;
}

static oq_tensor list(test_op *op, const int64_t *values, int64_t count) {
    return test_op_tensor_raw(op, ONNXQ_INT64, OQ_SHAPE(count), values);
}

// One operator over one data tensor and lists; the result is a new reference.
static oq_tensor apply(const char *name, int64_t opset, oq_mem *mem, const oq_tensor *data, const char *attr,
                       const int64_t *ints, size_t count) {
    test_op op;
    test_op_init(&op, name, opset);
    if (attr) test_op_ints(&op, attr, ints, count);
    test_op_input(&op, oq_tensor_retain(data));
    test_op_run(&op, 1);
    const oq_tensor *out = test_op_output(&op, 0);
    oq_tensor copy;
    CK_OK(oq_tensor_new(mem, out->dtype, &out->shape, &copy, &op.err), &op.err);
    memcpy(copy.data, out->data, oq_tensor_bytes(out));
    test_op_release(&op);
    return copy;
}

static oq_tensor counting(oq_mem *mem, oq_dtype dtype, oq_shape shape) {
    oq_tensor tensor;
    oq_error err = {0};
    CK_OK(oq_tensor_new(mem, dtype, &shape, &tensor, &err), &err);
    unsigned char *bytes = tensor.data;
    for (size_t i = 0; i < oq_tensor_bytes(&tensor); i++) bytes[i] = (unsigned char)below(256);
    return tensor;
}

START_TEST(transpose_twice_is_identity) {
    static const oq_dtype dtypes[] = {ONNXQ_INT8, ONNXQ_FLOAT16, ONNXQ_FLOAT, ONNXQ_DOUBLE, ONNXQ_COMPLEX128};
    oq_mem mem = {0};
    for (int round = 0; round < 300; round++) {
        const int rank = 1 + (int)below(5);
        oq_tensor data = counting(&mem, dtypes[below(5)], random_shape(rank, round % 10 ? 6 : 40));
        int64_t perm[8], inverse[8];
        for (int d = 0; d < rank; d++) perm[d] = d;
        for (int d = rank - 1; d > 0; d--) {
            const int64_t k = below(d + 1), swap = perm[d];
            perm[d] = perm[k], perm[k] = swap;
        }
        for (int d = 0; d < rank; d++) inverse[perm[d]] = d;
        oq_tensor once = apply("Transpose", 13, &mem, &data, "perm", perm, (size_t)rank);
        oq_tensor twice = apply("Transpose", 13, &mem, &once, "perm", inverse, (size_t)rank);
        ck_assert(oq_tensor_equal(&data, &twice));
        // Against the definition, at a random place.
        int64_t strides[OQ_MAX_RANK], moved[OQ_MAX_RANK], from = 0, to = 0;
        oq_shape_strides(&data.shape, strides), oq_shape_strides(&once.shape, moved);
        for (int d = 0; d < rank; d++) {
            const int64_t i = below(once.shape.dim[d]);
            from += i * strides[perm[d]], to += i * moved[d];
        }
        const size_t size = oq_dtype_bytes(data.dtype);
        ck_assert_mem_eq((char *)once.data + (size_t)to * size, (char *)data.data + (size_t)from * size,
                         size);
        oq_tensor_release(&data), oq_tensor_release(&once), oq_tensor_release(&twice);
    }
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(split_then_concat_is_identity) {
    for (int round = 0; round < 100; round++) {
        const int rank = 1 + (int)below(4), axis = (int)below(rank);
        const int64_t parts = 1 + below(4);
        test_op split, concat;
        test_op_init(&split, "Split", 13);
        test_op_init(&concat, "Concat", 13);
        test_op_int(&split, "axis", axis);
        test_op_int(&concat, "axis", axis - rank);
        oq_shape shape = random_shape(rank, 5);
        int64_t sizes[4], sum = 0;
        for (int64_t k = 0; k < parts; k++) sum += sizes[k] = below(4);
        shape.dim[axis] = sum;
        oq_tensor data = test_op_random(&split, ONNXQ_FLOAT, shape, (uint64_t)round, -1, 1);
        test_op_input(&split, oq_tensor_retain(&data));
        test_op_input(&split, list(&split, sizes, parts));
        test_op_run(&split, (size_t)parts);
        for (int64_t k = 0; k < parts; k++)
            test_op_input(&concat, oq_tensor_retain(test_op_output(&split, (size_t)k)));
        test_op_run(&concat, 1);
        ck_assert(oq_tensor_equal(&data, test_op_output(&concat, 0)));
        test_op_release(&concat);
        oq_tensor_release(&data);
        test_op_release(&split);
    }
}
END_TEST

// start:end:step over one axis by Python's words, element by element.
static int64_t naive_slice(int64_t size, int64_t start, int64_t end, int64_t step, int64_t *taken) {
    int64_t count = 0;
    if (start < 0) start += size;
    if (end < 0) end += size;
    if (step > 0) {
        for (int64_t i = start < 0 ? 0 : start; i < end && i < size; i += step) taken[count++] = i;
    } else {
        for (int64_t i = start >= size ? size - 1
                         : start < 0   ? 0
                                       : start;
             i > end && i >= 0 && size; i += step)
            taken[count++] = i;
    }
    return count;
}

START_TEST(slice_agrees_with_naive_indexing) {
    for (int round = 0; round < 2000; round++) {
        test_op op;
        test_op_init(&op, "Slice", 13);
        const int64_t size = below(9), inner = 1 + below(3);
        const int64_t start = below(25) - 12, end = below(25) - 12;
        int64_t step = below(9) - 4, axis = 0, taken[16];
        if (!step) step = 1;
        oq_tensor data = test_op_random(&op, ONNXQ_INT32, OQ_SHAPE(size, inner), (uint64_t)round, -99, 99);
        test_op_input(&op, oq_tensor_retain(&data));
        test_op_input(&op, list(&op, &start, 1));
        test_op_input(&op, list(&op, &end, 1));
        test_op_input(&op, list(&op, &axis, 1));
        test_op_input(&op, list(&op, &step, 1));
        test_op_run(&op, 1);
        const int64_t count = naive_slice(size, start, end, step, taken);
        const oq_tensor *out = test_op_output(&op, 0);
        ck_assert_msg(out->shape.dim[0] == count, "%lld[%lld:%lld:%lld] gives %lld, not %lld",
                      (long long)size, (long long)start, (long long)end, (long long)step,
                      (long long)out->shape.dim[0], (long long)count);
        for (int64_t k = 0; k < count * inner; k++)
            ck_assert_int_eq(((int32_t *)out->data)[k],
                             ((int32_t *)data.data)[taken[k / inner] * inner + k % inner]);
        oq_tensor_release(&data);
        test_op_release(&op);
    }
}
END_TEST

START_TEST(slice_takes_any_number) {
    static const int64_t extremes[] = {INT64_MIN, INT64_MIN + 1, -7,       -1, 0, 1, 3,
                                       7,         INT64_MAX - 1, INT64_MAX};
    const size_t n = sizeof extremes / sizeof extremes[0];
    for (size_t s = 0; s < n; s++)
        for (size_t e = 0; e < n; e++)
            for (size_t t = 0; t < n; t++) {
                test_op op;
                test_op_init(&op, "Slice", 13);
                const int64_t axis = -1;
                test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(5), (double[]){0, 1, 2, 3, 4}));
                test_op_input(&op, list(&op, &extremes[s], 1));
                test_op_input(&op, list(&op, &extremes[e], 1));
                test_op_input(&op, list(&op, &axis, 1));
                test_op_input(&op, list(&op, &extremes[t], 1));
                const oq_status status = test_op_try(&op, 1);
                ck_assert_int_eq(status == ONNXQ_OK, extremes[t] != 0);
                if (status == ONNXQ_OK) ck_assert_int_le(test_op_output(&op, 0)->shape.dim[0], 5);
                test_op_release(&op);
            }
}
END_TEST

START_TEST(gather_of_arange_is_identity) {
    for (int axis = 0; axis < 3; axis++) {
        test_op op;
        test_op_init(&op, "Gather", 13);
        test_op_int(&op, "axis", axis);
        oq_tensor data = test_op_random(&op, ONNXQ_DOUBLE, OQ_SHAPE(3, 4, 5), 7, -1, 1);
        test_op_input(&op, oq_tensor_retain(&data));
        const int64_t size = data.shape.dim[axis], all[] = {0, 1, 2, 3, 4};
        int64_t mixed[5]; // the same positions, some counted from the end
        for (int64_t i = 0; i < size; i++) mixed[i] = i % 2 ? all[i] - size : all[i];
        test_op_input(&op, list(&op, mixed, size));
        test_op_run(&op, 1);
        ck_assert(oq_tensor_equal(&data, test_op_output(&op, 0)));
        oq_tensor_release(&data);
        test_op_release(&op);
    }
}
END_TEST

START_TEST(scatter_of_gather_restores) {
    for (int round = 0; round < 50; round++) {
        const oq_shape shape = random_shape(3, 5);
        const int axis = (int)below(3);
        test_op gather, scatter;
        test_op_init(&gather, "GatherElements", 13);
        test_op_init(&scatter, "ScatterElements", 18);
        test_op_int(&gather, "axis", axis);
        test_op_int(&scatter, "axis", axis);
        oq_tensor data = test_op_random(&gather, ONNXQ_FLOAT, shape, (uint64_t)round, -1, 1);
        oq_tensor indices =
            test_op_random(&gather, ONNXQ_INT64, shape, (uint64_t)round + 1, 0, (double)shape.dim[axis]);
        test_op_input(&gather, oq_tensor_retain(&data));
        test_op_input(&gather, oq_tensor_retain(&indices));
        test_op_run(&gather, 1);
        test_op_input(&scatter, oq_tensor_retain(&data));
        test_op_input(&scatter, oq_tensor_retain(&indices));
        test_op_input(&scatter, oq_tensor_retain(test_op_output(&gather, 0)));
        test_op_run(&scatter, 1);
        ck_assert(oq_tensor_equal(&data, test_op_output(&scatter, 0)));
        test_op_release(&scatter);
        oq_tensor_release(&data), oq_tensor_release(&indices);
        test_op_release(&gather);
    }
}
END_TEST

START_TEST(pad_then_crop_is_identity) {
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap"};
    for (int round = 0; round < 200; round++) {
        const int rank = 1 + (int)below(3);
        const oq_shape shape = random_shape(rank, 5);
        int64_t pads[8], cuts[8];
        for (int k = 0; k < 2 * rank; k++) cuts[k] = -(pads[k] = below(8));
        test_op pad, crop;
        test_op_init(&pad, "Pad", 19);
        test_op_init(&crop, "Pad", 19);
        test_op_string(&pad, "mode", modes[round % 4]);
        oq_tensor data = test_op_random(&pad, ONNXQ_FLOAT16, shape, (uint64_t)round, -1, 1);
        test_op_input(&pad, oq_tensor_retain(&data));
        test_op_input(&pad, list(&pad, pads, 2 * rank));
        test_op_run(&pad, 1);
        test_op_input(&crop, oq_tensor_retain(test_op_output(&pad, 0)));
        test_op_input(&crop, list(&crop, cuts, 2 * rank));
        test_op_run(&crop, 1);
        ck_assert(oq_tensor_equal(&data, test_op_output(&crop, 0)));
        test_op_release(&crop);
        oq_tensor_release(&data);
        test_op_release(&pad);
    }
}
END_TEST

START_TEST(tile_repeats_by_modulus) {
    for (int round = 0; round < 100; round++) {
        test_op op;
        test_op_init(&op, "Tile", 13);
        const oq_shape shape = random_shape(3, 4);
        const int64_t repeats[3] = {below(4), 1 + below(3), 1 + below(3)};
        oq_tensor data = test_op_random(&op, ONNXQ_INT16, shape, (uint64_t)round, -99, 99);
        test_op_input(&op, oq_tensor_retain(&data));
        test_op_input(&op, list(&op, repeats, 3));
        test_op_run(&op, 1);
        const oq_tensor *out = test_op_output(&op, 0);
        const int64_t *d = out->shape.dim, *s = shape.dim;
        for (int64_t i = 0; i < oq_tensor_count(out); i++) {
            const int64_t a = i / (d[1] * d[2]) % s[0], b = i / d[2] % d[1] % s[1], c = i % d[2] % s[2];
            ck_assert_int_eq(((int16_t *)out->data)[i], ((int16_t *)data.data)[(a * s[1] + b) * s[2] + c]);
        }
        oq_tensor_release(&data);
        test_op_release(&op);
    }
}
END_TEST

START_TEST(depth_to_space_is_undone) {
    static const char *const modes[] = {"DCR", "CRD"};
    for (int m = 0; m < 2; m++) {
        test_op to, back;
        test_op_init(&to, "DepthToSpace", 28);
        test_op_init(&back, "SpaceToDepth", 28);
        test_op_int(&to, "blocksize", 3), test_op_int(&back, "blocksize", 3);
        test_op_string(&to, "mode", modes[m]), test_op_string(&back, "mode", modes[m]);
        oq_tensor data = test_op_random(&to, ONNXQ_FLOAT, OQ_SHAPE(2, 18, 4, 5), 3, -1, 1);
        test_op_input(&to, oq_tensor_retain(&data));
        test_op_run(&to, 1);
        test_op_input(&back, oq_tensor_retain(test_op_output(&to, 0)));
        test_op_run(&back, 1);
        ck_assert(oq_tensor_equal(&data, test_op_output(&back, 0)));
        test_op_release(&back);
        oq_tensor_release(&data);
        test_op_release(&to);
    }
}
END_TEST

// Strings go where numbers go: the same operator over names of the numbers.
START_TEST(strings_move_like_numbers) {
    static const char *const texts[] = {"", "one", "zwei", "trois", "a longer string than the others", "six"};
    static const int64_t perm[] = {1, 0}, picks[] = {2, -1, 0}, repeats[] = {2, 1}, pads[] = {0, 1, 1, 0};
    static const struct {
        const char *name, *attr;
        int64_t opset;
        const int64_t *input;
        int64_t count;
    } cases[] = {{"Transpose", "perm", 13, NULL, 0},
                 {"Gather", NULL, 13, picks, 2},
                 {"Tile", NULL, 13, repeats, 2},
                 {"Pad", NULL, 19, pads, 4},
                 {"Concat", NULL, 13, NULL, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        test_op number, string;
        for (int k = 0; k < 2; k++) {
            test_op *op = k ? &string : &number;
            test_op_init(op, cases[c].name, cases[c].opset);
            if (cases[c].attr) test_op_ints(op, cases[c].attr, perm, 2);
            if (!strcmp(cases[c].name, "Concat")) test_op_int(op, "axis", 1);
            for (int again = 0; again < (strcmp(cases[c].name, "Concat") ? 1 : 2); again++)
                test_op_input(
                    op, k ? test_op_tensor_strings(op, OQ_SHAPE(3, 2), texts)
                          : test_op_tensor(op, ONNXQ_INT8, OQ_SHAPE(3, 2), (double[]){0, 1, 2, 3, 4, 5}));
            if (cases[c].input) test_op_input(op, list(op, cases[c].input, cases[c].count));
            test_op_run(op, 1);
        }
        const oq_tensor *n = test_op_output(&number, 0), *s = test_op_output(&string, 0);
        ck_assert(oq_shape_equal(&n->shape, &s->shape));
        for (int64_t i = 0; i < oq_tensor_count(n); i++) {
            size_t length;
            const char *expected = texts[((int8_t *)n->data)[i]], *got = oq_tensor_string(s, i, &length);
            ck_assert_uint_eq(length, strlen(expected));
            ck_assert_mem_eq(got, expected, length);
        }
        test_op_release(&number), test_op_release(&string);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("movers");
    TCase *tests = tcase_create("laws");
    tcase_add_test(tests, transpose_twice_is_identity);
    tcase_add_test(tests, split_then_concat_is_identity);
    tcase_add_test(tests, slice_agrees_with_naive_indexing);
    tcase_add_test(tests, slice_takes_any_number);
    tcase_add_test(tests, gather_of_arange_is_identity);
    tcase_add_test(tests, scatter_of_gather_restores);
    tcase_add_test(tests, pad_then_crop_is_identity);
    tcase_add_test(tests, tile_repeats_by_modulus);
    tcase_add_test(tests, depth_to_space_is_undone);
    tcase_add_test(tests, strings_move_like_numbers);
    suite_add_tcase(suite, tests);
    return test_main(suite);
}
