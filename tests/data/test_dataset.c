// Tests of data: sources to samples, what is accepted and what refused, hashes, made-up data.
#include "data/files.h"

#include <math.h>
#include <sys/stat.h>

static const packing stored = {0, 0};
static const packing deflated = {6, 0};

static oq_model *model;

static void begin(void) {
    begin_files();
    model = new_model();
}

static void end(void) {
    oq_model_free(model);
    end_files();
}

static oq_dataset *open_sources(const char *const *sources, size_t count) {
    oq_dataset *data = NULL;
    CK_OK(oq_dataset_open(&mem, model->graph, sources, count, &data, &err), &err);
    return data;
}

static oq_dataset *open_one(const char *source) { return open_sources(&source, 1); }

// Opening, or getting sample `index`, fails with these words.
static void expect_refused(const char *source, size_t index, const char *words) {
    oq_dataset *data = NULL;
    oq_error failure = {0};
    oq_value values[4];
    oq_status status = oq_dataset_open(&mem, model->graph, &source, 1, &data, &failure);
    if (status == ONNXQ_OK) status = oq_dataset_get(data, index, values, &failure);
    ck_assert_int_ne(status, ONNXQ_OK);
    ck_assert_msg(strstr(failure.message, words) != NULL, "%s", failure.message);
    oq_dataset_free(data);
}

// First element and shape of input `input` of a run.
static void expect_sample(const oq_dataset *data, size_t index, size_t input, const char *shape,
                          double first) {
    oq_value values[4];
    char text[128];
    CK_OK(oq_dataset_get(data, index, values, &err), &err);
    ck_assert_str_eq(oq_shape_format(&values[input].tensor.shape, text, sizeof text), shape);
    ck_assert(oq_tensor_get_f64(&values[input].tensor, 0) == first);
    for (size_t i = 0; i < model->graph->input_count; i++) oq_value_release(&values[i]);
}

static void expect_rows(const oq_dataset *data, size_t index, size_t real, size_t rows) {
    size_t got_real;
    size_t got_rows;
    oq_dataset_rows(data, index, &got_real, &got_rows);
    ck_assert_uint_eq(got_real, real);
    ck_assert_uint_eq(got_rows, rows);
}

static void make_folder(const char *name) { ck_assert_int_eq(mkdir(path_of(name), 0700), 0); }

START_TEST(axis_0_of_an_archive) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){-1, 3});
    add_input(model, "m", ONNXQ_INT64, 1, (int64_t[]){-1});
    zipFile zip = new_archive(path_of("a.npz"));
    pack(zip, "m", deflated, of_int64(OQ_SHAPE(4), (int64_t[]){5, 6, 7, 8}, ONNXQ_INT64));
    pack(zip, "x", stored, counting(OQ_SHAPE(4, 3), 0));
    zipClose(zip, NULL);
    oq_dataset *data = open_one(path_of("a.npz"));
    ck_assert_uint_eq(oq_dataset_count(data), 4);
    ck_assert(!oq_dataset_is_synthetic(data));
    ck_assert_ptr_null(oq_dataset_note(data));
    for (size_t i = 0; i < 4; i++) {
        expect_sample(data, i, 0, "[1,3]", (double)i * 3);
        expect_sample(data, i, 1, "[1]", 5 + (double)i);
        expect_rows(data, i, 1, 1);
    }
    char label[64];
    ck_assert_str_eq(oq_dataset_label(data, 2, label, sizeof label), "a.npz sample 2");
    oq_value values[2];
    ck_assert_int_eq(oq_dataset_get(data, 4, values, NULL), ONNXQ_INTERNAL);
    oq_dataset_free(data);
}
END_TEST

START_TEST(a_fixed_batch_takes_consecutive_rows) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){4, 2});
    write_npz(path_of("a.npz"), "x", deflated, counting(OQ_SHAPE(10, 2), 0));
    oq_dataset *data = open_one(path_of("a.npz"));
    ck_assert_uint_eq(oq_dataset_count(data), 3);
    expect_sample(data, 1, 0, "[4,2]", 8);
    expect_rows(data, 0, 4, 4);
    expect_rows(data, 2, 2, 4);
    oq_value value;
    CK_OK(oq_dataset_get(data, 2, &value, &err), &err);
    const float wanted[] = {16, 17, 18, 19, 18, 19, 18, 19}; // the last row is repeated
    ck_assert_mem_eq(value.tensor.data, wanted, sizeof wanted);
    oq_value_release(&value);
    char label[64];
    ck_assert_str_eq(oq_dataset_label(data, 2, label, sizeof label), "a.npz samples 8 to 9");
    oq_dataset_free(data);
}
END_TEST

