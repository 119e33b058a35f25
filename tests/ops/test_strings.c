// Operators on text: patterns, splitting, joining, normalizing.
#include "support/op_context.h"

#include <string.h>

static void expect_match(const char *pattern, const char *text, int should) {
    test_op op;
    test_op_init(&op, "RegexFullMatch", 20);
    test_op_string(&op, "pattern", pattern);
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(1), &text));
    const oq_status status = test_op_try(&op, 1);
    if (should < 0) {
        ck_assert_msg(status != ONNXQ_OK, "'%s' should be refused", pattern);
    } else {
        ck_assert_msg(status == ONNXQ_OK, "'%s': %s", pattern, op.err.message);
        ck_assert_msg(oq_tensor_get_i64(test_op_output(&op, 0), 0) == should, "'%s' on '%s' should be %d",
                      pattern, text, should);
    }
    test_op_release(&op);
}

START_TEST(whole_strings_match) {
    static const struct {
        const char *pattern, *text;
        int should; // 1, 0, or -1: refused
    } table[] = {{"a|ab", "ab", 1},
                 {"ab", "xab", 0},
                 {"", "", 1},
                 {"a{2,3}", "aaa", 1},
                 {"a{2,}", "a", 0},
                 {"a{2,3}?b", "aab", 1},
                 {"a{x", "a{x", 1},
                 {".", "\xC3\xA9", 1}, // one letter of two bytes
                 {"..", "\xC3\xA9", 0},
                 {".", "\n", 0},
                 {"[^a]", "\xE2\x82\xAC", 1},
                 {"[^a]", "a", 0},
                 {"[\\w.-]+", "a_1.-", 1},
                 {"[\\w.-]+", "a b", 0},
                 {"[]a]+", "]a", 1},
                 {"[a^]+", "^a", 1},
                 {"[\\^]", "^", 1},
                 {"[-^]+", "-^", 1},
                 {"[^\\]^-]", "x", 1},
                 {"[^\\]^-]", "^", 0},
                 {"[[:digit:]a-c]+", "1b2", 1},
                 {"[a-c]+", "abd", 0},
                 {"\\d+\\.\\d*", "12.", 1},
                 {"\\D\\S\\W", "xy!", 1},
                 {"(?:ab)+?", "abab", 1},
                 {"x*?y", "xxy", 1},
                 {"\\$\\{\\}", "${}", 1},
                 {"(?i)a", "A", -1},
                 {"\\1", "a", -1},
                 {"\\pL", "a", -1},
                 {"[a", "a", -1},
                 {"(a", "a", -1},
                 {"a{2000}", "a", -1},
                 {"((a{100}){100}){100}", "a", -1},
                 {"\\", "", -1}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        expect_match(table[i].pattern, table[i].text, table[i].should);
}
END_TEST

// Output `index` holds these texts in this shape.
static void expect_texts(test_op *op, size_t index, oq_shape shape, int count, const char *const *should) {
    const oq_tensor *y = test_op_output(op, index);
    ck_assert_int_eq(y->dtype, ONNXQ_STRING);
    ck_assert(oq_shape_equal(&y->shape, &shape));
    ck_assert_int_eq(oq_shape_count(&shape), count);
    for (int i = 0; i < count; i++) {
        size_t length;
        const char *text = oq_tensor_string(y, i, &length);
        ck_assert_msg(length == strlen(should[i]) && !memcmp(text, should[i], length), "'%.*s', not '%s'",
                      (int)length, text, should[i]);
    }
}

START_TEST(pieces) {
    test_op op;
    static const char *const texts[] = {"a,b,,c", "", ","};
    test_op_init(&op, "StringSplit", 20);
    test_op_string(&op, "delimiter", ",");
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(3), texts));
    test_op_run(&op, 2);
    expect_texts(&op, 0, OQ_SHAPE(3, 4), 12,
                 (const char *[]){"a", "b", "", "c", "", "", "", "", "", "", "", ""});
    test_op_expect(&op, 1, ONNXQ_INT64, OQ_SHAPE(3), (double[]){4, 1, 2}, 0);
    test_op_release(&op);
    static const char *const spaced[] = {"  one two  three ", "   "};
    test_op_init(&op, "StringSplit", 20);
    test_op_int(&op, "maxsplit", 1);
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(2), spaced));
    test_op_run(&op, 2);
    expect_texts(&op, 0, OQ_SHAPE(2, 2), 4, (const char *[]){"one", "two  three ", "", ""});
    test_op_expect(&op, 1, ONNXQ_INT64, OQ_SHAPE(2), (double[]){2, 0}, 0);
    test_op_release(&op);
    test_op_init(&op, "StringSplit", 20);
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(0), texts));
    test_op_run(&op, 2);
    expect_texts(&op, 0, OQ_SHAPE(0, 0), 0, NULL);
    test_op_release(&op);
}
END_TEST

START_TEST(joined) {
    test_op op;
    test_op_init(&op, "StringConcat", 20);
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(2, 1), (const char *[]){"a", ""}));
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(2), (const char *[]){"xy", ""}));
    test_op_run(&op, 1);
    expect_texts(&op, 0, OQ_SHAPE(2, 2), 4, (const char *[]){"axy", "a", "xy", ""});
    test_op_release(&op);
}
END_TEST

START_TEST(normalized) {
    test_op op;
    static const char *const words[] = {"The", "\xC3\x84rger", "the", "Cat"};
    test_op_init(&op, "StringNormalizer", 10);
    test_op_string(&op, "case_change_action", "LOWER");
    test_op_strings(&op, "stopwords", (const char *[]){"THE"}, 1);
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(1, 4), words));
    test_op_run(&op, 1);
    expect_texts(&op, 0, OQ_SHAPE(1, 2), 2, (const char *[]){"\xC3\xA4rger", "cat"});
    test_op_release(&op);
    test_op_init(&op, "StringNormalizer", 10);
    test_op_strings(&op, "stopwords", words, 4);
    test_op_int(&op, "is_case_sensitive", 1);
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(4), words));
    test_op_run(&op, 1);
    expect_texts(&op, 0, OQ_SHAPE(1), 1, (const char *[]){""});
    test_op_release(&op);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ops/strings");
    TCase *tcase = tcase_create("strings");
    tcase_add_test(tcase, whole_strings_match);
    tcase_add_test(tcase, pieces);
    tcase_add_test(tcase, joined);
    tcase_add_test(tcase, normalized);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
