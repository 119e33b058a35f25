// Laws of the executor: lifetimes, observers, repetition, errors, bodies.
#include "run/run.h"
#include "support/net.h"

#include <stdio.h>
#include <string.h>

// x -> Relu -> ... `length` nodes of one shape, the last one the output.
static oq_value_id chain(test_net *net, size_t length, oq_shape shape) {
    static const char *const ops[] = {"Neg", "Abs", "Relu", "Sigmoid"};
    oq_value_id value = test_net_input(net, "x", ONNXQ_FLOAT, shape);
    for (size_t i = 0; i < length; i++) {
        char name[32];
        snprintf(name, sizeof name, "v%zu", i);
        value = test_net_node(net, ops[i % 4], name, value, OQ_NONE, OQ_NONE);
    }
    test_net_output(net, value);
    return value;
}

START_TEST(a_long_chain_needs_few_buffers) {
    test_net net;
    test_net_init(&net, 21);
    const oq_shape shape = OQ_SHAPE(4, 64 * 1024); // 1 MiB
    chain(&net, 200, shape);
    oq_tensor x = test_net_random(&net, shape, 1);
    const size_t before = atomic_load(&net.mem.used);
    atomic_store(&net.mem.peak, before);
    oq_tensor y = test_net_run(&net, NULL, &x);
    ck_assert_uint_lt(atomic_load(&net.mem.peak) - before, (size_t)4 << 20);
    oq_tensor_release(&x);
    oq_tensor_release(&y);
    test_net_release(&net);
}
END_TEST

