// Small graphs from text, so that a test shows what it is about.
#include "support/graphs.h"
#include "support/support.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    oq_model *model;
    oq_graph *graph;
    const char *at;
    oq_error err;
} reader;

static void skip(reader *r) {
    while (*r->at == ' ' || *r->at == '\t') r->at++;
}

static bool take(reader *r, const char *text) {
    skip(r);
    const size_t length = strlen(text);
    if (strncmp(r->at, text, length) != 0) return false;
    if (isalpha((unsigned char)text[0]) && !isspace((unsigned char)r->at[length])) return false;
    r->at += length;
    return true;
}

static void word(reader *r, char *into, size_t size) {
    skip(r);
    size_t n = 0;
    while (*r->at && !isspace((unsigned char)*r->at) && !strchr(",()=[]\"", *r->at)) {
        ck_assert_uint_lt(n + 1, size);
        into[n++] = *r->at++;
    }
    into[n] = 0;
}

static oq_value_id value_named(reader *r, const char *name) {
    oq_value_id id = oq_graph_find(r->graph, name);
    if (id == OQ_NONE) CK_OK(oq_graph_add_value(r->graph, name, &id, &r->err), &r->err);
    return id;
}

// float32[2,N]
static oq_type read_type(reader *r) {
    char text[64];
    oq_type type = {.kind = OQ_TYPE_TENSOR};
    word(r, text, sizeof text);
    type.dtype = oq_dtype_parse(text);
    ck_assert_msg(type.dtype != ONNXQ_UNDEFINED, "type '%s'", text);
    ck_assert_msg(take(r, "["), "[ expected at '%s'", r->at);
    while (!take(r, "]")) {
        word(r, text, sizeof text);
        type.dim[type.rank++] =
            isdigit((unsigned char)text[0])
                ? oq_dim_of(atoll(text))
                : (oq_dim){.size = -1, .symbol = oq_model_intern(r->model, text, &r->err)};
        take(r, ",");
    }
    return type;
}

static void read_input(reader *r) {
    char name[64];
    word(r, name, sizeof name);
    const oq_value_id id = value_named(r, name);
    oq_gvalue *value = oq_graph_value(r->graph, id);
    value->type = read_type(r);
    value->declared = value->is_input = true;
    oq_graph *g = r->graph;
    oq_value_id *grown = oq_arena_calloc(&r->model->arena, g->input_count + 1, sizeof *grown, &r->err);
    ck_assert_ptr_nonnull(grown);
    if (g->input_count) memcpy(grown, g->inputs, g->input_count * sizeof *grown);
    grown[g->input_count++] = id;
    g->inputs = grown;
}

static void read_constant(reader *r, bool random) {
    char name[64];
    word(r, name, sizeof name);
    const oq_type type = read_type(r);
    oq_shape shape;
    oq_tensor tensor;
    ck_assert(oq_type_static(&type, &shape));
    CK_OK(oq_tensor_new(r->model->mem, type.dtype, &shape, &tensor, &r->err), &r->err);
    double number = strtod(r->at, (char **)&r->at);
    const double amplitude = random ? strtod(r->at, (char **)&r->at) : 0;
    uint32_t state = (uint32_t)number * 2654435761u + 1;
    for (int64_t i = 0; i < oq_shape_count(&shape); i++) {
        char *end;
        const double next = i && !random ? strtod(r->at, &end) : 0;
        if (i && !random && end != r->at) number = next, r->at = end;
        state = state * 1664525u + 1013904223u;
        if (random) number = amplitude * ((double)(state >> 8) / (1 << 23) - 1);
        oq_store_f64(type.dtype, &number, (char *)tensor.data + (size_t)i * oq_dtype_bytes(type.dtype), 1);
    }
    oq_value_id id;
    CK_OK(oq_graph_add_initializer(r->graph, name, tensor, &id, &r->err), &r->err);
    ck_assert_str_eq(oq_graph_value(r->graph, id)->name, name);
}

static void read_attribute(reader *r, oq_node *node) {
    char key[32], text[64];
    word(r, key, sizeof key);
    ck_assert_msg(take(r, "="), "= expected at '%s'", r->at);
    if (take(r, "\"")) {
        size_t n = 0;
        while (*r->at != '"') text[n++] = *r->at++;
        text[n] = 0, r->at++;
        if (strcmp(key, "name") == 0)
            node->name = oq_model_intern(r->model, text, &r->err);
        else
            CK_OK(oq_node_set_string(r->graph, node, key, text, &r->err), &r->err);
    } else if (take(r, "[")) {
        int64_t ints[16];
        size_t count = 0;
        while (!take(r, "]")) {
            ints[count++] = strtoll(r->at, (char **)&r->at, 10);
            take(r, ",");
        }
        CK_OK(oq_node_set_ints(r->graph, node, key, ints, count, &r->err), &r->err);
    } else {
        word(r, text, sizeof text);
        if (strchr(text, '.'))
            CK_OK(oq_node_set_float(r->graph, node, key, (float)atof(text), &r->err), &r->err);
        else
            CK_OK(oq_node_set_int(r->graph, node, key, atoll(text), &r->err), &r->err);
    }
}

