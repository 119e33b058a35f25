// Tests of data sets by content: the order of the sources does not matter, and what was given one a sample
// follows its sample.
#include "data/files.h"

enum { SAMPLES = 10, WIDTH = 2 };

static oq_model *model;

static void begin(void) {
    begin_files();
    model = new_model();
}

static void end(void) {
    oq_model_free(model);
    end_files();
}

// Rows (start + i * step) modulo 10 of [[0,1],[2,3],..], deflated.
static const char *write_rows(const char *name, int start, int step) {
    oq_tensor rows = counting(OQ_SHAPE(SAMPLES, WIDTH), 0);
    float *x = rows.data;
    for (int i = 0; i < SAMPLES; i++)
        for (int k = 0; k < WIDTH; k++) x[i * WIDTH + k] = (float)((start + i * step) % SAMPLES * WIDTH + k);
    write_npz(path_of(name), "x", (packing){6, 0}, rows);
    return path_of(name);
}

static oq_dataset *open_sources(const char *const *sources, size_t count) {
    oq_dataset *data = NULL;
    CK_OK(oq_dataset_open(&mem, model->graph, sources, count, &data, &err), &err);
    return data;
}

// What all runs hold, one after the other; how many numbers.
static size_t read_all(const oq_dataset *of, float *into) {
    oq_dataset *data = NULL;
    size_t count = 0;
    oq_hash given, sorted;
    CK_OK(oq_dataset_by_content(of, NULL, &data, &err), &err);
    ck_assert_ptr_eq(oq_dataset_as_given(data), of);
    CK_OK(oq_dataset_hash(of, &given, &err), &err);
    CK_OK(oq_dataset_hash(data, &sorted, &err), &err);
    ck_assert(oq_hash_equal(given, sorted));
    for (size_t i = 0; i < oq_dataset_count(data); i++) {
        oq_value value;
        size_t real, rows;
        CK_OK(oq_dataset_get(data, i, &value, &err), &err);
        oq_dataset_rows(data, i, &real, &rows);
        memcpy(into + count, value.tensor.data, real * WIDTH * sizeof *into);
        count += real * WIDTH;
        oq_value_release(&value);
    }
    oq_dataset_free(data);
    return count;
}

// One by one, and three at a time (the last run is filled up).
START_TEST(shuffled_samples_stand_in_the_same_order) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){_i ? 3 : -1, WIDTH});
    const char *const sources[] = {write_rows("a.npz", 0, 1), write_rows("b.npz", 5, 3),
                                   write_rows("c.npz", 9, 9)};
    float first[SAMPLES * WIDTH], other[SAMPLES * WIDTH], sum = 0;
    bool moved = false;
    for (int i = 0; i < 3; i++) {
        oq_dataset *data = open_sources(&sources[i], 1);
        ck_assert_uint_eq(read_all(data, i ? other : first), SAMPLES * WIDTH);
        if (i) ck_assert_mem_eq(first, other, sizeof first);
        oq_dataset_free(data);
    }
    for (int k = 0; k < SAMPLES * WIDTH; k++) {
        sum += first[k];
        moved |= first[k] != (float)k;
    }
    ck_assert(moved && sum == SAMPLES * WIDTH * (SAMPLES * WIDTH - 1) / 2);
}
END_TEST

START_TEST(sources_in_another_order) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){-1, WIDTH});
    const char *const there[] = {write_rows("a.npz", 0, 1), write_rows("b.npz", 2, 0)}, *const back[] = {
                                                                                            there[1],
                                                                                            there[0]};
    float first[2 * SAMPLES * WIDTH], other[2 * SAMPLES * WIDTH];
    oq_dataset *data = open_sources(there, 2);
    ck_assert_uint_eq(read_all(data, first), 2 * SAMPLES * WIDTH);
    oq_dataset_free(data);
    data = open_sources(back, 2);
    read_all(data, other);
    ck_assert_mem_eq(first, other, sizeof first);
    oq_dataset_free(data);
}
END_TEST

START_TEST(labels_follow_their_samples) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){_i ? 4 : -1, WIDTH});
    const char *source = write_rows("a.npz", 3, 7);
    oq_dataset *given = open_sources(&source, 1), *data = NULL;
    int64_t labels[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) labels[i] = (3 + i * 7) % SAMPLES; // the row that stands there
    CK_OK(oq_dataset_by_content(given, NULL, &data, &err), &err);
    CK_OK(oq_dataset_arrange(data, labels, SAMPLES - 1, &err), &err);
    ck_assert(labels[0] == 3 && labels[1] == 0); // not as many as samples: left alone
    CK_OK(oq_dataset_arrange(data, labels, SAMPLES, &err), &err);
    size_t sample = 0;
    for (size_t i = 0; i < oq_dataset_count(data); i++) {
        oq_value value;
        size_t real, rows;
        CK_OK(oq_dataset_get(data, i, &value, &err), &err);
        oq_dataset_rows(data, i, &real, &rows);
        for (size_t r = 0; r < real; r++)
            ck_assert(oq_tensor_get_f64(&value.tensor, (int64_t)(r * WIDTH)) ==
                      (double)(labels[sample++] * WIDTH));
        oq_value_release(&value);
    }
    ck_assert_uint_eq(sample, SAMPLES);
    oq_dataset_free(data);
    oq_dataset_free(given);
}
END_TEST

START_TEST(survives_failing_allocations) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){3, WIDTH});
    const char *source = write_rows("a.npz", 0, 1);
    oq_dataset *given = open_sources(&source, 1);
    oq_status status = ONNXQ_NO_MEMORY;
    for (long long n = 1; status != ONNXQ_OK && n < 1000; n++) {
        oq_dataset *data = NULL;
        oq_error failure = {0};
        mem.fail_after = n;
        status = oq_dataset_by_content(given, NULL, &data, &failure);
        mem.fail_after = 0;
        ck_assert(status == ONNXQ_OK || (status == ONNXQ_NO_MEMORY && !data));
        oq_dataset_free(data);
    }
    CK_OK(status, &err);
    oq_dataset_free(given);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("order");
    TCase *tcase = tcase_create("by content");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_loop_test(tcase, shuffled_samples_stand_in_the_same_order, 0, 2);
    tcase_add_test(tcase, sources_in_another_order);
    tcase_add_loop_test(tcase, labels_follow_their_samples, 0, 2);
    tcase_add_test(tcase, survives_failing_allocations);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