START_TEST(a_model_without_batch_axis) {
    add_input(model, "x", ONNXQ_FLOAT, 1, (int64_t[]){3});
    write_npy(path_of("a.npy"), counting(OQ_SHAPE(5, 3), 0));
    oq_dataset *data = open_one(path_of("a.npy"));
    ck_assert_uint_eq(oq_dataset_count(data), 5);
    expect_sample(data, 4, 0, "[3]", 12);
    oq_dataset_free(data);
}
END_TEST

START_TEST(named_arrays_are_joined_and_sources_appended) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){-1, 2});
    add_input(model, "y", ONNXQ_FLOAT, 2, (int64_t[]){-1, 1});
    write_npy(path_of("x.npy"), counting(OQ_SHAPE(3, 2), 0));
    write_npy(path_of("y.npy"), counting(OQ_SHAPE(3, 1), 100));
    zipFile zip = new_archive(path_of("a.npz"));
    pack(zip, "x", stored, counting(OQ_SHAPE(2, 2), 50));
    pack(zip, "y", stored, counting(OQ_SHAPE(2, 1), 60));
    zipClose(zip, NULL);
    char x[1100];
    char y[1100];
    snprintf(x, sizeof x, "x=%s", path_of("x.npy"));
    snprintf(y, sizeof y, "y=%s", path_of("y.npy"));
    const char *sources[] = {y, x, path_of("a.npz"), x, y};
    oq_dataset *data = open_sources(sources, 5);
    ck_assert_uint_eq(oq_dataset_count(data), 8);
    expect_sample(data, 2, 1, "[1,1]", 102);
    expect_sample(data, 3, 0, "[1,2]", 50);
    expect_sample(data, 7, 0, "[1,2]", 4);
    oq_dataset_free(data);
    expect_refused(x, 0, "no data for the input 'y'");
    expect_refused("z=nowhere.npy", 0, "'z' (in 'z=nowhere.npy') is no input");
    expect_refused(path_of("x.npy"), 0, "the model has 2 inputs");
}
END_TEST

START_TEST(folders_of_archives_are_ragged) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){-1, -1});
    make_folder("d");
    write_npz(path_of("d/b.npz"), "x", deflated, counting(OQ_SHAPE(1, 7), 7));
    write_npz(path_of("d/a.npz"), "x", stored, counting(OQ_SHAPE(1, 3), 3));
    write_bytes(path_of("d/readme"), "x", 1);
    oq_dataset *data = open_one(path_of("d"));
    ck_assert_uint_eq(oq_dataset_count(data), 2);
    expect_sample(data, 0, 0, "[1,3]", 3);
    expect_sample(data, 1, 0, "[1,7]", 7);
    char label[64];
    ck_assert_str_eq(oq_dataset_label(data, 1, label, sizeof label), "b.npz");
    oq_dataset_free(data);
    write_npy(path_of("d/c.npy"), counting(OQ_SHAPE(1, 3), 3));
    expect_refused(path_of("d"), 0, "several kinds");
    make_folder("empty");
    expect_refused(path_of("empty"), 0, "holds no .npz");
}
END_TEST

START_TEST(folders_of_arrays) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){-1, -1});
    make_folder("d");
    write_npy(path_of("d/2.npy"), counting(OQ_SHAPE(1, 7), 7));
    write_npy(path_of("d/1.npy"), counting(OQ_SHAPE(1, 3), 3));
    oq_dataset *data = open_one(path_of("d"));
    ck_assert_uint_eq(oq_dataset_count(data), 2);
    expect_sample(data, 1, 0, "[1,7]", 7);
    oq_dataset_free(data);
}
END_TEST

static void write_message(const char *path, oq_tensor tensor) {
    oq_text text;
    oq_text_init(&text, &mem);
    oq_value value = oq_value_of_tensor(tensor);
    CK_OK(oq_onnx_format_value(&value, "t", &text, &err), &err);
    write_bytes(path, oq_text_get(&text), text.length);
    oq_text_release(&text);
    oq_value_release(&value);
}