static void read_node(reader *r) {
    char name[64], op[64];
    oq_value_id inputs[16], outputs[8];
    size_t input_count = 0, output_count = 0;
    do {
        word(r, name, sizeof name);
        outputs[output_count++] = value_named(r, name);
    } while (take(r, ","));
    ck_assert_msg(take(r, "="), "= expected at '%s'", r->at);
    word(r, op, sizeof op);
    ck_assert_msg(take(r, "("), "( expected at '%s'", r->at);
    do {
        word(r, name, sizeof name);
        inputs[input_count++] = name[0] ? value_named(r, name) : OQ_NONE;
    } while (take(r, ","));
    ck_assert_msg(take(r, ")"), ") expected at '%s'", r->at);
    oq_node *node;
    CK_OK(oq_graph_add_node(r->graph, "", op, "", inputs, input_count, outputs, output_count, &node, &r->err),
          &r->err);
    while (skip(r), *r->at && *r->at != '\n') read_attribute(r, node);
}

static void read_outputs(reader *r) {
    oq_graph *g = r->graph;
    char name[64];
    g->outputs = oq_arena_calloc(&r->model->arena, 16, sizeof *g->outputs, &r->err);
    ck_assert_ptr_nonnull(g->outputs);
    while (skip(r), *r->at && *r->at != '\n') {
        word(r, name, sizeof name);
        const oq_value_id id = oq_graph_find(g, name);
        ck_assert_msg(id != OQ_NONE, "output '%s'", name);
        oq_graph_value(g, id)->is_output = oq_graph_value(g, id)->declared = true;
        g->outputs[g->output_count++] = id;
    }
}

oq_model *test_graph(oq_mem *mem, int64_t opset, const char *text) {
    reader r = {.at = text};
    CK_OK(oq_model_new(mem, &r.model, &r.err), &r.err);
    r.graph = r.model->graph;
    r.model->ir_version = opset >= 21 ? 10 : 8;
    r.graph->name = "g";
    CK_OK(oq_model_set_opset(r.model, "", opset, &r.err), &r.err);
    while (*r.at) {
        while (isspace((unsigned char)*r.at)) r.at++;
        if (!*r.at) break;
        if (*r.at == '#')
            r.at += strcspn(r.at, "\n");
        else if (take(&r, "in"))
            read_input(&r);
        else if (take(&r, "const"))
            read_constant(&r, false);
        else if (take(&r, "random"))
            read_constant(&r, true);
        else if (take(&r, "out"))
            read_outputs(&r);
        else
            read_node(&r);
        skip(&r);
        ck_assert_msg(!*r.at || *r.at == '\n', "unexpected '%s'", r.at);
    }
    CK_OK(oq_graph_check(r.graph, &r.err), &r.err);
    return r.model;
}

oq_value_id test_value(const oq_model *model, const char *name) {
    const oq_value_id id = oq_graph_find(model->graph, name);
    ck_assert_msg(id != OQ_NONE, "no value '%s'", name);
    return id;
}

oq_node *test_producer(const oq_model *model, const char *value) {
    const oq_node_id id = oq_graph_value(model->graph, test_value(model, value))->producer;
    ck_assert_msg(id != OQ_NONE, "nothing makes '%s'", value);
    return oq_graph_node(model->graph, id);
}

size_t test_count(const oq_model *model, const char *op_type) {
    size_t count = 0;
    for (size_t i = 0; i < model->graph->node_count; i++)
        count += !model->graph->nodes[i]->dead && strcmp(model->graph->nodes[i]->op_type, op_type) == 0;
    return count;
}

double test_row_spread(oq_model *model, const char *producer) {
    oq_error err = {0};
    oq_tensor w;
    const oq_node *node = test_producer(model, producer);
    CK_OK(oq_constant_load(model->mem, oq_graph_constant(model->graph, node->inputs[1]), &w, &err), &err);
    const size_t rows = (size_t)w.shape.dim[0], columns = (size_t)oq_tensor_count(&w) / rows;
    double most = 0, least = INFINITY;
    for (size_t r = 0; r < rows; r++) {
        double peak = 0;
        for (size_t c = 0; c < columns; c++)
            peak = fmax(peak, fabs(oq_tensor_get_f64(&w, (int64_t)(r * columns + c))));
        most = fmax(most, peak), least = fmin(least, peak);
    }
    oq_tensor_release(&w);
    return most / least;
}
