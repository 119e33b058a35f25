// Wrong and absurd inputs of the operators that move elements: an error sentence, never a crash or a huge
// block.
#include "support/op_context.h"

#include <string.h>

static oq_tensor list(test_op *op, const int64_t *values, int64_t count) {
    return test_op_tensor_raw(op, ONNXQ_INT64, OQ_SHAPE(count), values);
}

// data [2,3] with lists as further inputs must fail, and say something.
typedef struct hostile {
    const char *name;
    int64_t opset;
    const int64_t *a;
    int64_t a_count;
    const int64_t *b;
    int64_t b_count;
} hostile;

static const int64_t minus_two[] = {-2}, giant[] = {INT64_MAX, INT64_MAX}, three[] = {3, 3, 3}, out[] = {7},
                     zero_step[] = {0}, far_pad[] = {INT64_MAX, 0, INT64_MAX, 0}, cut[] = {-9, 0, 0, 0},
                     two_open[] = {-1, -1}, five[] = {5}, least[] = {INT64_MIN},
                     tall[] = {1LL << 40, 1LL << 40};
static const hostile cases[] = {
    {"Reshape", 13, five, 1, NULL, 0},      {"Reshape", 13, minus_two, 1, NULL, 0},
    {"Reshape", 13, two_open, 2, NULL, 0},  {"Reshape", 13, giant, 2, NULL, 0},
    {"Reshape", 13, tall, 2, NULL, 0},      {"Squeeze", 13, out, 1, NULL, 0},
    {"Squeeze", 13, least, 1, NULL, 0},     {"Unsqueeze", 13, out, 1, NULL, 0},
    {"Unsqueeze", 13, giant, 2, NULL, 0},   {"Expand", 13, three, 3, NULL, 0},
    {"Expand", 13, tall, 2, NULL, 0},       {"Expand", 13, minus_two, 1, NULL, 0},
    {"Tile", 13, giant, 2, NULL, 0},        {"Tile", 13, minus_two, 1, NULL, 0},
    {"Tile", 13, three, 3, NULL, 0},        {"Gather", 13, out, 1, NULL, 0},
    {"Gather", 13, least, 1, NULL, 0},      {"Slice", 13, five, 1, NULL, 0},
    {"Slice", 13, three, 3, three, 3},      {"Slice", 13, five, 1, giant, 2},
    {"Pad", 13, far_pad, 4, NULL, 0},       {"Pad", 13, cut, 4, NULL, 0},
    {"Pad", 13, three, 3, NULL, 0},         {"TopK", 11, out, 1, NULL, 0},
    {"TopK", 11, minus_two, 1, NULL, 0},    {"CenterCropPad", 18, giant, 2, NULL, 0},
    {"CenterCropPad", 18, out, 1, NULL, 0}, {"GatherElements", 13, zero_step, 1, NULL, 0},
    {"GatherND", 13, out, 1, NULL, 0},      {"GatherND", 13, three, 3, NULL, 0},
    {"Trilu", 14, giant, 2, NULL, 0},       {"ReverseSequence", 10, three, 3, NULL, 0},
    {"Split", 13, giant, 2, NULL, 0},       {"Split", 13, minus_two, 1, NULL, 0},
};

START_TEST(refused_with_a_sentence) {
    const hostile *c = &cases[_i];
    test_op op;
    test_op_init(&op, c->name, c->opset);
    op.mem.budget = 1 << 26; // what an absurd output may take at most
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 3), (double[]){0, 1, 2, 3, 4, 5}));
    test_op_input(&op, list(&op, c->a, c->a_count));
    if (c->b) test_op_input(&op, list(&op, c->b, c->b_count));
    const oq_status status = test_op_try(&op, 1);
    ck_assert_msg(status != ONNXQ_OK, "%s accepted", c->name);
    ck_assert_msg(strlen(op.err.message) > 10, "%s fails without a word", c->name);
    ck_assert_uint_lt(op.mem.peak, 1 << 26);
    test_op_release(&op);
}
END_TEST

static const char *const unary[] = {"Transpose", "Flatten",  "Shape",   "Size",    "NonZero", "Compress",
                                    "Unique",    "Squeeze",  "Reshape", "Slice",   "Gather",  "Pad",
                                    "Tile",      "Expand",   "TopK",    "OneHot",  "Resize",  "Scatter",
                                    "ScatterND", "GatherND", "Concat",  "Split",   "Trilu",   "SequenceAt",
                                    "If",        "Loop",     "Scan",    "Upsample"};

// No inputs at all: the executor's guards would stop it, the kernel must not rely on that.
START_TEST(nothing_given) {
    test_op op;
    const oq_op *found = oq_op_find("", unary[_i]);
    ck_assert_ptr_nonnull(found);
    test_op_init(&op, unary[_i], found->versions[found->version_count - 1].since);
    ck_assert_msg(test_op_try(&op, 1) != ONNXQ_OK, "%s of nothing works", unary[_i]);
    test_op_release(&op);
}
END_TEST

// An axis of size 0 goes through everything that keeps it.
START_TEST(empty_tensors) {
    static const char *const names[] = {"Transpose", "Flatten", "Shape", "Size", "NonZero", "Unique"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        test_op op;
        test_op_init(&op, names[k], 13);
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 0, 3), NULL));
        test_op_run(&op, 1);
        ck_assert_int_le(oq_tensor_count(test_op_output(&op, 0)), 3);
        test_op_release(&op);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("movers, hostile");
    TCase *tests = tcase_create("hostile");
    tcase_add_loop_test(tests, refused_with_a_sentence, 0, sizeof cases / sizeof cases[0]);
    tcase_add_loop_test(tests, nothing_given, 0, sizeof unary / sizeof unary[0]);
    tcase_add_test(tests, empty_tensors);
    suite_add_tcase(suite, tests);
    return test_main(suite);
}