START_TEST(test_data_sets_beside_the_model) {
    add_input(model, "x", ONNXQ_FLOAT, 1, (int64_t[]){-1});
    oq_dataset *data = NULL;
    CK_OK(oq_dataset_beside(&mem, model->graph, path_of("model.onnx"), &data, &err), &err);
    ck_assert_ptr_null(data);
    make_folder("test_data_set_10"), make_folder("test_data_set_2");
    write_message(path_of("test_data_set_10/input_0.pb"), counting(OQ_SHAPE(3), 10));
    write_message(path_of("test_data_set_2/input_0.pb"), counting(OQ_SHAPE(2), 2));
    CK_OK(oq_dataset_beside(&mem, model->graph, path_of("model.onnx"), &data, &err), &err);
    ck_assert_uint_eq(oq_dataset_count(data), 2);
    expect_sample(data, 0, 0, "[2]", 2); // by number, not by letter
    expect_sample(data, 1, 0, "[3]", 10);
    oq_dataset_free(data);
    data = open_one(path_of("test_data_set_10"));
    ck_assert_uint_eq(oq_dataset_count(data), 1);
    expect_sample(data, 0, 0, "[3]", 10);
    oq_dataset_free(data);
    CK_OK(oq_dataset_beside(&mem, model->graph, "", &data, &err), &err);
    ck_assert_ptr_null(data);
}
END_TEST

START_TEST(left_over_arrays_are_noted) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){-1, 2});
    zipFile zip = new_archive(path_of("a.npz"));
    pack(zip, "x", stored, counting(OQ_SHAPE(2, 2), 0));
    pack(zip, "labels", stored, counting(OQ_SHAPE(2), 0));
    zipClose(zip, NULL);
    oq_dataset *data = open_one(path_of("a.npz"));
    ck_assert_str_eq(oq_dataset_note(data), "a.npz: 'labels' is no input of the model and is not used");
    oq_dataset_free(data);
    write_npz(path_of("b.npz"), "labels", stored, counting(OQ_SHAPE(2), 0));
    expect_refused(path_of("b.npz"), 0, "no array for the input 'x'; it has 'labels', the model wants 'x'");
}
END_TEST

START_TEST(wrong_types_and_shapes_say_what_to_do) {
    add_input(model, "x", ONNXQ_FLOAT, 3, (int64_t[]){-1, 2, 3});
    write_npy(path_of("double.npy"), of_int64(OQ_SHAPE(4, 2, 3), (int64_t[24]){0}, ONNXQ_DOUBLE));
    expect_refused(
        path_of("double.npy"), 0,
        "is float64[1,2,3], but the model wants float32[N,2,3]; convert it with numpy's astype('float32')");
    write_npy(path_of("rank.npy"), counting(OQ_SHAPE(4, 6, 1, 1, 1), 0));
    expect_refused(path_of("rank.npy"), 0, "float32[1,6,1,1,1], but the model wants float32[N,2,3]");
    write_npy(path_of("size.npy"), counting(OQ_SHAPE(4, 3, 2), 0));
    expect_refused(path_of("size.npy"), 0, "float32[1,3,2]");
    write_npy(path_of("scalar.npy"), counting((oq_shape){.rank = 0}, 0));
    expect_refused(path_of("scalar.npy"), 0, "single number");
    write_npy(path_of("empty.npy"), counting(OQ_SHAPE(0, 2, 3), 0));
    expect_refused(path_of("empty.npy"), 0, "holds no numbers");
    write_npy(path_of("hollow.npy"), counting(OQ_SHAPE(1000000000000, 0, 3), 0));
    expect_refused(path_of("hollow.npy"), 0, "holds no numbers");
    expect_refused(path_of("absent.npz"), 0, "absent.npz");
    expect_refused(path_of("absent"), 0, "there is no file or folder");
    write_bytes(path_of("data.txt"), "1 2 3", 5);
    expect_refused(path_of("data.txt"), 0, "is no source of data");
}
END_TEST