START_TEST(ragged_samples_do_not_pile_up) {
    test_net net;
    test_net_init(&net, 21);
    chain(&net, 8, OQ_SHAPE(-1));
    oq_error err = {0};
    oq_program *program;
    oq_worker *worker;
    CK_OK(oq_program_new(net.graph, NULL, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    for (int64_t n = 1; n < 2000; n += 7) {
        oq_tensor x = test_net_random(&net, OQ_SHAPE(n * 256), 1); // 1 kB .. 2 MB
        const oq_value in = oq_value_of_tensor(x);
        oq_value out;
        CK_OK(oq_worker_run(worker, &in, &out, NULL, NULL, &err), &err);
        oq_value_release(&out);
        oq_tensor_release(&x);
    }
    // Two live values of 2 MB at most, half as much idle, and the slack of 8 MB.
    ck_assert_uint_lt(atomic_load(&net.mem.used), (size_t)15 << 20);
    oq_worker_free(worker);
    oq_program_free(program);
    test_net_release(&net);
}
END_TEST

// Packed weights replace the weight, unless somebody else reads it too.
START_TEST(weights_are_in_memory_once) {
    const bool convolution = _i / 2;
    const char *op = convolution ? "Conv" : "MatMul";
    const oq_shape shape = convolution ? OQ_SHAPE(1, 16, 3, 3) : OQ_SHAPE(1, 512),
                   factor = convolution ? OQ_SHAPE(16, 16, 3, 3) : OQ_SHAPE(512, 512);
    const bool shared = _i % 2;
    test_net net;
    test_net_init(&net, 21);
    oq_error err = {0};
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, shape);
    const oq_value_id w = test_net_constant(&net, "w", test_net_random(&net, factor, 1));
    const oq_value_id y = test_net_node(&net, op, "y", x, w, OQ_NONE);
    test_net_output(&net, shared ? test_net_node(&net, "Add", "z", y, w, OQ_NONE) : y);
    oq_tensor given = test_net_random(&net, shape, 2), before = test_net_run(&net, NULL, &given);
    oq_program *program;
    CK_OK(oq_program_new(net.graph, NULL, &program, &err), &err);
    // The model itself holds the weight; only the program's reference can be seen here.
    oq_tensor weight;
    CK_OK(oq_constant_load(&net.mem, oq_graph_value(net.graph, w)->initializer, &weight, &err), &err);
    ck_assert_int_eq(atomic_load(&weight.buffer->references), shared ? 3 : 2);
    oq_tensor_release(&weight);
    oq_program_free(program);
    oq_tensor_release(&given);
    oq_tensor_release(&before);
    test_net_release(&net);
}
END_TEST

// Two workers with one store of buffers, in turn: each gives what it gives alone, and what the first one gave
// outlives the other's run.
START_TEST(workers_side_by_side_share_buffers) {
    test_net net;
    test_net_init(&net, 21);
    const oq_shape shape = OQ_SHAPE(4, 64 * 1024); // 1 MiB
    chain(&net, 6, shape);
    oq_error err = {0};
    oq_program *program;
    oq_worker *one, *other;
    oq_value in = oq_value_of_tensor(test_net_random(&net, shape, 1)), first, second;
    oq_tensor want = test_net_run(&net, NULL, &in.tensor);
    CK_OK(oq_program_new(net.graph, NULL, &program, &err), &err);
    CK_OK(oq_worker_new(program, &one, &err), &err);
    CK_OK(oq_worker_beside(program, one, &other, &err), &err);
    CK_OK(oq_worker_run(one, &in, &first, NULL, NULL, &err), &err);
    const size_t used = atomic_load(&net.mem.used);
    for (int i = 0; i < 3; i++) {
        CK_OK(oq_worker_run(other, &in, &second, NULL, NULL, &err), &err);
        ck_assert_mem_eq(second.tensor.data, want.data, oq_tensor_bytes(&want));
        oq_value_release(&second);
    }
    ck_assert_mem_eq(first.tensor.data, want.data, oq_tensor_bytes(&want));
    // Alone it would hold two buffers; here it needs one more at most, as one is still held.
    ck_assert_uint_lt(atomic_load(&net.mem.used), used + ((size_t)3 << 19));
    oq_worker_free(other);
    oq_value_release(&first);
    oq_worker_free(one);
    oq_program_free(program);
    oq_value_release(&in);
    oq_tensor_release(&want);
    test_net_release(&net);
}
END_TEST

typedef struct seen {
    size_t count;
    oq_value values[64];
} seen;

static oq_status see(void *self, oq_value_id id, const oq_value *value, oq_error *err) {
    (void)err;
    seen *s = self;
    s->count++;
    s->values[id] = oq_value_retain(value);
    return ONNXQ_OK;
}

START_TEST(an_observer_sees_all_and_changes_nothing) {
    test_net net;
    test_net_init(&net, 21);
    const oq_shape shape = OQ_SHAPE(3, 50);
    chain(&net, 20, shape);
    oq_tensor x = test_net_random(&net, shape, 2);
    oq_tensor plain = test_net_run(&net, NULL, &x);
    bool observed[64];
    memset(observed, 1, sizeof observed);
    const oq_program_options options = {.observed = observed};
    oq_error err = {0};
    oq_program *program;
    oq_worker *worker;
    CK_OK(oq_program_new(net.graph, &options, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    seen s = {0};
    const oq_observer observer = {.self = &s, .see = see};
    const oq_value in = {.kind = OQ_VALUE_TENSOR, .tensor = x};
    oq_value out;
    CK_OK(oq_worker_run(worker, &in, &out, &observer, NULL, &err), &err);
    ck_assert_uint_eq(s.count, 21);
    ck_assert(oq_tensor_equal(&out.tensor, &plain));
    // What was kept is not overwritten by later nodes: each value is the next one's input.
    const float *v0 = s.values[1].tensor.data, *x0 = x.data;
    for (int i = 0; i < 150; i++) ck_assert(v0[i] == -x0[i]);
    for (size_t i = 0; i < 64; i++) oq_value_release(&s.values[i]);
    oq_value_release(&out);
    oq_worker_free(worker);
    oq_program_free(program);
    oq_tensor_release(&plain);
    oq_tensor_release(&x);
    test_net_release(&net);
}
END_TEST

// y = Relu(x), z = y + y, and as outputs: z, y (also consumed), x (an input), c (an initializer), z again.
START_TEST(outputs_of_every_kind) {
    test_net net;
    test_net_init(&net, 21);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(4));
    const oq_value_id c = test_net_floats(&net, "c", OQ_SHAPE(2), (float[]){7, 8});
    const oq_value_id y = test_net_node(&net, "Relu", "y", x, OQ_NONE, OQ_NONE);
    const oq_value_id z = test_net_node(&net, "Add", "z", y, y, OQ_NONE);
    const oq_value_id ids[] = {z, y, x, c, z};
    for (size_t i = 0; i < 4; i++) test_net_output(&net, ids[i]);
    const oq_program_options options = {.outputs = ids, .output_count = 5};
    oq_error err = {0};
    oq_program *program;
    oq_worker *worker;
    CK_OK(oq_program_new(net.graph, &options, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    oq_tensor given = test_tensor_f32(&net.mem, OQ_SHAPE(4), (float[]){-1, 2, -3, 4});
    const oq_value in = {.kind = OQ_VALUE_TENSOR, .tensor = given};
    oq_value out[5];
    for (int round = 0; round < 3; round++) {
        CK_OK(oq_worker_run(worker, &in, out, NULL, NULL, &err), &err);
        const float expected[5][4] = {{0, 4, 0, 8}, {0, 2, 0, 4}, {-1, 2, -3, 4}, {7, 8}, {0, 4, 0, 8}};
        for (size_t k = 0; k < 5; k++) {
            ck_assert_mem_eq(out[k].tensor.data, expected[k], oq_tensor_bytes(&out[k].tensor));
            if (round < 2) oq_value_release(&out[k]);
        }
    }
    // Outputs outlive the worker and the program.
    oq_worker_free(worker);
    oq_program_free(program);
    ck_assert(((const float *)out[0].tensor.data)[3] == 8 && ((const float *)out[3].tensor.data)[1] == 8);
    for (size_t k = 0; k < 5; k++) oq_value_release(&out[k]);
    oq_tensor_release(&given);
    test_net_release(&net);
}
END_TEST

// Between two of its values a graph runs alone, and gives what the whole gives.
START_TEST(a_part_equals_the_whole) {
    test_net net;
    test_net_init(&net, 21);
    const oq_shape shape = OQ_SHAPE(5, 7);
    chain(&net, 12, shape);
    oq_tensor x = test_net_random(&net, shape, 3);
    oq_tensor whole = test_net_run(&net, NULL, &x);
    const oq_value_id middle = oq_graph_find(net.graph, "v5"), start = oq_graph_find(net.graph, "x");
    oq_tensor half = test_net_run(
        &net,
        &(oq_program_options){.outputs = &middle, .output_count = 1, .inputs = &start, .input_count = 1}, &x);
    oq_tensor rest = test_net_run(&net, &(oq_program_options){.inputs = &middle, .input_count = 1}, &half);
    ck_assert(oq_tensor_equal(&rest, &whole));
    oq_tensor_release(&rest);
    oq_tensor_release(&half);
    oq_tensor_release(&whole);
    oq_tensor_release(&x);
    test_net_release(&net);
}
END_TEST

// Many samples at once: one worker a thread, one program.
typedef struct crowd {
    oq_worker *workers[4];
    oq_value inputs[24], outputs[24];
} crowd;

static oq_status run_one(void *self, size_t index, size_t worker, oq_error *err) {
    crowd *c = self;
    return oq_worker_run(c->workers[worker], &c->inputs[index], &c->outputs[index], NULL, NULL, err);
}

START_TEST(threads_change_no_bit) {
    test_net net;
    test_net_init(&net, 21);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(-1, 96));
    const oq_value_id w = test_net_constant(&net, "w", test_net_random(&net, OQ_SHAPE(96, 80), 1));
    const oq_value_id y = test_net_node(&net, "MatMul", "y", x, w, OQ_NONE);
    test_net_output(&net, test_net_node(&net, "Softmax", "z", y, OQ_NONE, OQ_NONE));
    oq_error err = {0};
    oq_program *program;
    oq_pool *pool;
    crowd c = {.workers = {NULL}};
    CK_OK(oq_program_new(net.graph, NULL, &program, &err), &err);
    CK_OK(oq_pool_new(&net.mem, 4, &pool, &err), &err);
    for (size_t i = 0; i < 4; i++) CK_OK(oq_worker_new(program, &c.workers[i], &err), &err);
    for (size_t i = 0; i < 24; i++)
        c.inputs[i] = oq_value_of_tensor(test_net_random(&net, OQ_SHAPE((int64_t)i * 5 + 1, 96), i));
    CK_OK(oq_pool_run(pool, 24, run_one, &c, &err), &err);
    for (size_t i = 0; i < 24; i++) {
        oq_value alone, inside;
        CK_OK(oq_worker_run(c.workers[0], &c.inputs[i], &alone, NULL, NULL, &err), &err);
        CK_OK(oq_worker_run(c.workers[1], &c.inputs[i], &inside, NULL, pool, &err), &err);
        ck_assert(oq_tensor_equal(&alone.tensor, &c.outputs[i].tensor));
        ck_assert(oq_tensor_equal(&alone.tensor, &inside.tensor));
        oq_value_release(&alone);
        oq_value_release(&inside);
        oq_value_release(&c.inputs[i]);
        oq_value_release(&c.outputs[i]);
    }
    for (size_t i = 0; i < 4; i++) oq_worker_free(c.workers[i]);
    oq_pool_free(pool);
    oq_program_free(program);
    test_net_release(&net);
}
END_TEST

START_TEST(errors_name_the_place_and_leave_the_worker_usable) {
    test_net net;
    test_net_init(&net, 21);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(-1));
    const oq_value_id c = test_net_floats(&net, "c", OQ_SHAPE(3), (float[]){1, 2, 3});
    test_net_output(&net, test_net_node(&net, "Add", "sum",
                                        test_net_node(&net, "Abs", "a", x, OQ_NONE, OQ_NONE), c, OQ_NONE));
    oq_error err = {0};
    oq_program *program;
    oq_worker *worker;
    CK_OK(oq_program_new(net.graph, NULL, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    oq_value out;
    oq_value bad = oq_value_of_tensor(test_net_random(&net, OQ_SHAPE(2), 1));
    ck_assert_int_ne(oq_worker_run(worker, &bad, &out, NULL, NULL, &err), ONNXQ_OK);
    ck_assert_str_eq(err.node, "sum");
    ck_assert_str_eq(err.op_type, "Add");
    ck_assert_ptr_nonnull(strstr(err.message, "node 'sum' (Add): "));
    oq_value_release(&bad);
    err = (oq_error){0};
    bad = oq_value_of_tensor(test_net_random(&net, OQ_SHAPE(3, 1), 1));
    ck_assert_int_eq(oq_worker_run(worker, &bad, &out, NULL, NULL, &err), ONNXQ_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(err.message, "input 'x' must be float32[?], but float32[3,1] was given"));
    oq_value_release(&bad);
    err = (oq_error){0};
    oq_value good = oq_value_of_tensor(test_tensor_f32(&net.mem, OQ_SHAPE(3), (float[]){-1, 0, 1}));
    CK_OK(oq_worker_run(worker, &good, &out, NULL, NULL, &err), &err);
    ck_assert_mem_eq(out.tensor.data, ((float[]){2, 2, 4}), 12);
    oq_value_release(&out);
    oq_value_release(&good);
    oq_worker_free(worker);
    oq_program_free(program);
    test_net_release(&net);
}
END_TEST

START_TEST(an_unknown_operator_is_named_unless_nobody_needs_it) {
    test_net net;
    test_net_init(&net, 21);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(1));
    const oq_value_id y = test_net_node(&net, "Relu", "y", x, OQ_NONE, OQ_NONE);
    const oq_value_id z = test_net_node(&net, "NoSuchOperator", "z", x, OQ_NONE, OQ_NONE);
    test_net_output(&net, y);
    oq_error err = {0};
    oq_program *program;
    CK_OK(oq_program_new(net.graph, NULL, &program, &err), &err);
    oq_program_free(program);
    test_net_output(&net, z);
    ck_assert_int_eq(oq_program_new(net.graph, NULL, &program, &err), ONNXQ_UNSUPPORTED);
    ck_assert_ptr_null(program);
    ck_assert_ptr_nonnull(strstr(err.message, "node 'z' (NoSuchOperator)"));
    test_net_release(&net);
}
END_TEST

// Kernels may rely on their signature: a missing or wrong input is an error before they see it.
START_TEST(kernels_never_see_what_their_signature_forbids) {
    test_net net;
    test_net_init(&net, 21);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(1));
    const oq_value_id i = test_net_scalar(&net, "i", ONNXQ_INT32, 1);
    test_net_output(&net, test_net_node(&net, "Add", "y", x, i, OQ_NONE));
    oq_error err = {0};
    oq_program *program;
    oq_worker *worker;
    CK_OK(oq_program_new(net.graph, NULL, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    oq_value in = oq_value_of_tensor(test_net_random(&net, OQ_SHAPE(1), 1)), out;
    ck_assert_int_eq(oq_worker_run(worker, &in, &out, NULL, NULL, &err), ONNXQ_BAD_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "must have one type, but are float32 and int32"));
    oq_worker_free(worker);
    oq_program_free(program);
    err = (oq_error){0};
    CK_OK(oq_node_set_input(net.graph, net.last, 1, OQ_NONE, &err), &err);
    const oq_status made = oq_program_new(net.graph, NULL, &program, &err);
    if (made == ONNXQ_OK) {
        CK_OK(oq_worker_new(program, &worker, &err), &err);
        ck_assert_int_eq(oq_worker_run(worker, &in, &out, NULL, NULL, &err), ONNXQ_BAD_MODEL);
        oq_worker_free(worker);
        oq_program_free(program);
    }
    ck_assert_ptr_nonnull(strstr(err.message, "node 'y' (Add)"));
    oq_value_release(&in);
    test_net_release(&net);
}
END_TEST

// An empty function `name` of the domain "own" with one input and one output, at opset 16.
static oq_function *add_function(test_net *net, const char *name) {
    oq_error err = {0};
    oq_model *model = net->model;
    oq_function *f = oq_arena_calloc(&model->arena, 1, sizeof *f, &err);
    oq_import *imports = oq_arena_calloc(&model->arena, 2, sizeof *imports, &err);
    ck_assert(f && imports);
    imports[0] = (oq_import){.domain = "", .version = 16};
    imports[1] = (oq_import){.domain = "own", .version = 1};
    *f = (oq_function){.domain = "own", .name = name, .overload = "", .imports = imports, .import_count = 2};
    CK_OK(oq_graph_new(model, NULL, &f->body, &err), &err);
    CK_OK(oq_graph_add_input(f->body, test_net_value(f->body, "in"), &err), &err);
    model->functions = f;
    model->function_count = 1;
    return f;
}

// A node in `graph` from `from` to a new value.
static oq_node *add_call(oq_graph *graph, const char *op_type, const char *domain, oq_value_id from,
                         const char *to) {
    oq_error err = {0};
    oq_node *node;
    const oq_value_id out = test_net_value(graph, to);
    CK_OK(oq_graph_add_node(graph, "", op_type, domain, &from, 1, &out, 1, &node, &err), &err);
    return node;
}

// Twice(x) {k} = LeakyRelu(LeakyRelu(x) {alpha = k}) {alpha = k}, where k has a default.
START_TEST(functions_hand_their_attributes_in) {
    test_net net;
    test_net_init(&net, 21);
    oq_error err = {0};
    oq_function *f = add_function(&net, "Twice");
    oq_attr k = {.name = "k", .kind = OQ_ATTR_FLOAT, .count = 1, .f = 0.5F};
    f->defaults = &k;
    f->default_count = 1;
    oq_value_id value = f->body->inputs[0];
    for (int i = 0; i < 2; i++) {
        oq_node *node = add_call(f->body, "LeakyRelu", "", value, i ? "out" : "between");
        CK_OK(oq_node_set_float(f->body, node, "alpha", 9, &err), &err);
        node->attrs[0].reference = "k";
        value = node->outputs[0];
    }
    CK_OK(oq_graph_add_output(f->body, value, &err), &err);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(2));
    const oq_node *first = add_call(net.graph, "Twice", "own", x, "first");
    oq_node *second = add_call(net.graph, "Twice", "own", first->outputs[0], "second");
    CK_OK(oq_node_set_float(net.graph, second, "k", 0.25F, &err), &err);
    test_net_output(&net, second->outputs[0]);
    oq_tensor given = test_tensor_f32(&net.mem, OQ_SHAPE(2), (float[]){-64, 3});
    oq_tensor out = test_net_run(&net, NULL, &given);
    ck_assert_mem_eq(out.data, ((float[]){-1, 3}), 8); // -64 / 2 / 2 / 4 / 4
    oq_tensor_release(&out);
    oq_tensor_release(&given);
    net.model->function_count = 0;
    test_net_release(&net);
}
END_TEST

// Loop over `steps` steps of x = Neg(x).
static void add_loop(test_net *net, oq_value_id x, int64_t steps) {
    oq_error err = {0};
    oq_graph *body;
    oq_node *loop;
    const oq_value_id m = test_net_scalar(net, "m", ONNXQ_INT64, (double)steps);
    const oq_value_id inputs[] = {m, OQ_NONE, x}, y = test_net_value(net->graph, "y");
    CK_OK(oq_graph_add_node(net->graph, "", "Loop", "", inputs, 3, &y, 1, &loop, &err), &err);
    CK_OK(oq_graph_new(net->model, net->graph, &body, &err), &err);
    static const char *const names[] = {"step", "go", "carried"};
    oq_value_id in[3];
    for (int i = 0; i < 3; i++) {
        in[i] = test_net_value(body, names[i]);
        CK_OK(oq_graph_add_input(body, in[i], &err), &err);
    }
    CK_OK(oq_graph_add_output(body, add_call(body, "Identity", "", in[1], "on")->outputs[0], &err), &err);
    CK_OK(oq_graph_add_output(body, add_call(body, "Neg", "", in[2], "next")->outputs[0], &err), &err);
    CK_OK(oq_node_set_graph(net->graph, loop, "body", body, &err), &err);
    test_net_output(net, y);
}

START_TEST(memory_of_a_loop_does_not_grow_with_its_steps) {
    size_t peak[2];
    for (int i = 0; i < 2; i++) {
        test_net net;
        test_net_init(&net, 21);
        add_loop(&net, test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(16)), i ? 20000 : 20);
        oq_tensor x = test_net_random(&net, OQ_SHAPE(16), 1);
        oq_tensor y = test_net_run(&net, NULL, &x);
        ck_assert_mem_eq(x.data, y.data, 16 * sizeof(float));
        oq_tensor_release(&x);
        oq_tensor_release(&y);
        peak[i] = atomic_load(&net.mem.peak);
        test_net_release(&net);
    }
    ck_assert_uint_eq(peak[0], peak[1]);
}
END_TEST

START_TEST(a_function_that_calls_itself_is_refused) {
    test_net net;
    test_net_init(&net, 21);
    oq_error err = {0};
    oq_function *f = add_function(&net, "Again");
    const oq_node *one = add_call(f->body, "Again", "own", f->body->inputs[0], "one");
    const oq_node *two = add_call(f->body, "Again", "own", one->outputs[0], "two");
    CK_OK(oq_graph_add_output(f->body, two->outputs[0], &err), &err);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(2));
    test_net_output(&net, add_call(net.graph, "Again", "own", x, "y")->outputs[0]);
    oq_program *program;
    ck_assert_int_eq(oq_program_new(net.graph, NULL, &program, &err), ONNXQ_BAD_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "calls itself"));
    net.model->function_count = 0;
    test_net_release(&net);
}
END_TEST

