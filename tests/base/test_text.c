// Tests of base: errors, growing text, globs, nearest words, sizes, hashes.
#include "base/hash.h"
#include "base/text.h"
#include "support/support.h"

#include <string.h>

START_TEST(first_cause_is_kept) {
    oq_error err = {0};
    ck_assert_int_eq(oq_fail(&err, ONNXQ_IO, "first %d", 1), ONNXQ_IO);
    ck_assert_int_eq(oq_fail(&err, ONNXQ_USAGE, "second"), ONNXQ_USAGE);
    ck_assert_int_eq(oq_fail(NULL, ONNXQ_USAGE, "nobody listens"), ONNXQ_USAGE);
    ck_assert_int_eq(err.status, ONNXQ_IO);
    oq_error_at_file(&err, "a.onnx"), oq_error_at_file(&err, "b.onnx");
    oq_error_at_node(&err, "conv", "Conv");
    oq_error_prefix(&err, "node '%s': ", "conv");
    ck_assert_str_eq(err.message, "node 'conv': first 1");
    ck_assert_str_eq(err.file, "a.onnx");
    ck_assert_str_eq(err.op_type, "Conv");
    oq_error_clear(&err);
    ck_assert_int_eq(err.status, ONNXQ_OK);
    oq_error_prefix(&err, "nothing");
    oq_error_at_tensor(&err, "t");
    ck_assert_str_eq(err.message, "");
    ck_assert_str_eq(err.tensor, "");
}
END_TEST

START_TEST(long_errors_are_cut) {
    char name[2000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    oq_error err = {0};
    oq_fail(&err, ONNXQ_IO, "%s", name);
    oq_error_prefix(&err, "%s", name);
    oq_error_at_file(&err, name);
    ck_assert_uint_eq(strlen(err.message), sizeof err.message - 1);
    ck_assert_uint_eq(strlen(err.file), sizeof err.file - 1);
}
END_TEST

START_TEST(text_grows_and_remembers_failure) {
    oq_mem mem = {0};
    oq_text text;
    oq_text_init(&text, &mem);
    ck_assert_str_eq(oq_text_get(&text), "");
    for (int i = 0; i < 1000; i++) oq_text_printf(&text, "%03d,", i);
    ck_assert_uint_eq(text.length, 4000);
    ck_assert(strncmp(oq_text_get(&text) + 3996, "999,", 5) == 0);
    oq_text_add_bytes(&text, "a\0b", 3);
    ck_assert_uint_eq(text.length, 4003);
    ck_assert(!text.failed);
    mem.fail_after = 1;
    for (int i = 0; i < 1000; i++) oq_text_add(&text, "0123456789");
    ck_assert(text.failed);
    mem.fail_after = 0;
    const size_t length = text.length;
    oq_text_add(&text, "x");
    ck_assert_uint_eq(text.length, length);
    oq_text_release(&text);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(globs) {
    static const struct {
        const char *pattern, *name;
        bool match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"conv*", "conv_1", true},
        {"conv*", "a/conv", false},
        {"*conv*", "a/conv/b", true},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"[a-c]x", "bx", true},
        {"[a-c]x", "dx", false},
        {"[!a-c]x", "dx", true},
        {"[]]", "]", true},
        {"[ab", "[ab", true},
        {"*[0-9]", "layer12", true},
        {"*[0-9]", "layer", false},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXbYbZ", false},
        {"[a-]", "-", true},
        {"**", "x", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(oq_glob_match(cases[i].pattern, cases[i].name) == cases[i].match, "%s on %s",
                      cases[i].pattern, cases[i].name);
}
END_TEST

// A pattern of many stars must not take exponential time.
START_TEST(globs_are_fast) {
    char name[5001];
    memset(name, 'a', 5000);
    name[5000] = '\0';
    ck_assert(!oq_glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}
END_TEST

START_TEST(nearest_words) {
    static const char *const words[] = {"per-channel", "per-tensor", "bits", "data", "format"};
    ck_assert_str_eq(oq_nearest_word("per-chanel", words, 5), "per-channel");
    ck_assert_str_eq(oq_nearest_word("bist", words, 5), "bits");
    ck_assert_str_eq(oq_nearest_word("dta", words, 5), "data");
    ck_assert_ptr_null(oq_nearest_word("zzzzzz", words, 5));
    ck_assert_ptr_null(oq_nearest_word("", words, 5));
    ck_assert_ptr_null(oq_nearest_word("x", words, 5));
}
END_TEST

START_TEST(sizes_in_words) {
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"},         {12, "12 B"},         {999, "999 B"},        {1000, "1.0 kB"},
                 {340000, "340 kB"}, {1234567, "1.2 MB"},  {999949999, "1.0 GB"}, {9949999, "9.9 MB"},
                 {9960000, "10 MB"}, {UINT64_MAX, "18 EB"}};
    char buffer[24];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_str_eq(oq_format_bytes(buffer, sizeof buffer, cases[i].bytes), cases[i].text);
}
END_TEST

START_TEST(hash_does_not_depend_on_portions) {
    oq_mem mem = {0};
    static unsigned char bytes[5000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * i);
    const oq_hash whole = oq_hash_bytes(bytes, sizeof bytes);
    for (size_t portion = 1; portion < 3000; portion += 333) {
        oq_hasher *hasher = NULL;
        CK_OK(oq_hasher_new(&mem, &hasher, NULL), &(oq_error){0});
        for (size_t i = 0; i < sizeof bytes; i += portion)
            oq_hasher_add(hasher, bytes + i, portion < sizeof bytes - i ? portion : sizeof bytes - i);
        ck_assert(oq_hash_equal(oq_hasher_end(hasher), whole));
    }
    bytes[100] ^= 1;
    ck_assert(!oq_hash_equal(oq_hash_bytes(bytes, sizeof bytes), whole));
    char text[33];
    oq_hash parsed;
    ck_assert(oq_hash_parse(oq_hash_format(whole, text), &parsed));
    ck_assert(oq_hash_equal(parsed, whole));
    // XXH3-128 of nothing, from its specification.
    ck_assert_str_eq(oq_hash_format(oq_hash_bytes("", 0), text), "99aa06d3014798d86001c324468d497f");
    ck_assert(!oq_hash_parse("99aa06d3014798d86001c324468d497", &parsed));
    ck_assert(!oq_hash_parse("99aa06d3014798d86001c324468d497G", &parsed));
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("base text");
    TCase *tcase = tcase_create("text");
    tcase_add_test(tcase, first_cause_is_kept);
    tcase_add_test(tcase, long_errors_are_cut);
    tcase_add_test(tcase, text_grows_and_remembers_failure);
    tcase_add_test(tcase, globs);
    tcase_add_test(tcase, globs_are_fast);
    tcase_add_test(tcase, nearest_words);
    tcase_add_test(tcase, sizes_in_words);
    tcase_add_test(tcase, hash_does_not_depend_on_portions);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