START_TEST(arrays_must_agree_with_each_other) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){-1, 2});
    add_input(model, "y", ONNXQ_FLOAT, 2, (int64_t[]){-1, 2});
    zipFile zip = new_archive(path_of("a.npz"));
    pack(zip, "x", stored, counting(OQ_SHAPE(3, 2), 0));
    pack(zip, "y", stored, counting(OQ_SHAPE(4, 2), 0));
    zipClose(zip, NULL);
    expect_refused(path_of("a.npz"), 0, "'y' has 4 samples, but 'x' has 3");
    make_folder("d"); // whole arrays whose axis 0 is "N" in both inputs
    zip = new_archive(path_of("d/0.npz"));
    pack(zip, "x", stored, counting(OQ_SHAPE(3, 2), 0));
    pack(zip, "y", stored, counting(OQ_SHAPE(4, 2), 0));
    zipClose(zip, NULL);
    expect_refused(path_of("d"), 0, "axis 0 of 'y' has size 4, but 'N' was 3 before");
}
END_TEST

START_TEST(integers_convert_while_they_fit) {
    add_input(model, "ids", ONNXQ_INT32, 2, (int64_t[]){-1, 2});
    write_npy(path_of("a.npy"),
              of_int64(OQ_SHAPE(2, 2), (int64_t[]){1, -2147483648, 3, 2147483648}, ONNXQ_INT64));
    oq_dataset *data = open_one(path_of("a.npy"));
    oq_value value;
    CK_OK(oq_dataset_get(data, 0, &value, &err), &err);
    ck_assert_int_eq(value.tensor.dtype, ONNXQ_INT32);
    ck_assert_int_eq(((const int32_t *)value.tensor.data)[1], INT32_MIN);
    oq_value_release(&value);
    oq_dataset_free(data);
    expect_refused(path_of("a.npy"), 1, "'ids' holds 2147483648, which does not fit the int32");
    write_npy(path_of("f.npy"), counting(OQ_SHAPE(2, 2), 0));
    expect_refused(path_of("f.npy"), 0, "astype('int32')");
}
END_TEST

// The same samples in other containers, orders and batches have the same hash; parts add up.
START_TEST(hashes_do_not_depend_on_the_container) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){-1, 2});
    make_folder("d");
    write_npz(path_of("a.npz"), "x", deflated, counting(OQ_SHAPE(3, 2), 0));
    write_npy(path_of("a.npy"), counting(OQ_SHAPE(3, 2), 0));
    write_npy(path_of("first.npy"), counting(OQ_SHAPE(1, 2), 0));
    write_npy(path_of("rest.npy"), counting(OQ_SHAPE(2, 2), 2));
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "d/%d.npz", 9 - i); // in another order
        write_npz(path_of(name), "x", stored, counting(OQ_SHAPE(1, 2), 2 * (float)i));
    }
    const char *sources[] = {path_of("a.npz"), path_of("a.npy"), path_of("d"), path_of("first.npy"),
                             path_of("rest.npy")};
    oq_hash hash[5];
    for (int i = 0; i < 5; i++) {
        oq_dataset *data = open_one(sources[i]);
        CK_OK(oq_dataset_hash(data, &hash[i], &err), &err);
        oq_dataset_free(data);
    }
    ck_assert(oq_hash_equal(hash[0], hash[1]) && oq_hash_equal(hash[0], hash[2]));
    ck_assert(hash[3].high + hash[4].high == hash[0].high && hash[3].low + hash[4].low == hash[0].low);
    ck_assert(!oq_hash_equal(hash[3], hash[0]));
    oq_model_free(model); // the same data for a model with a fixed batch of 2
    model = new_model();
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){2, 2});
    oq_dataset *data = open_one(path_of("a.npz"));
    oq_hash batched;
    CK_OK(oq_dataset_hash(data, &batched, &err), &err);
    ck_assert(oq_hash_equal(batched, hash[0]));
    oq_dataset_free(data);
}
END_TEST