// Whichever allocation fails, the error says so and nothing leaks.
START_TEST(memory_may_end_anywhere) {
    test_net net;
    test_net_init(&net, 21);
    const oq_shape shape = OQ_SHAPE(3, 50);
    const oq_value_id middle = chain(&net, 3, shape);
    const oq_value_id w = test_net_constant(&net, "w", test_net_random(&net, OQ_SHAPE(50, 4), 1));
    test_net_output(&net, test_net_node(&net, "MatMul", "y", middle, w, OQ_NONE));
    oq_tensor x = test_net_random(&net, shape, 2);
    const size_t before = atomic_load(&net.mem.used);
    bool finished = false;
    for (long long n = 1; !finished && n < 1000; n++) {
        oq_error err = {0};
        oq_program *program = NULL;
        oq_worker *worker = NULL;
        const oq_value in = {.kind = OQ_VALUE_TENSOR, .tensor = x};
        oq_value out[2] = {0};
        atomic_store(&net.mem.fail_after, n);
        oq_status status = oq_program_new(net.graph, NULL, &program, &err);
        if (status == ONNXQ_OK) status = oq_worker_new(program, &worker, &err);
        if (status == ONNXQ_OK) status = oq_worker_run(worker, &in, out, NULL, NULL, &err);
        finished = status == ONNXQ_OK;
        ck_assert(finished || status == ONNXQ_NO_MEMORY);
        atomic_store(&net.mem.fail_after, 0);
        for (size_t k = 0; k < 2; k++) oq_value_release(&out[k]);
        oq_worker_free(worker);
        oq_program_free(program);
        ck_assert_uint_eq(atomic_load(&net.mem.used), before);
    }
    ck_assert(finished);
    oq_tensor_release(&x);
    test_net_release(&net);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("run");
    TCase *tcase = tcase_create("executor");
    tcase_add_test(tcase, a_long_chain_needs_few_buffers);
    tcase_add_test(tcase, ragged_samples_do_not_pile_up);
    tcase_add_loop_test(tcase, weights_are_in_memory_once, 0, 4);
    tcase_add_test(tcase, workers_side_by_side_share_buffers);
    tcase_add_test(tcase, an_observer_sees_all_and_changes_nothing);
    tcase_add_test(tcase, outputs_of_every_kind);
    tcase_add_test(tcase, a_part_equals_the_whole);
    tcase_add_test(tcase, threads_change_no_bit);
    tcase_add_test(tcase, errors_name_the_place_and_leave_the_worker_usable);
    tcase_add_test(tcase, an_unknown_operator_is_named_unless_nobody_needs_it);
    tcase_add_test(tcase, kernels_never_see_what_their_signature_forbids);
    tcase_add_test(tcase, functions_hand_their_attributes_in);
    tcase_add_test(tcase, memory_of_a_loop_does_not_grow_with_its_steps);
    tcase_add_test(tcase, a_function_that_calls_itself_is_refused);
    tcase_add_test(tcase, memory_may_end_anywhere);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
