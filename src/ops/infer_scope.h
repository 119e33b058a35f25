// What inference knows of the data of values, one scope per graph that is being walked (private to infer.c).
#ifndef OQ_OPS_INFER_SCOPE_H
#define OQ_OPS_INFER_SCOPE_H

#include "ops/ops.h"

// Data of one value as far as inference looks into them.
typedef struct known {
    bool tried;         // a constant was looked for
    oq_tensor constant; // dtype UNDEFINED = none
    const oq_dim *elements;
    size_t element_count;
} known;

typedef struct infer_driver {
    oq_arena arena; // lives for one oq_infer_graph
    size_t visits;  // nodes walked so far, calls of functions counted each time
} infer_driver;

typedef struct scope {
    infer_driver *driver;
    oq_graph *graph;
    struct scope *parent;        // the graph around, for captures; NULL for main graph and functions
    const oq_node *owner;        // the node whose body this is
    const oq_function *function; // when inside a function's body: it, and the node that calls it
    const oq_node *caller;
    int depth;
    known *known; // [known_count], by value id
    size_t known_count;
} scope;

static inline oq_status scope_open(scope *s, infer_driver *driver, oq_graph *graph, scope *outer,
                                   oq_error *err) {
    *s = (scope){.driver = driver, .graph = graph, .parent = outer, .depth = outer ? outer->depth + 1 : 0};
    s->known = oq_mem_calloc(graph->model->mem, graph->value_count + 1, sizeof *s->known, err);
    if (!s->known) return ONNXQ_NO_MEMORY;
    s->known_count = graph->value_count;
    return ONNXQ_OK;
}

static inline void scope_close(scope *s) {
    for (size_t v = 0; v < s->known_count; ++v) oq_tensor_release(&s->known[v].constant);
    oq_mem_free(s->graph->model->mem, s->known);
}

#endif