START_TEST(made_up_data) {
    add_input(model, "x", ONNXQ_FLOAT, 4, (int64_t[]){-1, 3, -1, -1});
    add_input(model, "ids", ONNXQ_INT64, 2, (int64_t[]){-1, -1});
    add_input(model, "flag", ONNXQ_BOOL, 1, (int64_t[]){-1});
    add_input(model, "h", ONNXQ_FLOAT16, 1, (int64_t[]){4000});
    oq_dataset *data = NULL;
    CK_OK(oq_dataset_synthetic(&mem, model->graph, 3, 7, &data, &err), &err);
    ck_assert_uint_eq(oq_dataset_count(data), 3);
    ck_assert(oq_dataset_is_synthetic(data));
    oq_value first[4];
    oq_value again[4];
    oq_value second[4];
    CK_OK(oq_dataset_get(data, 0, first, &err), &err);
    CK_OK(oq_dataset_get(data, 1, second, &err), &err);
    CK_OK(oq_dataset_get(data, 0, again, &err), &err);
    const int64_t sizes[] = {1, 3, 64, 64};
    ck_assert_mem_eq(first[0].tensor.shape.dim, sizes, sizeof sizes);
    ck_assert_int_eq(first[1].tensor.shape.dim[1], 16);
    for (int i = 0; i < 4; i++) {
        ck_assert(oq_tensor_equal(&first[i].tensor, &again[i].tensor));
        if (i != 2) ck_assert(!oq_tensor_equal(&first[i].tensor, &second[i].tensor));
        double sum = 0;
        double squares = 0;
        const int64_t count = oq_tensor_count(&first[i].tensor);
        for (int64_t k = 0; k < count; k++) {
            const double x = oq_tensor_get_f64(&first[i].tensor, k);
            if (i == 1 || i == 2) ck_assert(x == 0 || x == 1);
            sum += x, squares += x * x;
        }
        if (i != 3) continue;
        ck_assert(fabs(sum / (double)count) < 0.1);
        ck_assert(fabs(squares / (double)count - 1) < 0.1);
    }
    for (int i = 0; i < 4; i++)
        oq_value_release(&first[i]), oq_value_release(&again[i]), oq_value_release(&second[i]);
    oq_dataset_free(data);
}
END_TEST

// Made-up images have neighbours that are alike and channels that are alike, and the deviation of other
// floats.
START_TEST(made_up_images_are_smooth) {
    add_input(model, "x", ONNXQ_FLOAT, 4, (int64_t[]){1, 3, 48, 80});
    add_input(model, "small", ONNXQ_FLOAT, 4, (int64_t[]){1, 3, 8, 8});
    oq_dataset *data = NULL;
    double sum = 0, squares = 0, steps = 0, channels = 0, count = 0;
    CK_OK(oq_dataset_synthetic(&mem, model->graph, 16, 7, &data, &err), &err);
    for (size_t s = 0; s < 16; s++) {
        oq_value x[2];
        CK_OK(oq_dataset_get(data, s, x, &err), &err);
        const float *at = x[0].tensor.data;
        for (size_t i = 0; i < 3 * 48 * 80; i++, count++) {
            sum += (double)at[i], squares += (double)(at[i] * at[i]);
            if (i % 80) steps += (double)((at[i] - at[i - 1]) * (at[i] - at[i - 1]));
            if (i >= 48 * 80) channels += (double)(at[i] * at[i - 48 * 80]);
        }
        oq_value_release(&x[0]);
        oq_value_release(&x[1]);
    }
    ck_assert(fabs(sum / count) < 0.2 && fabs(squares / count - 1) < 0.2);
    ck_assert(steps / count < 1);      // 2 when neighbours have nothing in common
    ck_assert(channels / count > 0.4); // of two channels out of three: at most 2 / 3
    oq_dataset_free(data);
}
END_TEST

