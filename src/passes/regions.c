// Recognises functions written out in primitives. The forms are patterns, collected from what exporters
// write.
#include "passes/passes.h"
#include "passes/pattern.h"

#include <math.h>

// Parts that several patterns share.
#define ERF     "Erf(Div(x,1.41421356)|Mul(x,.70710678))"
#define ONE_ERF "Add(" ERF ",1)"
#define CUBIC                                                                                                \
    "Mul(Pow(x,3)|Mul(x,Mul(x,x)),.044715)|Mul(x,Mul(x,Mul(x,.044715)))|Mul(x,Mul(Mul(x,x)|Pow(x,2),."       \
    "044715))"
#define INNER                                                                                                \
    "Mul(Add(x," CUBIC "),.79788456)|Mul(x,Mul(Add(Mul(Mul(x,x)|Pow(x,2),.044715),1),.79788456))"            \
    "|Mul(Mul(x,.79788456),Add(Mul(Mul(x,x)|Pow(x,2),.044715),1)|Add(Mul(x,Mul(x,.044715)),1))"
#define ONE_TANH "Add(Tanh(" INNER "),1)"
// x * p / 2 in all orders.
#define HALF_OF(p)                                                                                           \
    "Mul(Mul(x," p "),.5)|Mul(Mul(x,.5)|Div(x,2)," p ")|Mul(x,Mul(" p ",.5)|Div(" p ",2))|Div(Mul(x," p ")," \
    "2)"

#define RELU6 "Clip(Add(x,3),0,6)|Min(Relu(Add(x,3)),6)|Min(Max(Add(x,3),0),6)|Max(Min(Add(x,3),6),0)"
#define SIXTH "Div(" RELU6 ",6)|Mul(" RELU6 ",.16666667)"
#define HARD  SIXTH "|Clip(Add(Mul(x,.16666667)|Div(x,6),.5),0,1)|HardSigmoid[alpha=.16666667](x)"

// Means come back to x's rank by keepdims or by these.
#define SPREAD(p) "~Expand(~Reshape(~Unsqueeze(" p ",?),?),?)"
#define MEAN(p)   "ReduceMean(" p ")|Mul(ReduceSum(" p "),c)|Div(ReduceSum(" p "),c)"
#define SQUARE(p) "Mul(" p "," p ")|Pow(" p ",2)"
// 1 / sqrt(p + epsilon), as a factor of q.
#define OVER_ROOT(q, p)                                                                                      \
    "Div(" q ",Sqrt(Add(" p ",c)))|Mul(" q ",Reciprocal(Sqrt(Add(" p ",c)))|Div(1,Sqrt(Add(" p               \
    ",c)))|Pow(Add(" p ",c),-.5))"
#define CENTRED "Sub(x," SPREAD(MEAN("x")) ")"
#define NORM    OVER_ROOT(CENTRED, MEAN(SQUARE(CENTRED)))
#define RMS     OVER_ROOT("x", MEAN(SQUARE("x")))
// Variance as mean of squares less square of mean; gamma multiplied into the root first (JAX).
#define VARIANCE "~Max(Sub(" MEAN(SQUARE("x")) "," SQUARE(MEAN("x")) "),0)"
#define JAX_NORM "Mul(" CENTRED ",Mul(Reciprocal(Sqrt(Add(" SPREAD(VARIANCE) ",c))),c))"

#define EXP "Exp(~Sub(x," SPREAD("~Max(ReduceMax(x),c)") "))"

