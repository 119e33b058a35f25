// Tree patterns over a graph, written as text: what the region finder and other rewrites match with.
//
//   Mul(x, Add(Erf(Div(x, 1.41421356) | Mul(x, .70710678)), 1))
//
//   x           one value, the same wherever x stands
//   c           a constant
//   ?           any value, or an input left out
//   1.5         a constant of one element, equal within a thousandth
//   Op(a, b)    a node of ai.onnx; further inputs of the node must be constants. Add, Mul, Max and Min match
//   in either
//               order. Clip's bounds count as inputs also where they are attributes.
//   Op[k=1](a)  with that float attribute
//   ~Op(a, b)   the node, or its first argument alone
//   a | b       either
#ifndef OQ_PASSES_PATTERN_H
#define OQ_PASSES_PATTERN_H

#include "graph/graph.h"

typedef struct oq_pattern oq_pattern; // parsed; lives in the arena

#define OQ_MATCH_NODES 48

typedef struct oq_match {
    oq_value_id x;
    oq_node_id nodes[OQ_MATCH_NODES]; // each once
    size_t count;
} oq_match;

// A text that is not a pattern is INTERNAL.
oq_status oq_pattern_parse(oq_arena *arena, const char *text, oq_pattern **out, oq_error *err);
// True when the value is what the pattern describes.
bool oq_pattern_match(oq_graph *graph, const oq_pattern *pattern, oq_value_id value, oq_match *out);

#endif