// Indices reach all rows of the table behind them, however they get there; codes what they are compared with.
START_TEST(made_up_integers_are_in_their_domain) {
    add_input(model, "ids", ONNXQ_INT64, 2, (int64_t[]){1, 500});
    add_input(model, "codes", ONNXQ_INT32, 2, (int64_t[]){1, 500});
    oq_graph *graph = model->graph;
    const oq_shape table_shape = OQ_SHAPE(50, 2), known_shape = OQ_SHAPE(4);
    oq_tensor table, known;
    CK_OK(oq_tensor_new(&mem, ONNXQ_FLOAT, &table_shape, &table, &err), &err);
    memset(table.data, 0, 400);
    CK_OK(oq_tensor_new(&mem, ONNXQ_INT32, &known_shape, &known, &err), &err);
    memcpy(known.data, (const int32_t[]){0, 3, 9, 2}, 16);
    oq_value_id ids[4];
    CK_OK(oq_graph_add_initializer(graph, "table", table, &ids[0], &err), &err);
    CK_OK(oq_graph_add_initializer(graph, "known", known, &ids[1], &err), &err);
    oq_value_id cast, rows, equal;
    oq_node *node;
    CK_OK(oq_graph_add_value(graph, "cast", &cast, &err), &err);
    CK_OK(oq_graph_add_value(graph, "rows", &rows, &err), &err);
    CK_OK(oq_graph_add_value(graph, "equal", &equal, &err), &err);
    const oq_value_id in = oq_graph_find(graph, "ids"), code = oq_graph_find(graph, "codes");
    CK_OK(oq_graph_add_node(graph, "", "Cast", "", &in, 1, &cast, 1, &node, &err), &err);
    CK_OK(oq_graph_add_node(graph, "", "Gather", "", (oq_value_id[]){ids[0], cast}, 2, &rows, 1, &node, &err),
          &err);
    CK_OK(oq_graph_add_node(graph, "", "Equal", "", (oq_value_id[]){ids[1], code}, 2, &equal, 1, &node, &err),
          &err);
    oq_dataset *data = NULL;
    CK_OK(oq_dataset_synthetic(&mem, graph, 1, 7, &data, &err), &err);
    oq_value x[2];
    CK_OK(oq_dataset_get(data, 0, x, &err), &err);
    int64_t most[2] = {0};
    for (int i = 0; i < 2; i++)
        for (int64_t k = 0; k < 500; k++) {
            const int64_t value = oq_tensor_get_i64(&x[i].tensor, k);
            ck_assert_int_ge(value, 0);
            if (value > most[i]) most[i] = value;
        }
    ck_assert_int_eq(most[0], 49);
    ck_assert_int_eq(most[1], 9);
    oq_value_release(&x[0]);
    oq_value_release(&x[1]);
    oq_dataset_free(data);
}
END_TEST

START_TEST(survives_failing_allocations) {
    add_input(model, "x", ONNXQ_FLOAT, 2, (int64_t[]){-1, 2});
    make_folder("d");
    write_npz(path_of("d/0.npz"), "x", deflated, counting(OQ_SHAPE(1, 2), 0));
    write_npy(path_of("a.npy"), counting(OQ_SHAPE(3, 2), 0));
    char named[1100];
    snprintf(named, sizeof named, "x=%s", path_of("a.npy"));
    const char *sources[] = {named, path_of("d"), path_of("d/0.npz")};
    const size_t before = mem.used;
    for (long long n = 1;; n++) {
        ck_assert_int_lt(n, 300);
        mem.fail_after = n;
        oq_dataset *data = NULL;
        oq_hash hash;
        oq_status status = oq_dataset_open(&mem, model->graph, sources, 3, &data, NULL);
        if (status == ONNXQ_OK) status = oq_dataset_hash(data, &hash, NULL);
        oq_dataset_free(data);
        mem.fail_after = 0;
        ck_assert_uint_eq(mem.used, before);
        if (status == ONNXQ_OK) break;
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("data set");
    TCase *tcase = tcase_create("dataset");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, axis_0_of_an_archive);
    tcase_add_test(tcase, a_fixed_batch_takes_consecutive_rows);
    tcase_add_test(tcase, a_model_without_batch_axis);
    tcase_add_test(tcase, named_arrays_are_joined_and_sources_appended);
    tcase_add_test(tcase, folders_of_archives_are_ragged);
    tcase_add_test(tcase, folders_of_arrays);
    tcase_add_test(tcase, test_data_sets_beside_the_model);
    tcase_add_test(tcase, left_over_arrays_are_noted);
    tcase_add_test(tcase, wrong_types_and_shapes_say_what_to_do);
    tcase_add_test(tcase, arrays_must_agree_with_each_other);
    tcase_add_test(tcase, integers_convert_while_they_fit);
    tcase_add_test(tcase, hashes_do_not_depend_on_the_container);
    tcase_add_test(tcase, made_up_data);
    tcase_add_test(tcase, made_up_images_are_smooth);
    tcase_add_test(tcase, made_up_integers_are_in_their_domain);
    tcase_add_test(tcase, survives_failing_allocations);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