// The widest form of a function comes first.
static const struct {
    oq_region_kind kind;
    const char *pattern;
} forms[] = {
    {OQ_REGION_GELU, HALF_OF(ONE_ERF)},
    {OQ_REGION_GELU_TANH, HALF_OF(ONE_TANH)},
    {OQ_REGION_SILU, "Mul(x,Sigmoid(x|Mul(x,c)))"},
    {OQ_REGION_HARD_SWISH, "HardSwish(x)"}, // an operator of its own, which runtimes have no kernels for
    {OQ_REGION_HARD_SWISH, "Div(Mul(x," RELU6 "),6)|Mul(Mul(x," RELU6 "),.16666667)"},
    {OQ_REGION_HARD_SWISH, "Mul(x," HARD ")|Mul(Div(x,6)|Mul(x,.16666667)," RELU6 ")"},
    {OQ_REGION_LAYER_NORM, "Add(Mul(" NORM ",c),c)|Add(" JAX_NORM ",c)"},
    {OQ_REGION_LAYER_NORM, "Mul(" NORM ",c)|" NORM "|" JAX_NORM},
    {OQ_REGION_RMS_NORM, "Mul(" RMS ",c)|" RMS},
    {OQ_REGION_SOFTMAX,
     "Div(" EXP "," SPREAD("ReduceSum(" EXP ")") ")|Mul(" EXP ",Reciprocal(ReduceSum(" EXP ")))"},
    {OQ_REGION_HARD_SIGMOID, SIXTH "|Clip(Add(Mul(x,c)|Div(x,c),c),0,1)"},
};
#define FORM_COUNT (sizeof forms / sizeof *forms)

// Below these inputs the function's output is 0, or nearer to it than an 8-bit step of any useful range.
double oq_region_floor(oq_region_kind kind) {
    static const double floors[] = {[OQ_REGION_GELU] = -4,
                                    [OQ_REGION_GELU_TANH] = -4,
                                    [OQ_REGION_SILU] = -8,
                                    [OQ_REGION_HARD_SWISH] = -3,
                                    [OQ_REGION_SOFTMAX] = -INFINITY};
    return (size_t)kind < sizeof floors / sizeof *floors && floors[kind] < 0 ? floors[kind] : -INFINITY;
}

static oq_status add_region(oq_graph *graph, oq_regions *out, oq_region_kind kind, const oq_match *match,
                            oq_value_id output, oq_error *err) {
    OQ_TRY(
        oq_mem_reserve(out->mem, (void **)&out->items, out->count, &out->capacity, sizeof *out->items, err));
    for (size_t i = 0; i < match->count; i++) oq_graph_node(graph, match->nodes[i])->region = (int)out->count;
    out->items[out->count++] = (oq_region){.kind = kind, .input = match->x, .output = output};
    return ONNXQ_OK;
}

// From the outputs upwards, so that the whole of a function is tried before its parts.
static oq_status find_all(oq_graph *graph, oq_pattern *const *patterns, const oq_node_id *order, size_t count,
                          oq_regions *out, oq_error *err) {
    for (size_t i = count; i-- > 0;) {
        const oq_node *node = oq_graph_node(graph, order[i]);
        if (node->region != OQ_NONE || node->domain[0] || node->output_count != 1 ||
            node->outputs[0] == OQ_NONE)
            continue;
        oq_match match;
        for (size_t f = 0; f < FORM_COUNT; f++) {
            if (!oq_pattern_match(graph, patterns[f], node->outputs[0], &match)) continue;
            OQ_TRY(add_region(graph, out, forms[f].kind, &match, node->outputs[0], err));
            break;
        }
    }
    return ONNXQ_OK;
}

oq_status oq_pass_find_regions(oq_graph *graph, oq_regions *out, oq_error *err) {
    oq_pattern *patterns[FORM_COUNT];
    oq_node_id *order = NULL;
    size_t count = 0;
    oq_arena arena;
    *out = (oq_regions){.mem = graph->model->mem};
    oq_arena_init(&arena, out->mem);
    for (size_t i = 0; i < graph->node_count; i++) graph->nodes[i]->region = OQ_NONE;
    oq_status status = oq_graph_order(graph, &order, &count, err);
    for (size_t f = 0; status == ONNXQ_OK && f < FORM_COUNT; f++)
        status = oq_pattern_parse(&arena, forms[f].pattern, &patterns[f], err);
    if (status == ONNXQ_OK) status = find_all(graph, patterns, order, count, out, err);
    oq_mem_free(out->mem, order);
    oq_arena_release(&arena);
    if (status != ONNXQ_OK) oq_regions_release(out);
    return status;
}

void oq_regions_release(oq_regions *regions) {
    if (regions->mem) oq_mem_free(regions->mem, regions->items);
    *regions = (oq_regions){0};
}
