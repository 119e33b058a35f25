// Parses and matches tree patterns.
#include "passes/pattern.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ARGS  3
#define TOLERANCE 1e-3

typedef enum pattern_kind {
    PATTERN_X,
    PATTERN_CONSTANT,
    PATTERN_ANY,
    PATTERN_NUMBER,
    PATTERN_OP
} pattern_kind;

struct oq_pattern {
    pattern_kind kind;
    bool optional;         // ~
    double number;         // PATTERN_NUMBER
    const char *op, *attr; // PATTERN_OP; attr NULL: none asked for
    double attr_value;
    oq_pattern *args[MAX_ARGS];
    int arg_count;
    oq_pattern *otherwise; // behind |
};

// --- parser: recursive descent over the text ---

typedef struct parser {
    oq_arena *arena;
    const char *text, *at;
    oq_error *err;
} parser;

static bool accept(parser *p, char c) {
    while (isspace((unsigned char)*p->at)) p->at++;
    if (*p->at != c) return false;
    p->at++;
    return true;
}

static oq_status complain(parser *p) {
    return oq_fail(p->err, ONNXQ_INTERNAL, "pattern broken at '%s'", p->at);
}

static oq_status parse_any(parser *p, oq_pattern **out);

static oq_status parse_word(parser *p, const char **out) {
    const char *begin = p->at;
    while (isalnum((unsigned char)*p->at)) p->at++;
    if (p->at == begin) return complain(p);
    *out = oq_arena_strndup(p->arena, begin, (size_t)(p->at - begin), p->err);
    return *out ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static oq_status parse_number(parser *p, double *out) {
    char *end;
    *out = strtod(p->at, &end);
    if (end == p->at) return complain(p);
    p->at = end;
    return ONNXQ_OK;
}

static oq_status parse_op(parser *p, oq_pattern *into) {
    into->kind = PATTERN_OP;
    OQ_TRY(parse_word(p, &into->op));
    if (accept(p, '[')) {
        OQ_TRY(parse_word(p, &into->attr));
        if (!accept(p, '=')) return complain(p);
        OQ_TRY(parse_number(p, &into->attr_value));
        if (!accept(p, ']')) return complain(p);
    }
    if (!accept(p, '(')) return complain(p);
    do {
        if (into->arg_count == MAX_ARGS) return complain(p);
        OQ_TRY(parse_any(p, &into->args[into->arg_count++]));
    } while (accept(p, ','));
    return accept(p, ')') ? ONNXQ_OK : complain(p);
}

static oq_status parse_one(parser *p, oq_pattern **out) {
    oq_pattern *made = *out = oq_arena_calloc(p->arena, 1, sizeof *made, p->err);
    if (!made) return ONNXQ_NO_MEMORY;
    made->optional = accept(p, '~');
    while (isspace((unsigned char)*p->at)) p->at++;
    if (isupper((unsigned char)*p->at)) return parse_op(p, made);
    if (accept(p, 'x'))
        made->kind = PATTERN_X;
    else if (accept(p, 'c'))
        made->kind = PATTERN_CONSTANT;
    else if (accept(p, '?'))
        made->kind = PATTERN_ANY;
    else {
        made->kind = PATTERN_NUMBER;
        return parse_number(p, &made->number);
    }
    return ONNXQ_OK;
}

static oq_status parse_any(parser *p, oq_pattern **out) {
    OQ_TRY(parse_one(p, out));
    oq_pattern *last = *out;
    while (accept(p, '|')) {
        OQ_TRY(parse_one(p, &last->otherwise));
        last = last->otherwise;
    }
    return ONNXQ_OK;
}

oq_status oq_pattern_parse(oq_arena *arena, const char *text, oq_pattern **out, oq_error *err) {
    parser p = {.arena = arena, .text = text, .at = text, .err = err};
    OQ_TRY(parse_any(&p, out));
    return *p.at ? complain(&p) : ONNXQ_OK;
}

// --- matcher: depth first, taking back what a failed branch matched ---

static bool near(double value, double wanted) {
    return fabs(value - wanted) <= TOLERANCE * fmax(fabs(wanted), 1e-3);
}

static bool match_any(oq_graph *graph, const oq_pattern *pattern, oq_value_id value, oq_match *m);

static bool match_number(oq_graph *graph, double wanted, oq_value_id value) {
    const oq_constant *constant = oq_graph_constant(graph, value);
    oq_tensor tensor = {0};
    oq_error ignored = {0};
    if (!constant || oq_shape_count(&constant->shape) != 1 ||
        oq_dtype_info(constant->dtype)->work == OQ_WORK_NONE ||
        oq_constant_load(graph->model->mem, constant, &tensor, &ignored) != ONNXQ_OK)
        return false;
    const bool same = near(oq_tensor_get_f64(&tensor, 0), wanted);
    oq_tensor_release(&tensor);
    return same;
}

static bool add_node(oq_match *m, oq_node_id node) {
    for (size_t i = 0; i < m->count; i++)
        if (m->nodes[i] == node) return true;
    if (m->count == OQ_MATCH_NODES) return false;
    m->nodes[m->count++] = node;
    return true;
}

// Clip until opset 10 keeps its bounds in attributes.
static bool match_bound_attr(const oq_node *node, int index, const oq_pattern *pattern) {
    const oq_attr *attr = oq_node_attr(node, index == 1 ? "min" : "max");
    return attr && attr->kind == OQ_ATTR_FLOAT && pattern->kind == PATTERN_NUMBER &&
           near((double)attr->f, pattern->number);
}

static bool match_args(oq_graph *graph, const oq_pattern *pattern, const oq_node *node,
                       const int order[MAX_ARGS], oq_match *m) {
    const oq_match before = *m;
    bool ok = true;
    for (int i = 0; ok && i < pattern->arg_count && i < MAX_ARGS; i++) {
        const size_t input = (size_t)order[i];
        if (input < node->input_count && node->inputs[input] != OQ_NONE)
            ok = match_any(graph, pattern->args[i], node->inputs[input], m);
        else
            ok = pattern->args[i]->kind == PATTERN_ANY ||
                 (strcmp(node->op_type, "Clip") == 0 && match_bound_attr(node, order[i], pattern->args[i]));
    }
    for (size_t i = (size_t)pattern->arg_count; ok && i < node->input_count; i++)
        ok = node->inputs[i] == OQ_NONE || oq_graph_constant(graph, node->inputs[i]);
    if (!ok) *m = before;
    return ok;
}

static bool commutes(const char *op) {
    return strcmp(op, "Add") == 0 || strcmp(op, "Mul") == 0 || strcmp(op, "Max") == 0 ||
           strcmp(op, "Min") == 0;
}

static bool match_op(oq_graph *graph, const oq_pattern *pattern, oq_value_id value, oq_match *m) {
    const oq_node *node = oq_graph_producer_is(graph, value, pattern->op);
    if (!node || node->outputs[0] != value || node->region != OQ_NONE) return false;
    if (pattern->attr && !near((double)oq_node_float(node, pattern->attr, NAN), pattern->attr_value))
        return false;
    static const int given[MAX_ARGS] = {0, 1, 2}, swapped[MAX_ARGS] = {1, 0, 2};
    const oq_match before = *m;
    if (add_node(m, node->id)) {
        if (match_args(graph, pattern, node, given, m)) return true;
        if (pattern->arg_count == 2 && commutes(pattern->op) && match_args(graph, pattern, node, swapped, m))
            return true;
    }
    *m = before;
    return false;
}

static bool match_x(oq_graph *graph, oq_value_id value, oq_match *m) {
    if (oq_graph_constant(graph, value)) return false;
    if (m->x == OQ_NONE) m->x = value;
    return m->x == value;
}

static bool match_one(oq_graph *graph, const oq_pattern *pattern, oq_value_id value, oq_match *m) {
    switch (pattern->kind) {
    case PATTERN_X: return match_x(graph, value, m);
    case PATTERN_CONSTANT: return oq_graph_constant(graph, value) != NULL;
    case PATTERN_ANY: return true;
    case PATTERN_NUMBER: return match_number(graph, pattern->number, value);
    case PATTERN_OP: break;
    }
    if (match_op(graph, pattern, value, m)) return true;
    return pattern->optional && match_any(graph, pattern->args[0], value, m);
}

static bool match_any(oq_graph *graph, const oq_pattern *pattern, oq_value_id value, oq_match *m) {
    for (; pattern; pattern = pattern->otherwise)
        if (match_one(graph, pattern, value, m)) return true;
    return false;
}

bool oq_pattern_match(oq_graph *graph, const oq_pattern *pattern, oq_value_id value, oq_match *out) {
    *out = (oq_match){.x = OQ_NONE};
    return match_any(graph, pattern, value, out) && out->x != OQ_NONE;
}
